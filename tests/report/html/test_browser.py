"""The report in headless Chromium: opened from disk, asking nobody for anything, at a phone's width, slider and all."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.latency.profile import Profile
from edgevit.latency.recommendation import recommend
from edgevit.latency.sustained_run import Sustained, SustainedSample
from edgevit.report.accuracies import Accuracies, Score, Series
from edgevit.report.candidates import make_plans
from edgevit.report.html.headline import device_headline
from edgevit.report.html.page import render
from edgevit_runtime.resolution import Resolution
from support.profiles import MIXED_MS
from support.waiting import LIMIT_S

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",  # as root in CI; the page is ours
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
PHONE, TALL = 320, 9000

pytestmark = [pytest.mark.web, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")]


@pytest.fixture
def page(tmp_path: Path, measured: Callable[[dict[int, float]], Profile], deit_tiny_ms: dict[int, float]) -> Path:
    """Two devices, operators, a run without a pause, an evaluation: every part that a report can have."""
    spent = {"attention": 1.0, "quadratic": 0.25, "mlp": 0.5, "norm": 0.2, "rest": 0.3}
    slow = measured(deit_tiny_ms)
    trace = tuple(
        SustainedSample(10.0 * each, 12.0 + each, 50.0 + 5.0 * each, 1800.0 - 100.0 * each) for each in range(1, 7)
    )
    slow = replace(
        slow,
        points=tuple(replace(point, ops_ms=spent) for point in slow.points),
        sustained=Sustained(Resolution(224), 1, 60.0, 4000, 12.0, 18.0, 0.33, 20.0, trace),
    )
    fast = replace(measured({each: 0.5 * ms for each, ms in deit_tiny_ms.items()}), device={"model": "A faster one"})
    scores = tuple(Score(Resolution(each), min(0.8, each / 400)) for each in deit_tiny_ms)
    accuracies = Accuracies((Series("out/deit_tiny.tflite", "val", 500, 0, scores),))
    path = tmp_path / "report.html"
    path.write_text(render([slow.within(30.0), fast.within(30.0)], accuracies), encoding="utf-8")
    return path


def chromium(tmp_path: Path, address: str, *options: str) -> str:
    assert CHROMIUM
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", *options, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(dom: str) -> list[tuple[str, str]]:
    """What the headlines say: the big word and what it is."""
    return re.findall(r'<div class="big[^"]*"[^>]*>(.*?)</div>.*?<p class="what">(.*?)</p>', dom, re.DOTALL)


def test_the_slider_moves_the_recommendation(page: Path, tmp_path: Path) -> None:
    still = chromium(tmp_path, page.as_uri(), "--dump-dom")
    assert shown(still) == [("288", "is what to take within 30 ms"), ("320", "is what to take within 30 ms")]
    notes = re.findall(r'<p class="note">(.*?)</p>', still)
    assert "22.9 ms median, p90 25.2 ms; top-1 72.0 % ± 3.9 on 500 pictures." in notes
    moved = chromium(tmp_path, f"{page.as_uri()}#budget=30", "--dump-dom")
    assert re.findall(r'<p class="note">(.*?)</p>', moved) == notes
    moved = chromium(tmp_path, f"{page.as_uri()}#budget=5", "--dump-dom")
    assert shown(moved) == [("128", "is what to take within 5 ms"), ("192", "is what to take within 5 ms")]
    assert '<span id="budget-low">0.9 ms</span><span id="budget-high">172 ms</span>' in moved
    ((left, present),) = re.findall(r'<output id="budget-shown"[^>]*style="left: ([0-9.]+)%[^>]*>(.*?)</output>', moved)
    assert (float(left), present) == (pytest.approx(32.7), "5 ms")  # of the way from 0.9 to 172, by logarithm
    assert "3.30 ms median, p90 3.63 ms; top-1 32.0 % ± 4.1 on 500 pictures." in moved
    drawn = 2 * 5  # both curves, the two together, and accuracy over latency on each: for a wide window and a phone
    assert moved.count(">budget 5 ms</text>") == drawn
    rows = dict(re.findall(r'<tr data-series="0" data-resolution="(\d+)"[^>]*?class="([a-z ]*)"', moved))
    assert (rows["128"], rows["160"]) == ("chosen sure", "over")
    own = re.findall(
        r'<tr data-profile="\d"[^>]*>.*?<td class="taken">(.*?)</td>\s*<td class="taken">(.*?)</td>', moved, re.DOTALL
    )
    assert own == [("128", "3.30"), ("192", "4.00")]
    drawn = re.search(r'<svg[^>]*data-name="plan-Test-CPU"(.*?)</svg>', moved, re.DOTALL)[1]  # type: ignore[index]
    upright = re.search(r'<g class="slid" display="inline"><line x1="([0-9.]+)" x2="([0-9.]+)"', drawn)
    assert upright is not None
    assert upright[1] == upright[2]
    told = re.findall(r'id="plan-Test-CPU-budget-([\w-]+)"( display="none")?', drawn)
    assert {name for name, _ in told} == {"line", "line-key", "line-words", "mark", "mark-key", "mark-words"}
    assert all(hidden for _, hidden in told)
    none = chromium(tmp_path, f"{page.as_uri()}#budget=1.5", "--dump-dom")
    assert shown(none) == [("none", "nothing fits 1.5 ms"), ("96", "is what to take within 1.5 ms")]
    assert re.findall(r'class="headline (\w+)"', none) == ["missed", "sure"]


def test_the_slider_says_what_python_says(
    tmp_path: Path, measured: Callable[[Mapping[Any, float]], Profile], deit_tiny_ms: dict[int, float]
) -> None:
    """At every place of it: what to take, how sure that is, and why."""
    fast = [replace(each, stable=each.resolution.width != 160) for each in measured(deit_tiny_ms).points]
    profile = replace(measured(deit_tiny_ms), points=tuple(fast))
    scores = tuple(Score(Resolution(each), min(0.8, each / 300)) for each in deit_tiny_ms)
    accuracies = Accuracies((Series("out/deit_tiny.tflite", "val", 300, 0, scores),))
    (plan,) = make_plans([profile], accuracies, 30.0)
    text = render(profile.within(30.0), accuracies)
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    probe = """<script>
      const slider = document.getElementById("budget"), said = [];
      for (let step = 0; step <= 1000; step += 10) {
        slider.value = step;
        slider.dispatchEvent(new Event("input"));
        const card = document.querySelector(".headline");
        const text = (name) => [...card.querySelectorAll(name)].map((each) => each.textContent);
        said.push([step, card.className, ...text(".big"), ...text(".what"), ...text(".note")]);
      }
      document.body.dataset.said = JSON.stringify(said);
    </script></body>"""
    path = tmp_path / "probe.html"
    path.write_text(text.replace("</body>", probe), encoding="utf-8")
    dom = chromium(tmp_path, path.as_uri(), "--dump-dom")
    said = json.loads(html.unescape(re.search(r'data-said="(.*?)"', dom)[1]))  # type: ignore[index]
    low, high = 0.9 * 2.0, 1.1 * 1.1 * 142.0
    states = set()
    for step, kind, big, what, *notes in said:
        budget_ms = low * (high / low) ** (step / 1000)
        choice = recommend(plan.candidates, budget_ms)
        card = device_headline(plan, choice, f"{float(f'{budget_ms:.3g}'):g} ms")
        assert (kind, big, what, notes) == (f"headline {card.state}", card.big, card.what, list(card.notes))
        states.add((card.state, card.big))
    assert {("missed", "none"), ("sure", "96"), ("doubtful", "96"), ("doubtful", "160")} <= states
    assert ("sure", "512") not in states  # 224 is as accurate as any
    assert len(states) >= 7


def test_without_scripts_it_says_the_same(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert shown(text)[0] == ("288", "is what to take within 30 ms")
    assert '<div class="slider" hidden>' in text
    assert "Without a pause" in text
    assert 'data-name="sustained"' in text


def requests(tmp_path: Path, address: str) -> list[str]:
    """The addresses that Chromium's network was asked for on the page's behalf; no name is ever resolved."""
    log = tmp_path / "net.json"
    chromium(tmp_path, address, "--dump-dom", f"--log-net-log={log}", "--host-resolver-rules=MAP * ~NOTFOUND")
    document = json.loads(log.read_text(encoding="utf-8"))
    started = document["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    urls = [each.get("params", {}).get("url", "") for each in document["events"] if each["type"] == started]
    return [url for url in urls if url.startswith(("http", "ws", "ftp")) and "google" not in url]


def test_wide_tables_say_that_they_scroll(page: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer.html"
    probe = """<script>addEventListener("load", () => parent.postMessage(JSON.stringify(
      [...document.querySelectorAll(".scroll")].map((each) => [each.scrollWidth > each.clientWidth + 1,
        getComputedStyle(each, "::before").content])), "*"));</script></body>"""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    (tmp_path / "inner.html").write_text(text.replace("</body>", probe), encoding="utf-8")
    outer.write_text(
        "<body><script>addEventListener('message', (each) => {document.body.dataset.found = each.data;});</script>"
        f"<iframe src='inner.html' style='border:0;width:{PHONE}px;height:900px'></iframe>",
        encoding="utf-8",
    )
    dom = chromium(tmp_path, outer.as_uri(), "--dump-dom", "--virtual-time-budget=4000")
    found = json.loads(html.unescape(re.search(r'data-found="(.*?)"', dom)[1]))  # type: ignore[index]
    assert any(wide for wide, _ in found)
    for wide, told in found:
        assert (told == '"more columns: scroll →"') == wide


def test_opens_from_disk_without_any_request(page: Path, tmp_path: Path) -> None:
    assert requests(tmp_path, page.as_uri()) == []
    # The same with a picture from elsewhere: without the policy it is asked for, with it it is not.
    picture = '<img src="http://elsewhere.invalid/x.png"></body>'
    text = page.read_text(encoding="utf-8").replace("</body>", picture)
    guarded, open_ = tmp_path / "guarded.html", tmp_path / "open.html"
    guarded.write_text(text, encoding="utf-8")
    open_.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text), encoding="utf-8")
    assert requests(tmp_path, guarded.as_uri()) == []
    assert requests(tmp_path, open_.as_uri()) == ["http://elsewhere.invalid/x.png"]


@pytest.mark.parametrize("width", [PHONE, 1100])
def test_readable_at_every_width(page: Path, tmp_path: Path, width: int) -> None:
    """A frame of that width, as Chromium's own window cannot be narrower than 500: the page itself never scrolls
    sideways (its tables do, inside, behind the medians), pictures are whole, and nothing is
    drawn smaller than can be read."""
    from PIL import Image

    probe = page.read_text(encoding="utf-8")
    # The page allows its own script only, so what measures it takes the policy out; the rest stays as it is.
    probe = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", probe)
    measure = """<script>addEventListener("load", () => {
      const root = document.documentElement;
      const texts = [...document.querySelectorAll("figure svg text")].filter((each) => each.getBBox().width > 0);
      const sizes = texts.map((each) => each.getBoundingClientRect().height);
      const small = Math.min(...sizes);
      const ends = (them) => Math.max(...[...them].map((each) => each.getBoundingClientRect().right));
      const first = [...document.querySelectorAll("th")].filter((each) => each.textContent === "median ms");
      const found = { wide: root.scrollWidth, room: innerWidth, small, drawn: ends(document.querySelectorAll("svg")),
        median: ends(first), caption: ends(document.querySelectorAll(".caption")), medians: first.length };
      root.dataset.found = JSON.stringify(found);
      parent.postMessage(root.dataset.found, "*");
    });</script>"""
    (tmp_path / "inner.html").write_text(probe.replace("</body>", f"{measure}</body>"), encoding="utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(
        "<body style='margin:0'><script>addEventListener('message', (each) => {"
        "document.body.dataset.found = each.data;});</script>"
        f"<iframe src='inner.html' style='border:0;width:{width}px;height:{TALL}px'></iframe>",
        encoding="utf-8",
    )
    dom = chromium(tmp_path, outer.as_uri(), "--dump-dom", "--virtual-time-budget=4000")
    found = json.loads(re.search(r'data-found="(.*?)"', dom)[1].replace("&quot;", '"'))  # type: ignore[index]
    assert found["room"] == width
    assert found["wide"] <= width
    assert found["medians"] == 3  # each profile's own, and of each alone
    assert max(found["drawn"], found["median"], found["caption"]) <= width
    assert found["small"] >= 9.0
    picture = tmp_path / "picture.png"
    chromium(tmp_path, outer.as_uri(), f"--screenshot={picture}", f"--window-size={max(500, width)},1600")
    with Image.open(io.BytesIO(picture.read_bytes())) as image:
        inside = image.convert("L").crop((0, 0, width, 1600))
    low, high = inside.getextrema()
    assert (low < 80, high) == (True, 255)  # it was drawn


def test_rectangles_under_the_slider(tmp_path: Path, measured: Callable[[Mapping[Any, float]], Profile]) -> None:
    """Of as many tokens the faster one, as the page says without a script; the row and the big word follow."""
    path = tmp_path / "report.html"
    path.write_text(render(measured(MIXED_MS).within(13.5), Accuracies()), encoding="utf-8")
    for budget, chosen in ((13.5, "320x192"), (7.5, "256x128"), (3.0, "96"), (200, "640x384")):
        moved = chromium(tmp_path, f"{path.as_uri()}#budget={budget}", "--dump-dom")
        assert shown(moved) == [(chosen, f"is what to take within {budget:g} ms")]
        rows = re.findall(r'<tr data-series="0" data-resolution="(\w+)"[^>]*?class="chosen unknown"', moved)
        assert rows == [chosen]
        assert ('class="big long"' in moved) == (len(chosen) > 5)
