"""Reading a `.keras` file with any model, ours or another: bounded, and what it lacks or is instead named.

A file is untrusted: what its config demands has to be borne out by the weights that it brings.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
from keras.src.backend.common import global_state

from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, ModelError, ResolutionError
from edgevit.image_text_config import ImageTextConfig
from edgevit.saved_keras import OUR_IMAGE_TEXT, OUR_VIT, opened_weights, read_saved
from edgevit.untrusted_files import check_unpacked

__all__ = ["compiled_loss", "first_line", "import_modules", "objects", "read_keras"]

COMPILED = "_edgevit_compile_config"
PACKAGES = {"keras_hub": "pip install 'edgevit[keras-hub]'"}
"""How to get the packages whose layers a `.keras` file may name; others by `pip install`."""
KERAS_PACKAGES = ("keras", "keras_hub", "keras_cv", "keras_nlp", "tf_keras")
"""Whose modules Keras imports by itself."""
OURS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    OUR_VIT: ("vit", ViTConfig.from_dict, "ViT"),
    OUR_IMAGE_TEXT: ("image_text", ImageTextConfig.from_dict, "image-text model"),
}
"""Our models: where in their config what decides their weights' number is, and what reads it."""
NOTHING = ("", "builtins", "__main__")
"""Modules that no other program can import."""


