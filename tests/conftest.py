"""Small real models and artefacts, built once a run, and the way to the real data where it exists."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.cli.main import main
from edgevit.config import ViTConfig
from support.built_once import once
from support.sample_pictures import LABELS, LADDER, pictures_in, random_picture
from support.scheduling import pytest_addoption, pytest_collection_modifyitems, pytest_configure  # noqa: F401

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A job in the background of a shell begins so, and whoever is asked to end by ^C would never hear of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_config() -> ViTConfig:
    """A ViT small enough to convert in a second, with every part that a large one has."""
    return ViTConfig(
        width=32,
        depth=3,
        heads=2,
        classes=4,
        mlp_width=128,
        patch=16,
        base_resolution=64,
        labels=LABELS,
        ladder=LADDER,
        resize="squash",
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_config):
    """Its weights are random, but none is zero or one, so that every fold has something to get wrong."""
    from edgevit.model import build, named_weights

    model = build(tiny_config, seed=7)
    random = np.random.default_rng(7)
    for variable in named_weights(model).values():
        noise = random.normal(0.0, 0.25, variable.shape)
        variable.assign(np.asarray(variable) + noise.astype(np.float32))
    return model


@pytest.fixture(scope="session")
def spoilt(tiny_model):
    """One column of a layer's weights is much the largest, and reads what is always zero: int8 keeps nothing else."""
    from edgevit.model import build, named_weights

    model = build(tiny_model.config, seed=3)
    for name, variable in named_weights(model).items():
        values = np.array(named_weights(tiny_model)[name])
        if name == "block1/expand/kernel":
            values[:, 5] = 0.0
        elif name == "block1/expand/bias":
            values[5] = -60.0  # the GELU leaves nothing of it
        elif name == "block1/contract/kernel":
            values[5] = np.resize([500.0, -500.0], values.shape[1])  # the mean of a row leaves no trace (`fold`)
        variable.assign(values)
    return model


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Path:
    """A folder for what is built once, whichever of the processes that share the tests out is the first to need it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "workshop"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny_keras(tiny_model, workshop) -> Path:
    from edgevit.model import save

    return once(workshop / "tiny.keras", lambda path: save(tiny_model, path))


@pytest.fixture(scope="session")
def artefact(tiny_model, tiny_keras, workshop) -> Callable[..., Path]:
    """The tiny model as an artefact under a recipe: the whole ladder, or one resolution converted alone."""
    from converters import convert
    from converters.quantize.recipes import get_recipe

    def make(recipe: str, resolution: int | None = None) -> Path:
        def converted(path: Path) -> None:
            needs = get_recipe(recipe).needs_calibration
            convert(
                tiny_model,
                path,
                recipe=recipe,
                resolutions=(resolution,) if resolution else (),
                calibration=once(workshop / "calibration", pictures_in) if needs else None,
                source=tiny_keras,
                logits=recipe == "float32",
            )

        return once(workshop / f"tiny-{recipe}{f'-{resolution}' if resolution else ''}.tflite", converted)

    return make


@pytest.fixture(scope="session")
def tiny_tflite(artefact) -> Path:
    """The int8 artefact."""
    return artefact("int8")


@pytest.fixture(scope="session")
def backbone_tflite(tiny_model, workshop) -> Path:
    """An artefact that gives features alone, at two resolutions."""
    from converters import convert

    def converted(path: Path) -> None:
        convert(tiny_model, path, recipe="float32", task="features", resolutions=(32, 64))

    return once(workshop / "backbone.tflite", converted)


@pytest.fixture(scope="session")
def cnn_artefact(workshop) -> Callable[[str], Path]:
    """A small CNN as an artefact under a recipe, with two resolutions; made when first asked for."""
    from converters import convert
    from converters.quantize.recipes import get_recipe
    from support.cnn import tiny_cnn

    def make(recipe: str) -> Path:
        def converted(path: Path) -> None:
            needs = get_recipe(recipe).needs_calibration
            calibration = once(workshop / "calibration", pictures_in) if needs else None
            convert(
                tiny_cnn(), path, recipe=recipe, resolutions=(32, 64), labels=LABELS, calibration=calibration,
                logits=recipe == "float32",
            )  # fmt: skip

        return once(workshop / f"cnn-{recipe}.tflite", converted)

    return make


@pytest.fixture
def without_xla(request, monkeypatch) -> None:
    """XLA takes 8 s to compile a step: where that is not what a test is about, TensorFlow runs the same graph itself.

    Tests that ask for `with_xla` keep it.
    """
    if "with_xla" not in request.fixturenames:
        from edgevit.training.learner import Learner

        monkeypatch.setattr(Learner, "_jit", False)


@pytest.fixture
def with_xla() -> None:
    """Its steps are compiled as a user's are."""


