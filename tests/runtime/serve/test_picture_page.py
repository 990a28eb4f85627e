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
    policy = page_of(ask.model).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert SCRIPT in text
    assert STYLE in text


@pytest.mark.web
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_a_picture_is_tried(serving, tmp_path):
    ask = serving()
    service = ask.server._service
    url = f"http://127.0.0.1:{ask.address[1]}"

    def dom(*options):
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", *options, "--dump-dom", f"{url}/"]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout

    still = dom()
    assert 'class="ready"' in still  # the policy's digest is the script's
    assert f"<span>{url}</span>/classify" in still
    # What a user's click does; the addition is no part of the page, so that its policy has to go.
    content = service._page.content + CHOOSE.format(base64.b64encode(file_of(1)).decode()).encode()
    service._page = dataclasses.replace(service._page, content=content, headers={"Content-Security-Policy": ""})
    seen = []

    def answered():
        seen.append(dom("--virtual-time-budget=100000"))
        return 'class="name"' in seen[-1]

    until(answered)
    top = ask.model.classify(file_of(1)).top
    assert re.findall(r'class="name"><span>(.*?)</span>', seen[-1]) == [each.label for each in top]
    assert f"<span>{100 * top[0].score:.1f} %</span>" in seen[-1]