def import_modules(names: Iterable[str]) -> tuple[ModuleType, ...]:
    """The Python modules that have a model's own layers: `my_layers`, or a file, `layers.py`.

    They run as code of the user's. Raises `ConfigError` for one that cannot be imported.
    """
    found = []
    for name in names:
        try:
            if name.endswith(".py"):
                found.append(_module_of_file(Path(name)))
            else:
                if "" not in sys.path:
                    sys.path.insert(0, "")  # where the user stands, as for `python -m`
                found.append(importlib.import_module(name))
        except Exception as error:  # whatever that module raises
            raise ConfigError(f"--import {name}: {first_line(error)}") from error
    return tuple(found)


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError("no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def compiled_loss(model: keras.Model) -> str | None:
    """The name of the loss that a model was compiled with, `mse`; None where there is none, or several."""
    told = getattr(model, "loss", None) or (getattr(model, COMPILED, None) or {}).get("loss")
    if isinstance(told, dict):
        told = told.get("class_name") if told.get("class_name") != "function" else told.get("config")
    if told is None or isinstance(told, str):
        return told
    name = getattr(told, "__name__", None) or type(told).__name__
    return None if isinstance(told, list | tuple) else str(name)


def read_keras(path: str | Path, modules: Sequence[ModuleType] = ()) -> keras.Model:
    """Reads a `.keras` file with any model whose layers can be found. Raises `ModelError`.

    modules: the user's, with layers that are not Keras's own (`import_modules`).
    """
    path = Path(path)
    config, saved_by = read_saved(path)
    with opened_weights(path):
        pass  # what cannot be read, or is larger than it may be, shows now
    custom = _custom_objects(path, config, modules)
    _check_demand(path, config, custom)
    try:
        with _unheard(), keras.saving.custom_object_scope(custom):
            model = keras.saving.load_model(path, compile=False)
    except (ConfigError, ResolutionError) as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # Keras raises whatever the damage meets first
        if _version(saved_by) > _version(keras.__version__):
            raise ModelError(
                f"{path} was saved by Keras {saved_by}, and this is {keras.__version__}, which does not read it: "
                f"pip install 'keras>={saved_by}' ({first_line(error)})"
            ) from error
        raise ModelError(f"{path} is damaged or is not a Keras model: {first_line(error)}") from error
    # It is not compiled, for its optimizer and metrics may be anybody's; its loss tells what a linear head gives.
    object.__setattr__(model, COMPILED, config.get("compile_config"))
    return model


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", text)[:3])


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every Keras object in a config, outermost first."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if isinstance(each.get("class_name"), str):
                yield each
            waiting.extend(reversed(list(each.values())))
        elif isinstance(each, list):
            waiting.extend(reversed(each))


def _custom_objects(path: Path, config: Mapping[str, Any], modules: Sequence[ModuleType]) -> dict[str, Any]:
    """What the user's modules have of the layers in a config, by the names that Keras looks for.

    Raises `ModelError` that names the package or the layers that are lacking, before Keras stumbles.
    """
    found: dict[str, Any] = {}
    lacking: dict[str, str] = {}
    for each in objects(config):
        kind, module = each["class_name"], str(each.get("module") or "")
        name = each.get("config") if kind == "function" else kind
        if kind == "Lambda":
            raise ModelError(
                f"{path} has a Lambda layer: Python code in the file, which edgevit does not run; "
                "write it with Keras's own layers and save the model again"
            )
        registered = str(each.get("registered_name") or name)
        package = module.partition(".")[0]
        known = keras.saving.get_registered_object(name if kind == "function" else registered)
        if not isinstance(name, str) or known is not None:
            continue
        if package in KERAS_PACKAGES or (kind == "function" and module == "builtins"):
            if package in PACKAGES and importlib.util.find_spec(package) is None:
                raise ModelError(
                    f"{path} needs the Python package {package}, which is not installed: {PACKAGES[package]}"
                )
            continue
        if not module and ">" not in registered:
            continue  # Keras's own, as old files have them, or no layer at all
        brought = next((vars(one)[name] for one in modules if name in vars(one)), None)
        if brought is not None:
            found[registered] = found[name] = brought
        else:
            lacking.setdefault(name, "" if package in NOTHING else module)
    if lacking:
        raise ModelError(_lacking(path, lacking, bool(modules)))
    return found


def _lacking(path: Path, names: Mapping[str, str], asked: bool) -> str:
    """names: each layer, and the module that it says it is in."""
    listed = ", ".join(f"{name} (of {module})" if module else name for name, module in names.items())
    where = next((module for module in names.values() if module), "")
    package = where.partition(".")[0]
    if asked:
        how = "the modules that --import names do not have them"
    elif package and importlib.util.find_spec(package) is None:
        how = f"needs the Python package {package}, which is not installed: pip install the package that has "
        how += f"{next(iter(names))}, or say where it is with --import FILE.py"
        return f"{path} {how}"
    else:
        how = f"say which Python module has them: --import {where or 'MODULE'} (or a file, --import layers.py)"
    return f"{path} has layers that are not Keras's own: {listed}; {how}"


def _check_demand(path: Path, config: Mapping[str, Any], custom: Mapping[str, Any]) -> None:
    """Raises `ModelError` where a config asks for far more weights than the file could hold, before they are made."""
    if (registered := str(config.get("registered_name"))) in OURS:
        key, read, what = OURS[registered]
        try:
            numbers = read(config["config"][key]).weights_at_least
        except (ConfigError, ResolutionError) as error:
            raise ModelError(f"{path}: {error}") from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"{path} is damaged: its config is no {what}'s ({first_line(error)})") from error
        check_unpacked(path, 4 * numbers, ModelError)
        return
    try:
        # Within, weights have shapes and no numbers: nothing is allocated.
        with _unheard(), keras.saving.custom_object_scope(custom), _nothing_allocated():
            model = keras.saving.deserialize_keras_object(dict(config))
        numbers = sum(_size(each.shape) for each in model.weights)
    except Exception:  # some layers want numbers at once; what is wrong shows when it is loaded
        return
    check_unpacked(path, 2 * numbers, ModelError)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for side in shape:
        size *= int(side)
    return size


@contextmanager
def _nothing_allocated() -> Iterator[None]:
    """Variables made within get no numbers: neither here nor, as Keras means it, at the end of anybody's next scope."""
    waiting = "uninitialized_variables"
    before = global_state.get_global_attribute(waiting)
    global_state.set_global_attribute(waiting, [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(waiting, before)


@contextmanager
def _unheard() -> Iterator[None]:
    """Keras's and TensorFlow's warnings about a file are for who wrote it."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def first_line(error: BaseException) -> str:
    """What an error of Keras says first, or its kind where it says nothing; without the pages of configs behind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return first.partition(" Full object config:")[0][:400]
