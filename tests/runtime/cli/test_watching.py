"""A watched folder: each picture is answered once, when it is whole; also across restarts."""

import io
import json
import os
import signal
import subprocess
import sys

import pytest

from edgevit_runtime import PictureError
from edgevit_runtime.cli import answered_pictures, asked_to_end, main, watching
from edgevit_runtime.cli.answered_pictures import AnsweredPictures, file_name, state_of
from edgevit_runtime.cli.asked_to_end import AskedToEnd
from edgevit_runtime.cli.watching import PATIENCE, watched
from edgevit_runtime.engines import cache
from edgevit_runtime.preprocess import picture_folders
from edgevit_runtime.preprocess.pictures import load_picture
from support.sample_pictures import random_picture
from support.waiting import LIMIT_S


def encoded(kind, seed=1, **options):
    file = io.BytesIO()
    random_picture(seed).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def watch(tmp_path, monkeypatch):
    """Watches the folder `inbox` while a generator's steps happen, one between each look and the next.

    -> [(name, whether it was answered)]
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "inbox"
    folder.mkdir()

    def call(meanwhile, *, existing=False, answered=None, answer=load_picture, **more):
        happened, steps = [], iter(meanwhile)

        def sleep(_):
            if next(steps, happened) is happened:
                happened.append("all")

        monkeypatch.setattr(asked_to_end.time, "sleep", sleep)
        results = watched(
            str(folder), 0.1, answer, answered or AnsweredPictures(str(folder)), existing=existing,
            stopped=lambda: bool(happened), **more,
        )  # fmt: skip
        return [(os.path.relpath(path, folder), not isinstance(result, PictureError)) for path, result in results]

    call.folder = folder
    return call


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_it_has_what_is_under_way(tiny_tflite, tmp_path, monkeypatch, capfd, asked):
    """It says what it does before the first picture comes; ^C and SIGTERM are the ways that it ends: no error."""
    (tmp_path / "inbox").mkdir()
    random_picture(1).save(tmp_path / "inbox" / "a.png")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    load = watching._tried

    def answer(*arguments):
        os.kill(os.getpid(), asked)
        return load(*arguments)

    monkeypatch.setattr(watching, "_tried", answer)
    monkeypatch.setattr(main, "silence_exit", lambda: None)
    with pytest.raises(SystemExit) as stop:
        main.main(
            ["watch", str(tiny_tflite), str(tmp_path / "inbox"), "--existing", "--no-weight-cache", "--every", "0.01"]
        )
    out, err = capfd.readouterr()
    assert stop.value.code == 0
    assert out.startswith(f"{tmp_path}/inbox/a.png  (64 px, ")
    said = f"{tiny_tflite} names pictures that are there or appear in {tmp_path}/inbox; ^C ends it"
    assert err == f"edgevit-run: {said}\n"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_who_asks_twice_does_not_want_to_wait():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as under nohup
    try:
        with AskedToEnd() as ended:
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
            assert not ended()
            os.kill(os.getpid(), signal.SIGINT)
            assert ended()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_long_rest_ends_when_it_is_told_to(monkeypatch):
    slept = []
    monkeypatch.setattr(asked_to_end.time, "sleep", slept.append)
    asked_to_end.rest(1.2, lambda: False)
    assert slept == pytest.approx([0.4] * 3)
    asked_to_end.rest(3600.0, lambda: len(slept) == 5)
    assert slept[3:] == [0.5] * 2


def looks(count):
    """Nothing happens for so many looks."""
    yield from [None] * count


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("pause", [0, 1, 4])
def test_a_slow_writer_gets_one_answer(watch, kind, pause):
    """However long it pauses between its parts, the last of which is a byte; notes beside it are no pictures."""
    content, slow = encoded(kind), watch.folder / f"slow.{kind.lower()}"
    ends = [*range(1, len(content), len(content) // 5), len(content) - 1, len(content)]

    def meanwhile():
        yield from looks(2)
        for start, end in zip([0, *ends], ends, strict=False):
            with open(slow, "ab") as growing:
                growing.write(content[start:end])
            yield from looks(1 + pause)
        (watch.folder / "notes.txt").write_text("no picture")
        yield from looks(PATIENCE + 2)

    assert watch(meanwhile()) == [(slow.name, True)]


def test_what_never_becomes_whole_is_one_error(watch):
    def meanwhile():
        (watch.folder / "cut.jpg").write_bytes(encoded("JPEG")[:-300])
        (watch.folder / "no.jpg").write_bytes(b"no picture")
        (watch.folder / "endless.png").write_bytes(encoded("PNG")[:-12])  # all pixels are there
        yield from looks(3 * PATIENCE)

    assert watch(meanwhile()) == [("cut.jpg", False), ("endless.png", True), ("no.jpg", False)]


def test_what_is_there_is_left_alone_unless_asked_for(watch):
    for name in ("b.png", "a.png", "below/c.png", ".hidden.png", "__MACOSX/d.png"):
        (watch.folder / name).parent.mkdir(exist_ok=True)
        (watch.folder / name).write_bytes(encoded("PNG"))
    assert watch(looks(3)) == []
    assert watch(looks(3), existing=True) == [("a.png", True), ("b.png", True), ("below/c.png", True)]


def test_one_that_comes_back_is_new(watch):
    def meanwhile():
        for _ in range(2):
            (watch.folder / "a.png").write_bytes(encoded("PNG"))
            yield from looks(3)
            (watch.folder / "a.png").unlink()
            yield from looks(1)

    assert watch(meanwhile()) == [("a.png", True)] * 2


@pytest.mark.parametrize("how", ["in place", "by another file"])
def test_a_replaced_picture_of_equal_size_and_time(watch, how):
    """`cp -p`, `rsync --times`, `mv`: another picture, and nothing but inode or change time tells."""
    place, first, second = watch.folder / "a.bmp", encoded("BMP", 1), encoded("BMP", 2)
    assert len(first) == len(second)

    def meanwhile():
        place.write_bytes(first)
        status = place.stat()
        yield from looks(3)
        target = place if how == "in place" else watch.folder.parent / "other.bmp"
        target.write_bytes(second)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(target, place)
        assert (place.stat().st_size, place.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
        yield from looks(3)

    seen = []
    assert watch(meanwhile(), answer=lambda path: seen.append(load_picture(path).tobytes())) == [("a.bmp", True)] * 2
    assert seen[0] != seen[1]


def test_rights_that_change(watch):
    """A picture that could not be read is tried again; one that was answered is not another one for it."""
    denied = {"locked.png"}

    def answer(path):
        if os.path.basename(path) in denied:  # root may read everything
            raise PictureError("Permission denied")
        return load_picture(path)

    def meanwhile():
        for name in ("fine.png", "locked.png"):
            (watch.folder / name).write_bytes(encoded("PNG"))
        yield from looks(PATIENCE + 2)
        denied.clear()
        for name in ("fine.png", "locked.png"):
            before = (watch.folder / name).stat().st_ctime_ns
            while (watch.folder / name).stat().st_ctime_ns == before:
                (watch.folder / name).chmod(0o640)
        yield from looks(PATIENCE + 2)

    assert watch(meanwhile(), answer=answer) == [("fine.png", True), ("locked.png", False), ("locked.png", True)]


def test_one_that_changes_while_it_is_answered(watch):
    def answer(path):
        answers.append(path)
        if len(answers) == 1:
            with open(path, "wb") as file:
                file.write(encoded("PNG", 2))
        return load_picture(path)

    answers = []

    def meanwhile():
        (watch.folder / "a.png").write_bytes(encoded("PNG", 1))
        yield from looks(6)

    assert watch(meanwhile(), answer=answer) == [("a.png", True)]
    assert len(answers) == 2


def test_memory_that_runs_out_does_not_end_it(watch, monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr("edgevit_runtime.preprocess.picture_files.picture_to_rgb", fails)

    def meanwhile():
        (watch.folder / "a.png").write_bytes(encoded("PNG"))
        yield from looks(PATIENCE + 3)

    assert watch(meanwhile()) == [("a.png", False)]


def test_a_folder_below_that_goes_away(watch):
    def meanwhile():
        (watch.folder / "new").mkdir()
        (watch.folder / "new" / "a.png").write_bytes(encoded("PNG"))
        yield from looks(3)
        (watch.folder / "new" / "a.png").unlink()
        (watch.folder / "new").rmdir()
        (watch.folder / "loop").symlink_to(watch.folder)
        (watch.folder / "b.png").write_bytes(encoded("PNG"))
        yield from looks(3)

    assert watch(meanwhile()) == [("new/a.png", True), ("b.png", True)]


def test_what_cannot_be_read_is_counted_and_leftovers_are_not(watch, monkeypatch):
    monkeypatch.setattr(picture_folders, "can_read", lambda kind: kind == "PNG")
    (watch.folder / "a.heic").write_bytes(b"heic")
    told = []

    def meanwhile():
        (watch.folder / "__MACOSX").mkdir()
        for name in ("a.png", "._a.png", "__MACOSX/a.png", "Thumbs.db"):
            (watch.folder / name).write_bytes(encoded("PNG"))
        yield
        yield
        (watch.folder / "b.HEIC").write_bytes(b"heic")
        yield
        (watch.folder / "a.heic").unlink()
        yield

    assert watch(meanwhile(), tell=told.append) == [("a.png", True)]
    assert told == [f"{watch.folder}: left out: {number} HEIC (`pip install pillow-heif`)" for number in (1, 2)]


def test_the_folder_itself_goes_away(tmp_path):
    folder = str(tmp_path / "gone")
    with pytest.raises(PictureError, match=r"cannot watch .*: No such file"):
        next(watched(folder, 0.01, load_picture, AnsweredPictures(folder), existing=True))


def test_a_restart_answers_what_is_new(watch):
    name = file_name(b"\x12" * 32, str(watch.folder))
    for each in ("a.png", os.fsdecode(b"caf\xe9.png")):
        (watch.folder / each).write_bytes(encoded("PNG"))
    (watch.folder / "bad.png").write_bytes(b"nothing")

    def run(**options):
        answered = AnsweredPictures(str(watch.folder), options.pop("name", name), **options)
        return watch(looks(PATIENCE + 2), existing=True, answered=answered)

    everything = [("a.png", True), (os.fsdecode(b"caf\xe9.png"), True), ("bad.png", False)]
    assert run() == everything
    assert run() == []
    (watch.folder / "new.png").write_bytes(encoded("PNG"))
    (watch.folder / "bad.png").write_bytes(encoded("PNG"))
    assert run() == [("bad.png", True), ("new.png", True)]
    assert len(run(fresh=True)) == 4
    assert len(run(name=file_name(b"\x13" * 32, str(watch.folder)))) == 4  # another artefact
    assert len(run(name=None)) == 4
    assert run() == []


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"format": "edgevit.watched/1"}',
        b'{"format": "edgevit.watched/1", "answered": []}',
        b'{"format": "edgevit.watched/1", "answered": {"a.png": 7}}',
        b'{"format": "edgevit.watched/1", "answered": {"a.png": [1, 2, 3, "4", "x", true]}}',
        b'{"format": "edgevit.watched/2", "answered": {}}',
    ],
)  # fmt: skip
def test_what_was_kept_is_not_trusted(watch, content):
    name = file_name(b"\x12" * 32, str(watch.folder))
    (watch.folder / "a.png").write_bytes(encoded("PNG"))
    cache.write(name, content)
    answered = AnsweredPictures(str(watch.folder), name)
    assert watch(looks(3), existing=True, answered=answered) == [("a.png", True)]


def test_little_is_kept(watch, monkeypatch):
    monkeypatch.setattr(answered_pictures, "MOST_KEPT", 3)
    name = file_name(b"\x12" * 32, str(watch.folder))
    for each in "abcde":
        (watch.folder / f"{each}.png").write_bytes(encoded("PNG"))
    first = AnsweredPictures(str(watch.folder), name)
    assert len(watch(looks(3), existing=True, answered=first)) == 5
    again = AnsweredPictures(str(watch.folder), name)
    known = [
        each for each in "abcde" if (str(watch.folder / f"{each}.png"), state_of(watch.folder / f"{each}.png")) in again
    ]
    assert known == ["c", "d", "e"]
    assert len(cache.read(name)) < 1000


@pytest.mark.slow
def test_watch_as_a_service(tiny_tflite, tmp_path):
    """As systemd runs it: names what comes, ends with 0 on SIGTERM, and goes on where it was."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    random_picture(1).save(folder / "there.png")
    command = [sys.executable, "-m", "edgevit_runtime", "watch", str(tiny_tflite), str(folder), "--json", "--existing"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONUNBUFFERED": "1"}

    def started():
        return subprocess.Popen([*command, "--every", "0.1"], stdout=subprocess.PIPE, text=True, env=environment)

    with started() as process:
        assert json.loads(process.stdout.readline())["file"] == str(folder / "there.png")
        (folder / "broken.jpg").write_bytes(b"no picture")
        assert "error" in json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    random_picture(2).save(folder / "after.png")
    with started() as process:
        assert json.loads(process.stdout.readline())["file"] == str(folder / "after.png")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
        assert process.stdout.read() == ""
