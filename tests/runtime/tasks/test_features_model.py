"""`Model.features` and `features_many`: named arrays with their grid."""

import numpy as np
import pytest

from edgevit_runtime import EdgeViTError, Model, PictureError, PictureFeatures
from support.sample_pictures import LABELS, pictures_in, random_picture


def test_two_tasks_in_one_model(features_artefact):
    with Model(features_artefact, weight_cache=False) as model:
        assert model.tasks == ("classify", "features")
        assert model.labels == LABELS
        assert list(map(str, model.resolutions)) == ["32", "96x48"]
        assert repr(model).endswith(": custom, float32; classify, features; at 32, 96x48)")
        found = model.features(random_picture(1), "96x48")
        assert model.classify(random_picture(1), "96x48").top[0].label in LABELS
    assert found.grid == (3, 6)
    assert found.patch_tokens.shape == (3, 6, 32)
    assert found["attention"].shape == (2, 3, 6)
    np.testing.assert_allclose(found["patch_mean"], found.patch_tokens.mean(axis=(0, 1)), atol=1e-5)
    with pytest.raises(EdgeViTError, match=r"the artefact puts out no 'patches' .it has .*patch_tokens"):
        _ = found["patches"]


def test_many_of_a_list_and_of_a_folder(features_artefact, tmp_path):
    folder = pictures_in(tmp_path / "pics", 3)
    (folder / "1.png").write_bytes(b"no picture")
    with Model(features_artefact, weight_cache=False) as model:
        found = list(model.features_many(str(folder), 32))
        expected = model.features(folder / "2.png", 32)
        listed = list(model.features_many([random_picture(2), "none.png"], 32))
        with pytest.raises(PictureError, match="not one ndarray: put it in a list"):
            model.features_many(np.asarray(random_picture(2)))
    assert [type(each) for each in found] == [PictureFeatures, PictureError, PictureFeatures]
    np.testing.assert_array_equal(found[2].patch_tokens, expected.patch_tokens)
    np.testing.assert_array_equal(listed[0].class_token, expected.class_token)
    assert isinstance(listed[1], PictureError)


def test_a_model_without_the_task(tiny_tflite):
    with Model(tiny_tflite, weight_cache=False) as model:
        for call in (model.features, model.features_many):
            with pytest.raises(EdgeViTError, match=r"has no task features .*--task classify,features"):
                call([random_picture(1)])
