"""What a picture takes of the memory: bounded for each, and for all that are decoded at once."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.preprocess import decoding_memory, pictures
from edgevit_runtime.preprocess.decoding_memory import DecodingMemory, machine_bytes
from edgevit_runtime.preprocess.fitting import prepare
from support.waiting import LIMIT_S, until

# VmHWM, not getrusage: the latter counts what the process was before it became this program.
CHILD = """
import sys, threading
from edgevit_runtime.errors import PictureError
from edgevit_runtime.measure.process_memory import peak_rss_bytes
from edgevit_runtime.preprocess.fitting import prepare
path, policy, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
import PIL.Image
before = peak_rss_bytes()
def one():
    try:
        print(prepare(path, 224, policy).shape)
    except PictureError as error:
        print(error)
running = [threading.Thread(target=one) for _ in range(threads)]
for each in running: each.start()
for each in running: each.join()
print((peak_rss_bytes() - before) // 1_000_000)
"""


def peak_mb(path, policy="crop:0.875", threads=1, **environment):
    """(the lines that a process prints which prepares the picture, and what memory that took, MB)"""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), policy, str(threads)],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=LIMIT_S, check=True,
    )  # fmt: skip
    *lines, peak = done.stdout.splitlines()
    return lines, int(peak)


def test_a_transparent_picture_of_25_megapixels(tmp_path):
    """Pillow's 100 MB, the pixels' 75, and strips; blended at once it took 1200."""
    Image.new("RGBA", (5000, 5000), (10, 20, 30, 128)).save(tmp_path / "large.png", compress_level=1)
    lines, peak = peak_mb(tmp_path / "large.png")
    assert lines == ["(224, 224, 3)"]
    assert peak < 350


@pytest.mark.parametrize("size", [(1, 25_000_000), (1, 2000), (2000, 1)])
def test_a_strip_is_refused(tmp_path, size):
    """85 bytes took a gigabyte, 97 kB dozens."""
    Image.new("RGB", size).save(tmp_path / "strip.png")
    lines, peak = peak_mb(tmp_path / "strip.png", "squash")
    assert f"{size[0]} x {size[1]} pixels are a strip: one side is over 1000 times the other" in lines[0]
    assert peak < 60


@pytest.mark.parametrize("policy", ["crop:0.875", "squash", "letterbox"])
@pytest.mark.parametrize("size", [(60, 60_000), (60_000, 60)])
def test_the_longest_picture(tmp_path, size, policy):
    """Scaled to cover 256 x 256 it would be 256 000 long: 262 MB."""
    Image.new("RGB", size).save(tmp_path / "long.png", compress_level=1)
    lines, peak = peak_mb(tmp_path / "long.png", policy)
    assert lines == ["(224, 224, 3)"]
    assert peak < 150


def test_pictures_that_come_at_once_wait_for_each_other(tmp_path):
    """Each takes 63 MB; together they would take 500."""
    Image.new("RGB", (3000, 3000), (1, 2, 3)).save(tmp_path / "nine.png", compress_level=1)
    lines, peak = peak_mb(tmp_path / "nine.png", threads=8, EDGEVIT_PICTURE_MB="80")
    assert lines == ["(224, 224, 3)"] * 8
    assert peak < 200
    lines, _ = peak_mb(tmp_path / "nine.png", EDGEVIT_PICTURE_MB="60")
    assert "decoding it takes 63 MB, and 60 MB are what a picture may take here: make it smaller" in lines[0]


def test_room_is_given_in_order():
    """A large one waits until it is alone, and a small one behind it waits for it."""
    memory, order, leave = DecodingMemory(100, 10), [], threading.Event()

    def take(name, size):
        with memory.room(size):
            order.append(name)
            if name == "first":
                leave.wait(LIMIT_S)

    threads = []
    for name, size in (("first", 6), ("large", 50), ("small", 1)):
        threads.append(threading.Thread(target=take, args=(name, size)))
        threads[-1].start()
        until(lambda: order == ["first"])
        if name == "large":
            until(memory._turn.locked)
    assert order == ["first"]
    leave.set()
    for each in threads:
        each.join(LIMIT_S)
    assert order == ["first", "large", "small"]
    with pytest.raises(PictureError, match="decoding it takes 0 MB"), memory.room(101):
        pass
    with memory.room(100):  # what was refused has taken nothing
        pass


def test_what_the_variable_says(monkeypatch):
    monkeypatch.setattr(decoding_memory, "_MEMORY", None)
    monkeypatch.setenv("EDGEVIT_PICTURE_MB", "much")
    with pytest.raises(EdgeViTError, match="EDGEVIT_PICTURE_MB is a number of megabytes, such as 500, not 'much'"):
        decoding_memory.room(1)


def test_the_machine_has_some_memory():
    assert 10_000_000 < machine_bytes() < 2**60


@pytest.mark.parametrize("where", ["decoding", "fitting"])
def test_memory_that_runs_out_is_the_pictures_fault(tmp_path, monkeypatch, where):
    """Not the end of `watch`."""
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")

    def fails(*_, **__):
        raise MemoryError

    place = "PIL.Image.open" if where == "decoding" else "edgevit_runtime.preprocess.fitting.fit"
    monkeypatch.setattr(place, fails)
    with pytest.raises(PictureError, match=r"cannot read picture .*small\.png: this machine has too little memory"):
        prepare(tmp_path / "small.png", 32)


def test_a_block_keeps_the_room_for_its_picture(tmp_path, monkeypatch):
    memory = DecodingMemory(10**9, 10**9)
    monkeypatch.setattr(decoding_memory, "_MEMORY", memory)
    Image.new("RGB", (100, 100)).save(tmp_path / "small.png")
    with pictures.loaded(tmp_path / "small.png") as pixels:
        assert memory._taken >= 70_000
        assert pixels.shape == (100, 100, 3)
    assert memory._taken == 0
    with pytest.raises(ZeroDivisionError), pictures.loaded(tmp_path / "small.png"):
        pixels.sum().item() / 0
    assert memory._taken == 0
    assert isinstance(pictures.load_picture(np.zeros((4, 4), np.uint8)), np.ndarray)
