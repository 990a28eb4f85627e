"""One word, one meaning: no second class, alias or file of the same name for another thing."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "edgevit", ROOT / "converters", ROOT / "runtimes" / "python" / "edgevit_runtime")

# Rooms whose files stand for the same thing, seen from several sides: what a task or an attention kind is to the host,
# to the graph, to training and to the runtime. A file there has the name that its counterpart has.
MIRRORED = {"tasks", "heads", "attention", "lessons"}

OF_COMMANDS = {ROOT / "edgevit" / "cli", ROOT / "edgevit" / "api"}

# Files that have a name twice because they are the same thing on two sides, and what it is.
SAME_THING = {
    "__main__": "python -m",
    "main": "the command line's entry",
    "version": "of each of the two packages",
    "errors": "the error tree, whose root is the runtime's",
    "positions": "learned positions: the Keras layer, and the graph's",
    "attention_pooling": "what stands for a picture by attention: the Keras layer, and the graph's",
    "profile": "the document edgevit.profile: the runtime writes it, the host reads it",
    "classify": "the task",
    "features": "the task",
    "task": "the protocol of tasks",
}


def sources():
    for package in PACKAGES:
        yield from sorted(package.rglob("*.py"))


def definitions():
    """Name -> {file: what it is}: classes, and types that have a name (`Array = ...`)."""
    found = defaultdict(dict)
    for path in sources():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name][path] = "class"
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name[0].isupper() and not name.isupper() and "_" not in name:
                    found[name][path] = ast.unparse(node.value)
    return found


def is_mirrored(paths):
    return all(path.parent.name in MIRRORED for path in paths) and len({path.name for path in paths}) == 1


def test_classes_and_types():
    twice = {}
    for name, places in definitions().items():
        same_alias = len(set(places.values())) == 1 and "class" not in places.values()
        if len(places) > 1 and not same_alias and not is_mirrored(places):
            twice[name] = [str(path.relative_to(ROOT)) for path in places]
    assert not twice


def test_files():
    found = defaultdict(list)
    for path in sources():
        # The file of a command, and of its function, has the name of what comes out of it.
        if path.stem != "__init__" and path.parent not in OF_COMMANDS:
            found[path.stem].append(path)
    twice = {
        stem: [str(path.relative_to(ROOT)) for path in paths]
        for stem, paths in found.items()
        if len(paths) > 1 and stem not in SAME_THING and not is_mirrored(paths)
    }
    assert not twice
