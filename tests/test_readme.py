"""What README.md claims comes from benchmarks/results, and what it tells to type exists."""

import itertools
import json
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

from converters.quantize.recipes import RECIPES
from edgevit.cli.main import COMMANDS, _group
from edgevit_runtime.cli import main as on_device
from support.sample_pictures import LABELS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_results():
    command = [sys.executable, ROOT / "benchmarks" / "tables.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_commands_and_options_exist():
    pages = README + "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
    lines = [line.strip() for line in pages.splitlines() if re.match(r"    edgevit [a-z]", line)]
    typed = [line.split("#")[0].split() for line in lines if "->" not in line]
    assert len(typed) >= 5
    for words in typed:
        assert words[1] in COMMANDS, words
        parameters = _group.get_command(None, words[1]).params
        known = {name for option in parameters for name in (*option.opts, *option.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known, words


def test_commands_of_the_device_exist():
    """Each line can be typed; and the first page shows how an artefact answers on the device, in all three ways."""
    others = [ROOT / "runtimes/python/README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = {}
    for page in (ROOT / "README.md", *others):
        lines = re.findall(r"^    edgevit-run ([a-z].*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        shown[page.name, page.parent] = [shlex.split(line, comments=True) for line in lines]
    for words in itertools.chain.from_iterable(shown.values()):
        on_device._parse(words)
    assert {"classify", "watch", "serve"} <= {words[0] for words in shown["README.md", ROOT]}


def test_the_python_lines_run(tiny_keras, class_folder, tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"In Python, [^:]*:\n\n((?:(?: {4}.*)?\n)+)", README)
    code = textwrap.dedent(block)
    assert code.count("edgevit.") >= 3
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("deit.keras").symlink_to(tiny_keras)
    Path("val").symlink_to(class_folder)
    Path("rose.jpg").symlink_to(class_folder / LABELS[0] / "0.jpg")
    names = {}
    exec(code, names)
    assert [each["resolution"] for each in names["document"]["against"]["results"]] == [128, 160, "320x192"]
    assert names["tokens"].shape == (12, 20, 32)
    assert len(names["several"]) == 12
    accuracies, label = capsys.readouterr().out.splitlines()
    assert accuracies.count(",") == 2
    assert label in LABELS


def test_pictures_exist():
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_what_the_recipes_say_was_measured():
    rows = {row["recipe"]: row for row in json.loads((ROOT / "benchmarks/results/recipes.json").read_text())["rows"]}
    known = {name: recipe.measured for name, recipe in RECIPES.items() if recipe.measured is not None}
    assert {"float32", "float16", "int8"} <= set(known)
    for name, measured in known.items():
        row = rows[name]
        assert measured.size_mb == round(row["size_bytes"] / 1e6, 1), name
        timed = row["timed"].get("avx512_vnni", {}).get("times_faster_than_float32")
        assert measured.times_faster == (timed and round(timed, 2)), name
        assert measured.top1 == round(row["top1"], 4), name
        assert measured.agreement == round(row["agreement_with_float"], 4), name


def test_recipes_are_listed(run):
    code, out, _ = run("recipes", "--json")
    assert code == 0
    assert [each["name"] for each in json.loads(out)["recipes"]] == list(RECIPES)
    code, out, _ = run("recipes", "int8-attention")
    assert (code, out.count("2.47")) == (0, 1)
    assert "int8-attention: for CPUs with int8 dot products, as `int8`" in out
    assert "BATCH_MATMUL at products: int8-static activations (the softmax behind forgives much" in out
    assert "RESHAPE at qkv, queries: int8-static activations (" in out  # what has no weights has none in int8
    assert "FULLY_CONNECTED: int8 weights, int8-static activations (" in out
    assert "one thread of an x86-64 CPU with AVX512-VNNI" in out
    assert "float16" not in out
    code, _, err = run("recipes", "int8-atention")
    assert (code, "unknown recipe 'int8-atention'; did you mean 'int8-attention'?" in err) == (1, True)
    code, out, _ = run("recipes")
    assert code == 0
    for recipe in RECIPES.values():
        assert f"{recipe.name}: for {recipe.hardware}" in out
        for rule in recipe.rules:
            assert rule.why in out
