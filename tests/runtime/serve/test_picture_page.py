"""The page at `/` in headless Chromium: its policy lets its own script run, which asks this server about a picture."""

import base64
import dataclasses
import html
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from edgevit_runtime.serve.page_script import SCRIPT
from edgevit_runtime.serve.picture_page import STYLE, page_of
from edgevit_runtime.tasks.overlay import class_colour
from support.sample_pictures import random_picture
from support.serving import file_of
from support.waiting import LIMIT_S, until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
CHOOSE = """<script>
  const chosen = new DataTransfer(), bytes = Uint8Array.from(atob("{}"), (each) => each.charCodeAt(0));
  chosen.items.add(new File([bytes], "chosen.png", {{ type: "image/png" }}));
  file.files = chosen.files;
  {}
  form.dispatchEvent(new Event("change"));
</script>"""
SEGMENT = """
  task.value = "segment";
  task.dispatchEvent(new Event("change"));
  const drawn = mark;
  mark = async (...all) => {
    await drawn(...all);
    const pixels = marks.getContext("2d").getImageData(0, 0, marks.width, marks.height).data;
    const colours = Array.from({ length: 254 }, (_, index) => colour(index));
    list.style.paddingTop = "2000px";
    const heights = [marks, image].map((each) => each.getBoundingClientRect().height);
    document.title = JSON.stringify({ pixels: [...pixels], width: marks.width, colours, heights });
  };
"""


def test_it_names_nothing_from_elsewhere(serving):
    ask = serving()
    code, text = ask("GET", "/")
    assert code == 200
    assert not re.findall(r"""(?:src|href)="(?!data:,")|url\(|@import|https?://(?!127\.0\.0\.1)""", text)
    assert text.count("<script>") == text.count("<style>") == 1
    policy = page_of(ask.model, ["classify"]).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert SCRIPT in text
    assert STYLE in text


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


def loaded_page(ask, folder, *options):
    """The page as Chromium has it."""
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'browser'}", *options, "--dump-dom"]
    url = f"http://127.0.0.1:{ask.address[1]}/"
    return subprocess.run([*command, url], capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout


def page_with(ask, folder, picture, before="", shows='class="name"'):
    """The same after a user chose that picture, and has the answer. before: what else the user does."""
    service = ask.server._service
    # What a click does; the addition is no part of the page, so that its policy has to go.
    content = service._page.content + CHOOSE.format(base64.b64encode(picture).decode(), before).encode()
    service._page = dataclasses.replace(service._page, content=content, headers={"Content-Security-Policy": ""})
    seen = []

    def answered():
        seen.append(loaded_page(ask, folder, "--virtual-time-budget=100000"))
        return shows in seen[-1]

    until(answered)
    return seen[-1]


@pytest.mark.web
@needs_browser
def test_a_picture_is_tried(serving, tmp_path):
    ask = serving()
    still = loaded_page(ask, tmp_path)
    assert 'class="ready"' in still  # the policy's digest is the script's
    assert f"<span>http://127.0.0.1:{ask.address[1]}</span>/classify" in still
    shown = page_with(ask, tmp_path, file_of(1))
    top = ask.model.classify(file_of(1)).top
    assert re.findall(r'class="name"><span>(.*?)</span>', shown) == [each.label for each in top]
    assert f"<span>{100 * top[0].score:.1f} %</span>" in shown


@pytest.mark.web
@needs_browser
def test_boxes_are_listed_and_drawn(serving, painted, scene, tmp_path):
    shown = page_with(serving(artefact=painted), tmp_path, scene)
    assert re.findall(r'class="name"><span>(.*?)</span>', shown) == ["cherry", "plum"]
    assert '<canvas width="96" height="64"></canvas>' in shown
    marks = re.findall(r'class="marked" style="border-left-color: rgb\((.*?)\)', shown)
    assert [tuple(map(int, each.split(","))) for each in marks] == [class_colour(0), class_colour(1)]


@pytest.mark.web
@needs_browser
def test_a_vector_is_shown(serving, vectors_tflite, tmp_path):
    ask = serving(artefact=vectors_tflite)
    shown = page_with(ask, tmp_path, file_of(1))
    vector = ask.model.embed(file_of(1)).vector
    first = ", ".join(f"{each:.3f}" for each in vector[:4])
    assert f'class="name">32 numbers: {first}, …<' in shown
    code, answer = ask("POST", "/embed?resolution=32", file_of(1))
    assert (code, answer["resolution"], len(answer["vector"])) == (200, 32, 32)


@pytest.mark.web
@needs_browser
def test_a_mask_is_drawn(serving, painted, tmp_path):
    """Each pixel has its class's colour, as `--draw` has it, and lets half of the picture through."""
    picture = io.BytesIO()
    random_picture(3, (90, 130)).save(picture, "PNG")
    ask = serving(artefact=painted)
    shown = page_with(ask, tmp_path, picture.getvalue(), SEGMENT, "colours")
    drawn = json.loads(html.unescape(re.search("<title>(.*?)</title>", shown)[1]))
    assert [tuple(each) for each in drawn["colours"]] == [class_colour(index) for index in range(254)]
    assert drawn["heights"][0] == drawn["heights"][1] > 0  # the canvas covers the picture, however long the list
    expected = ask.model.segment(picture.getvalue()).class_map
    pixels = np.array(drawn["pixels"]).reshape(-1, drawn["width"], 4)
    assert pixels.shape == (*expected.shape, 4)
    assert len(np.unique(expected)) == 3
    assert (pixels[..., 3] == 128).all()
    colours = np.array([class_colour(index) for index in range(3)])
    assert np.abs(pixels[..., :3] - colours[expected]).max() <= 2  # a canvas keeps colours times their strength
    assert "<span>red</span>" in shown
    assert "/segment'</pre>" in shown


def test_each_task_is_there_to_choose(serving, painted):
    text = serving(artefact=painted)("GET", "/")[1]
    assert 'Task <select autocomplete="off"><option>detect</option><option>keypoints</option><option>segment' in text
    assert '<button formaction="/keypoints">Keypoints</button>' in text
    shown = json.loads(html.unescape(re.search('data-tasks="(.*?)"', text)[1]))
    assert [*shown] == ["detect", "keypoints", "segment"]
    assert shown["segment"]["summary"] == "3 classes, one for each pixel: red, green, blue"
    assert [each[0] for each in shown["segment"]["resolutions"]] == ["64x48", "96x64"]


def test_one_task_is_no_choice(serving):
    assert '<label class="task" hidden>' in serving()("GET", "/")[1]
