"""The page at `/`: try a picture, in any browser, with nothing from elsewhere.

Its one style and one script are named by their digests in its Content-Security-Policy, so that nothing else runs there,
whatever an artefact's labels say; they are shown as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from html import escape
from string import Template
from typing import Any

from edgevit_runtime.model import Model
from edgevit_runtime.serve.page_script import SCRIPT
from edgevit_runtime.serve.response import Response

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b2027; --muted: #5a6572; --card: #f3f5f8; --rule: #d4dae1;
  --mark: #0b6bcb; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e7ebf0; --muted: #9aa6b2; --card: #1d232a;
  --rule: #39424d; --mark: #6cb2ff; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p { margin: .3rem 0 1.2rem; }
.muted { color: var(--muted); }
form { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); }
.drop { display: grid; place-content: center; gap: .6rem; min-height: 8rem; padding: 1.25rem;
  position: relative; text-align: center; cursor: pointer;
  border: 2px dashed var(--rule); border-radius: 12px; background: var(--card); }
.drop:hover, .drop:focus-within, .drop.over { border-color: var(--mark); }
.drop strong { color: var(--mark); }
input[type=file] { max-width: 100%; font: inherit; }
.ready input[type=file] { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer; }
.ready button, form:not(.ready) .task { display: none; }
.choices { display: flex; flex-wrap: wrap; gap: .8rem 1.5rem; align-items: center; }
select, button { font: inherit; color: inherit; padding: .45rem .8rem; border-radius: 8px;
  border: 1px solid var(--rule); background: var(--paper); }
button { border-color: var(--mark); background: var(--mark); color: var(--paper); font-weight: 600; cursor: pointer; }
.answer { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1.5rem; margin-top: 1.5rem;
  align-items: start; }
.answer[hidden] { display: none; }
.answer figure { position: relative; margin: 0; }
.answer img { display: block; width: 100%; max-height: 24rem; object-fit: contain; border-radius: 8px;
  background: var(--card); }
canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
ol { list-style: none; margin: 0; padding: 0; }
li { margin: 0 0 .7rem; }
li.marked { border-left: .4rem solid; padding-left: .7rem; border-radius: 4px; }
.answer p { margin-top: 0; }
.name { display: flex; justify-content: space-between; gap: 1rem; font-variant-numeric: tabular-nums; }
.name span:first-child { overflow-wrap: anywhere; }
li:first-child .name { font-weight: 700; font-size: 1.1rem; }
meter { display: block; width: 100%; height: .8rem; }
.bad { color: var(--bad); font-weight: 600; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .8rem 1rem; border-radius: 8px; background: var(--card); font-size: .9rem; }
@media (max-width: 40rem) { .answer { grid-template-columns: 1fr; } }
"""

PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$name: try a picture</title>
<style>$style</style>
<h1>$name</h1>
<p class="muted">$summary</p>
<form method="post" action="/$task" enctype="multipart/form-data" data-tasks="$tasks">
  <label class="drop"><span><strong>Choose a picture</strong>, take one, or drop one here</span>
    <input type="file" name="file" accept="image/*" required></label>
  <div class="choices"><label class="task"$alone>Task <select autocomplete="off">$names</select></label>
    <label>Resolution <select name="resolution" autocomplete="off">$options</select></label>
    $buttons</div>
</form>
<section class="answer" aria-live="polite" hidden>
  <figure><img alt=""><canvas></canvas></figure><div><p class="muted"></p><ol></ol></div></section>
<h2>From the command line</h2>
<pre>curl --data-binary @picture.jpg '<span>http://127.0.0.1:8400</span>/$task$query'</pre>
<p class="muted">The picture goes to this server and nowhere else, and is not kept.</p>
<script>$script</script>
</html>
"""
)


def page_of(model: Model, tasks: Sequence[str]) -> Response:
    """The page for these tasks, of which the first is shown first; made once."""
    shown, first = {name: _shown(model, name) for name in tasks}, tasks[0]
    options = (
        f'<option value="{value}"{" selected" if chosen else ""}>{text}</option>'
        for value, text, chosen in shown[first]["resolutions"]
    )
    buttons = [f"<button>{first.capitalize()}</button>"]
    buttons += [f'<button formaction="/{name}">{name.capitalize()}</button>' for name in tasks[1:]]
    content = PAGE.substitute(
        name=escape(os.path.basename(model.path)),
        summary=escape(shown[first]["summary"]),
        task=first,
        tasks=escape(json.dumps(shown)),
        alone=" hidden" if len(tasks) == 1 else "",
        names="".join(f"<option>{name}</option>" for name in tasks),
        buttons="".join(buttons),
        query=shown[first]["query"],
        options="".join(options),
        style=STYLE,
        script=SCRIPT,
    )
    policy = (
        f"default-src 'none'; style-src '{_digest(STYLE)}'; script-src '{_digest(SCRIPT)}'; img-src blob: data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return Response(200, content.encode(), "text/html; charset=utf-8", headers)


def _shown(model: Model, name: str) -> dict[str, Any]:
    """What the page says of one task; of each resolution its value, its text, and whether it is chosen at first."""
    task, ladder = model.manifest.tasks[name], model.manifest.ladder(name)
    default = model.manifest.default_resolution if model.manifest.default_resolution in ladder else ladder[-1]
    free = model.budget_ms is None
    return {
        "summary": task.summary.replace("  ", ": "),
        "scores": getattr(task, "scores", "softmax"),
        "query": "?top=3" if name == "classify" else "",
        "resolutions": [
            *([] if free else [("", "as fine as the budget allows", True)]),
            *((str(each), f"{each} px", free and each == default) for each in ladder),
        ],
    }


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
