"""The page at `/` in headless Chromium: its policy lets its own script run, which asks this server about a picture."""

import base64
import dataclasses
import re
import shutil
import subprocess

import pytest

from edgevit_runtime.serve.picture_page import SCRIPT, STYLE, page_of
from support.serving import file_of
from support.waiting import LIMIT_S, until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
CHOOSE = """<script>
  const chosen = new DataTransfer(), bytes = Uint8Array.from(atob("{}"), (each) => each.charCodeAt(0));
  chosen.items.add(new File([bytes], "chosen.png", {{ type: "image/png" }}));
  file.files = chosen.files;
  form.dispatchEvent(new Event("change"));
</script>"""


def test_it_names_nothing_from_elsewhere(serving):
    ask = serving()
    code, text = ask("GET", "/")
    assert code == 200
    assert not re.findall(r"""(?:src|href)="(?!data:,")|url\(|@import|https?://(?!127\.0\.0\.1)""", text)
    assert text.count("<script>") == text.count("<style>") == 1
    policy = page_of(ask.model, "classify").headers["Content-Security-Policy"]
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


def page_with(ask, folder, picture):
    """The same after a user chose that picture, and has the answer."""
    service = ask.server._service
    # What a click does; the addition is no part of the page, so that its policy has to go.
    content = service._page.content + CHOOSE.format(base64.b64encode(picture).decode()).encode()
    service._page = dataclasses.replace(service._page, content=content, headers={"Content-Security-Policy": ""})
    seen = []

    def answered():
        seen.append(loaded_page(ask, folder, "--virtual-time-budget=100000"))
        return 'class="name"' in seen[-1]

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
