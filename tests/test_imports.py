"""Imports point one way, and the light commands stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What each part may import besides itself. Everything may use edgevit_runtime and these.
BASE = {"accuracy", "config", "variants", "errors", "files", "documents", "text_files"}
BASE |= {"activation_ranges", "dense_head", "mask_accuracy", "pixels", "foreign_config", "untrusted_files", "version"}
BASE |= {"text_config", "text_tokens", "image_text_config", "saved_keras"}
BASE |= {"retrieval", "skipped_pictures", "box_accuracy", "point_accuracy", "merged_config", "subject_crops"}
BASE |= {"patch_grid", "model_choices", "model_checks"}
MAY_IMPORT = {
    "config": {"errors", "dense_head", "patch_grid", "model_choices", "model_checks"},
    "model_checks": {"errors", "model_choices"},
    "patch_grid": {"errors"},
    "model_choices": {"errors"},
    "dense_head": {"errors"},
    "mask_accuracy": set(),
    "box_accuracy": set(),
    "point_accuracy": set(),
    "subject_crops": set(),
    "dense_evaluation": {"predictors", "tasks", "data", "picture_record", "truths", "worst_pictures"}
    | {"dense_pictures", "run_pictures"},
    "truths": {"tasks", "data"},
    "dense_pictures": {"tasks", "data", "truths", "run_pictures"},
    "worst_pictures": {"tasks"},
    "run_pictures": set(),
    "judged_task": {"data", "run_pictures"},
    "variants": {"config", "errors"},
    "text_config": {"errors", "model_choices"},
    "image_text_config": {"config", "errors", "text_config", "untrusted_files"},
    "saved_keras": {"errors", "untrusted_files"},
    "text_tokens": {"errors", "text_config"},
    "text_vectors": {"model_inspection", "text_tokens"},
    "zero_shot": {"text_vectors", "model"},
    "errors": set(),
    "activation_ranges": {"errors"},
    "foreign_config": {"config", "errors"},
    "merged_config": {"config", "dense_head", "errors"},
    "pixels": {"config", "errors"},
    "files": {"errors"},
    "documents": {"errors", "text_files"},
    "text_files": {"errors"},
    "untrusted_files": {"errors"},
    "skipped_pictures": {"errors"},
    "version": set(),
    "quiet_keras": set(),
    "accuracy": set(),
    "retrieval": set(),
    "model": set(),
    "data": set(),
    "checkpoints": {"model"},
    "devices": set(),
    "latency": {"devices", "statistics", "picture_record"},
    "training": {"model", "data", "checkpoints"},
    "tasks": {"model", "statistics"},
    "predictors": {"model", "tasks"},
    "converters": {"tasks", "model", "data", "checkpoints", "latency", "statistics", "truths", "dense_pictures"}
    | {"run_pictures", "judged_task"},
    "model_inspection": set(),
    "statistics": set(),
    "picture_record": {"statistics"},
    "mistakes": set(),
    "shown_pictures": {"data", "mistakes", "picture_record", "predictors", "tasks"},
    "evaluation": {"predictors", "tasks", "data", "shown_pictures", "dense_evaluation", "truths"}
    | {"judged_task", "run_pictures"},
    "report": {"latency", "statistics", "tasks", "picture_record"},
    "api": {"report", "latency", "devices", "training", "converters", "checkpoints", "data", "model", "evaluation"}
    | {"model_inspection", "tasks", "quiet_keras", "zero_shot", "text_vectors"},
    # What a command shows is made of what the api hands it; deploy and synthetic are one call each.
    "cli": {"api", "report", "latency", "tasks", "devices", "data", "quiet_keras"},
}


def modules():
    for package in ("edgevit", "converters"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield path, [part for part in parts if part != "__init__"]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "edgevit")


def import_graph(*packages):
    """Module -> the modules of these packages that it imports, wherever: in functions and for type checkers, too."""
    found = {}
    for folder in packages:
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    graph = {}
    for name, path in found.items():
        wanted = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):  # of a package a module, or what the package itself says
                whole = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= {each if each in found else node.module for each in whole.values()}
        graph[name] = (wanted & set(found)) - {name}
    return graph


def circles(graph):
    """The sets of modules that all reach each other: strongly connected components of more than one."""

    def reached(start):
        seen, waiting = set(), [start]
        while waiting:
            for other in graph[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        return seen

    behind = {name: reached(name) for name in graph}
    return {frozenset(other for other in behind[name] if name in behind[other]) for name in graph} - {frozenset()}


RUNTIME = ROOT / "runtimes" / "python" / "edgevit_runtime"
ROOMS = ("graph", "quantize", "artefact", "search")
"""Of the converters: each may import those before it."""


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert circles(graph) == {frozenset({"b", "c"})}


@pytest.mark.parametrize("folder", [RUNTIME, ROOT / "converters", ROOT / "edgevit"], ids=lambda folder: folder.name)
def test_no_circle(folder):
    graph = import_graph(folder)
    assert sum(map(len, graph.values())) > len(graph) / 2  # it does see imports
    assert [sorted(circle) for circle in circles(graph)] == []


def test_rooms_of_the_converters_are_in_order():
    wrong = []
    for name, others in import_graph(ROOT / "converters").items():
        room = name.split(".")[1] if name.count(".") > 1 else None
        for other in others:
            theirs = other.split(".")[1] if other.count(".") > 1 else None
            if room in ROOMS and theirs in ROOMS and ROOMS.index(theirs) > ROOMS.index(room):
                wrong.append(f"{name} imports {other}")
    assert not wrong
    assert {path.name for path in (ROOT / "converters").iterdir() if (path / "__init__.py").exists()} == set(ROOMS)


def part_of(name):
    """`converters.artefact.ladder` -> `converters`, `edgevit.model.vit` -> `model`; None for what is not ours."""
    words = name.split(".")
    if words[0] == "converters":
        return "converters"
    return words[1] if words[0] == "edgevit" and len(words) > 1 and words[1] in MAY_IMPORT else None


def test_imports_point_one_way():
    wrong = []
    for path, parts in modules():
        own = part_of(".".join(parts))
        if own is None:
            continue  # edgevit/__init__.py
        for name in imported(path):
            other = part_of(name)
            base = BASE if own not in BASE else set()
            if other and other != own and other not in MAY_IMPORT[own] | base:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_every_part_has_a_rule():
    top = {
        path.stem for path in (ROOT / "edgevit").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert top - {"__init__", "__main__"} <= set(MAY_IMPORT) - {"converters"}


def test_the_runtime_uses_nothing_of_the_host():
    heavy = {"tensorflow", "keras", "edgevit", "click", "rich", "matplotlib", "scipy"}
    for path in (ROOT / "runtimes" / "python" / "edgevit_runtime").rglob("*.py"):
        found = {name.split(".")[0] for name in imported(path)} & heavy
        # The last backend is a TensorFlow that is there anyway; `test_light_modules` holds that nothing loads it.
        assert found <= ({"tensorflow"} if path.name == "interpreters.py" else set()), path


def fresh(code):
    """Runs code in a new interpreter: its standard output."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "module",
    [
        "edgevit",
        "edgevit.cli.main",
        "edgevit.cli.profile",
        "edgevit.cli.report",
        "edgevit.cli.inspect",
        "edgevit.api.train",
        "edgevit.api.convert",
        "edgevit.api.evaluate",
        "edgevit_runtime",
        "edgevit_runtime.engines.interpreters",
        "edgevit_runtime.model",
    ],
)
def test_light_modules_load_nothing_heavy(module):
    code = f"import {module}, sys; print(*sorted({{'tensorflow', 'keras', 'scipy', 'matplotlib'}} & set(sys.modules)))"
    assert fresh(code).strip() == ""


def test_help_without_tensorflow():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "edgevit", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Compile a Vision Transformer once" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & {"tensorflow", "keras", "rich", "scipy", "matplotlib", "ai_edge_litert"}


def test_help_of_every_command():
    from edgevit.cli.main import COMMANDS

    whole = fresh("from edgevit.cli import main; main(['--help'])")
    for name, (_, line) in COMMANDS.items():
        assert name in whole
        assert line.split(":")[0][:30] in whole
