"""One way to write a file whole, for the runtime and the host."""

import os

import pytest

from edgevit_runtime import EdgeViTError
from edgevit_runtime.atomic_write import beside, check_writable, is_partial, replacing


def test_what_is_made_takes_the_place(tmp_path):
    place = tmp_path / "a.json"
    place.write_text("before")
    with replacing(place) as partial:
        assert os.path.dirname(partial) == str(tmp_path)
        assert partial.endswith(".json")
        assert is_partial(os.path.basename(partial))
        with open(partial, "w", encoding="utf-8") as file:
            file.write("after")
        assert place.read_text() == "before"
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.json", "after")]


@pytest.mark.parametrize("makes", [True, False], ids=["half of it", "nothing"])
def test_a_failure_leaves_what_was_there(tmp_path, makes):
    place = tmp_path / "a"
    place.write_text("before")

    def fail():
        with replacing(place) as partial:
            if makes:
                open(partial, "wb").close()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a", "before")]


def test_nothing_made_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        pass


def test_no_two_write_to_one_name(tmp_path):
    place = tmp_path / ("x" * 255)
    names = {os.path.basename(beside(place)) for _ in range(100)}
    assert len(names) == 100
    assert max(map(len, names)) < 40
    assert not is_partial(place.name)


def test_what_cannot_become_a_file_is_known_before(tmp_path):
    (tmp_path / "kept").write_text("before")
    check_writable(tmp_path / "kept", overwrite=True)
    check_writable(tmp_path / "new", overwrite=False)
    with pytest.raises(EdgeViTError, match="kept exists: replace it with --overwrite, or take another name"):
        check_writable(tmp_path / "kept", overwrite=False)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("kept", "before")]
    for path, why in (
        (tmp_path, "it is a folder"),
        (tmp_path / "no" / "a", f"there is no folder {tmp_path / 'no'}"),
        (tmp_path / "kept" / "a", f"there is no folder {tmp_path / 'kept'}"),
    ):
        with pytest.raises(EdgeViTError, match=f"^cannot write {path}: {why}$"):
            check_writable(path, overwrite=True)