@pytest.fixture
def eagerly() -> Iterator[None]:
    """To trace a step takes seconds, for each size of picture anew: for what surrounds a few steps, op by op is faster.

    What steps do in a graph is for tests without this.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def shallow(monkeypatch) -> str:
    """A variant by name that is traced and converted in a third of vit-nano's time: two blocks."""
    from edgevit.variants import VARIANTS

    monkeypatch.setitem(VARIANTS, "vit-shallow", replace(VARIANTS["vit-nano"], width=32, depth=2))
    return "vit-shallow"


@pytest.fixture
def class_folder(tmp_path) -> Path:
    """A folder of class folders with three pictures each, named as the tiny model's labels."""
    for number, label in enumerate(LABELS):
        folder = tmp_path / "pictures" / label
        folder.mkdir(parents=True)
        for index in range(3):
            random_picture(10 * number + index).save(folder / f"{index}.jpg", quality=95)
    return tmp_path / "pictures"


@pytest.fixture
def run(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs `edgevit …` in this process: (exit code, standard output, standard error)."""

    def call(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real weights and pictures: $EDGEVIT_DATA, or shared/data beside the project."""
    named = os.environ.get("EDGEVIT_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "deit_tiny").is_dir():
        pytest.skip(f"no real data: neither $EDGEVIT_DATA nor {folder} holds deit_tiny/")
    return folder


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of small inputs that failed once: $EDGEVIT_CASES, or cases/ beside the real data."""
    data = os.environ.get("EDGEVIT_DATA")
    beside = Path(data).parent if data else Path(__file__).resolve().parents[2] / "shared"
    named = os.environ.get("EDGEVIT_CASES")
    folder = Path(named) if named else beside / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases: neither $EDGEVIT_CASES nor {folder} is a folder")
    return folder


@pytest.fixture(scope="session")
def deit(real_data):
    """DeiT-Tiny with its real weights."""
    from edgevit.checkpoints import import_checkpoint
    from edgevit.data.labels import read_labels

    (file,) = (real_data / "deit_tiny").glob("*.safetensors")
    return import_checkpoint(file, "deit-tiny", labels=read_labels(real_data / "imagenet_classes.txt"))


@pytest.fixture(scope="session")
def deit_artefact(deit, real_data, workshop) -> Callable[..., Path]:
    """An artefact of it, made when first asked for."""
    from converters import convert
    from converters.quantize.calibration import calibration_files
    from converters.quantize.recipes import get_recipe

    def some_pictures(folder: Path) -> None:
        folder.mkdir()
        for each in calibration_files(real_data / "imagenet_calibration", 16):
            (folder / each.name).symlink_to(each)

    def call(recipe: str, resolutions: tuple[int, ...], logits: bool = False) -> Path:
        def converted(path: Path) -> None:
            needs = get_recipe(recipe).needs_calibration
            calibration = once(workshop / "imagenet-calibration", some_pictures) if needs else None
            convert(deit, path, recipe=recipe, resolutions=resolutions, calibration=calibration, logits=logits)

        span = "-".join(map(str, resolutions))
        return once(workshop / f"deit-{recipe}-{span}{'-logits' if logits else ''}.tflite", converted)

    return call
