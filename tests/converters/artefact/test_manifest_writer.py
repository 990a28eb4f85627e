"""What the manifest says that nobody chose."""

import pytest

from converters.artefact.manifest_writer import default_resolution
from edgevit.dense_head import DenseHead
from edgevit_runtime.resolution import as_resolutions

HEAD = (DenseHead("detect", 2),)


@pytest.mark.parametrize(
    ("heads", "trained", "held", "expected"),
    [
        ((), (), (96, 224, 384), "224"),
        ((), (96, 384), (96, 256, 384), "256"),  # a classifier's own is the grid of its positions
        (HEAD, ("256x192", "448x336"), ("256x192", "448x336"), "448x336"),
        (HEAD, ("256x192", "448x336"), ("224x160", "384x288", "640x480"), "384x288"),
        (HEAD, (), (96, 224, 384), "224"),
    ],
)
def test_the_default_resolution(tiny_config, heads, trained, held, expected):
    config = tiny_config.with_(dense_heads=heads, ladder=as_resolutions(trained), base_resolution=224)
    assert str(default_resolution(config, as_resolutions(held))) == expected
