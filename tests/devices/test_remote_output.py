"""What a device says is bounded, and obeyed by no terminal; what it answers is read as what it should be."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from edgevit.devices.artefact_store import ArtefactStore, plain
from edgevit.devices.command_errors import said
from edgevit.devices.device import Finished
from edgevit.devices.installation import reason
from edgevit.devices.local_device import LocalDevice
from edgevit.devices.remote_answers import read_answer, read_profile_answer, read_self_test, read_version
from edgevit.devices.remote_machine import describe, free_bytes
from edgevit.devices.remote_output import MOST_BYTES, captured, plain_text, shortened
from edgevit.errors import DeviceError, EdgeViTError
from edgevit.latency.profile_document import assemble
from edgevit_runtime.tasks import TASKS, try_out_of
from edgevit_runtime.tasks.run_lengths import encode
from support.waiting import LIMIT_S

ESC = "\x1b"


def python(code, stdin=b"", **options):
    return captured([sys.executable, "-c", code], stdin, timeout_s=LIMIT_S, told="it", **options)


def test_both_outputs_and_the_code(tmp_path):
    code = "import sys; text = sys.stdin.read(); print(text); print('err', file=sys.stderr); sys.exit(3)"
    done = python(code, b"in")
    assert (done.code, done.stdout, done.stderr) == (3, b"in\n", b"err\n")
    (tmp_path / "in").write_bytes(b"x" * 10**6)
    with (tmp_path / "in").open("rb") as file:
        assert python("import sys; print(len(sys.stdin.buffer.read()))", file).stdout == b"1000000\n"
    assert python("print('deaf')", b"x" * 10**7).stdout == b"deaf\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_without_end_is_ended(stream):
    """It takes its limit and a pipe's worth of memory, and the program goes."""
    code = f"import sys\nwhile True: sys.{stream}.write('x' * 65536)"
    with pytest.raises(DeviceError, match="it said more than 4 MB, which nothing of edgevit's does, and was ended: it"):
        python(code)


def test_all_that_fits_is_kept():
    assert len(python(f"print('x' * {MOST_BYTES - 1})").stdout) == MOST_BYTES


def test_silence_without_end_is_ended():
    with pytest.raises(subprocess.TimeoutExpired):
        captured([sys.executable, "-c", "import time; time.sleep(1000)"], b"", timeout_s=0.2, told="it")


def test_a_terminal_has_nothing_to_obey():
    sent = f"a{ESC}[31mred{ESC}[0m {ESC}]0;title\x07b\x07\x08\x00\r\nc\td\x9b2Je{ESC}Pq{ESC}\\f\u202eg{ESC}(B"
    assert plain_text(sent) == "ared b\nc\tdefg"
    assert plain_text(f"{ESC}]0;no end\nnext line".encode()) == "\nnext line"
    assert plain_text("Straße 東京 é\n".encode()) == "Straße 東京 é\n"
    assert "\x1b" not in plain_text(bytes(range(256)) * 2)


def test_no_message_goes_on_and_on():
    assert len(shortened("x " * 10**6)) == 300
    assert len(said("y" * 10**6)) == 300
    assert len(reason(Finished(1, "", "edgevit-run: " + "z" * 10**6))) == 300
    assert len(reason(Finished(1, "", "z" * 10**6))) < 400


class Liar:
    """A device that answers whatever is asked with one text."""

    name = "ssh://liar"

    def __init__(self, text, code=0):
        self.text, self.code = text, code

    def run(self, command, **options):
        return Finished(self.code, self.text, "")


GOOD = "system Linux\nkernel 6\nmachine aarch64\nhome /home/pi\nbits 64\nlibc glibc 2.36\n{}\nend"


@pytest.mark.parametrize(
    "python",
    [
        f"python {'9' * 5000}.1.1 cpython 64 /usr/bin/python3",
        "python 3.11 cpython 64 /usr/bin/python3",
        "python 3.x.2 cpython 64 /usr/bin/python3",
        "python 3.11.2 cpython 99999999999 /usr/bin/python3",
        "python 3.11.2 cpython 64 not-from-the-root",
        "python ٣.١١.٢ cpython 64 /usr/bin/python3",
        "python",
    ],
)
def test_a_version_that_none_has_is_no_python(python):
    machine = describe(Liar(GOOD.format(python)))
    assert machine.pythons == ()
    assert machine.libc_version == (2, 36)


@pytest.mark.parametrize("libc", ["glibc 2.999999999", f"glibc {'2' * 5000}.1", "glibc x.y", "glibc 2", "glibc ٢.٣"])
def test_a_c_library_that_none_has_is_not_known(libc):
    assert describe(Liar(GOOD.format("").replace("glibc 2.36", libc))).libc_version is None


def test_free_room_that_no_disk_has():
    assert free_bytes(f"/dev/a 1 1 {'9' * 5000} 1% /") is None
    assert free_bytes("/dev/a 1 1 2 1% /") == 2048


def test_a_shelf_shows_what_is_ours_alone():
    digest = "0123456789ab"
    lines = [
        f"artefact 12 artefacts/{digest}/a.tflite",
        f"link models/a.tflite ../artefacts/{digest}/a.tflite",
        f"artefact {'9' * 5000} artefacts/{digest}/b.tflite",
        "artefact 12 artefacts/c.tflite",
        f"artefact x artefacts/{digest}/d.tflite",
        f"artefact 12 artefacts/{digest}/../../e.tflite",
        "artefact",
        "",
    ]
    (found,) = ArtefactStore(Liar("\n".join(lines)), "/top").stored()
    assert (found.name, found.digest, found.size_bytes, found.deployed) == ("a.tflite", digest, 12, True)


ANSWER = {"resolution": 64, "width": 64, "height": 64, "latency_ms": 1.0, "least_score": 0.3}
TOP = {"index": 1, "label": "ash", "score": 0.5}
SELF_TEST = {
    "schema": "edgevit.self-test/2", "passed": True, "backend": "ai-edge-litert", "version": "2.1.3",
    "signatures": [{"name": "classify_64", "error": 0.1, "tolerance": 1.0, "passed": True}],
}  # fmt: skip


def test_good_answers():
    read = read_answer(json.dumps({**ANSWER, "top": [TOP]}), "the answer", try_out_of("classify"))
    assert read["top"] == [TOP]
    assert read_self_test(json.dumps(SELF_TEST), "the answer") == SELF_TEST
    assert read_version("edgevit-run 0.1.0\n") == "edgevit-run 0.1.0"


BOX = {"label": "ash", "index": 1, "score": 0.5, "xmin": 0.0, "ymin": 3.5, "xmax": 20, "ymax": 64.0}
POINT = {"name": "tip", "x": 12.5, "y": 64.0, "score": 0.0}
MASK = encode(np.eye(64, dtype=bool)).to_dict()
REGION = {"label": "ash", "index": 1, "share": 1 / 64, "mask": MASK}
FOUND = {
    "classify": ("top", TOP),
    "detect": ("boxes", BOX),
    "keypoints": ("points", POINT),
    "segment": ("regions", REGION),
}


@pytest.mark.parametrize("task", FOUND)
def test_what_is_found_in_a_picture(task):
    key, entry = FOUND[task]
    answer = {**ANSWER, key: [entry, entry]}
    assert read_answer(json.dumps(answer), "the answer", try_out_of(task)) == answer
    with pytest.raises(DeviceError, match=f"the answer: {key} holds 1001 entries, more than 1000"):
        read_answer(json.dumps({**ANSWER, key: 1001 * [entry]}), "the answer", try_out_of(task))
    for name in entry:
        less = {other: value for other, value in entry.items() if other != name}
        with pytest.raises(DeviceError, match=rf"the answer: {key}\[0\]: {name} is missing"):
            read_answer(json.dumps({**ANSWER, key: [less]}), "the answer", try_out_of(task))


def test_what_is_said_where_nothing_is_found():
    """The surest that is no box, which is read as a box is."""
    answer = {**ANSWER, "boxes": [], "surest": BOX}
    assert read_answer(json.dumps(answer), "the answer", try_out_of("detect")) == answer
    for wrong in ({"label": "ash"}, "ash", *({**BOX, "score": score} for score in ("1", 10**400, -1, None))):
        with pytest.raises(DeviceError, match="the answer: surest"):
            read_answer(json.dumps({**ANSWER, "boxes": [], "surest": wrong}), "the answer", try_out_of("detect"))


def test_a_mask_of_noise():
    """Its runs are longer than any name may be."""
    noise = np.random.default_rng(0).random((64, 64)) < 0.5
    answer = {**ANSWER, "regions": [{**REGION, "mask": encode(noise).to_dict()}]}
    assert len(answer["regions"][0]["mask"]["counts"]) > 2000
    assert read_answer(json.dumps(answer), "the answer", try_out_of("segment")) == answer


@pytest.mark.parametrize(
    ("task", "changed", "told"),
    [
        ("classify", {"score": 1e31}, "score must be a number from -1e+30 to 1e+30"),
        ("detect", {"score": 1.5}, "score must be a number from 0 to 1, not 1.5"),
        ("detect", {"xmin": 21}, "xmax must be a number from 21 to 8.9e+07, not 20"),
        ("detect", {"ymax": 1e300}, "ymax must be a number from 3.5 to 8.9e+07, not 1e+300"),
        ("detect", {"index": 0.5}, "index must be a whole number"),
        ("detect", {"label": "x" * 3000}, "holds a text of 3000 characters"),
        ("keypoints", {"x": -1}, "x must be a number from 0 to 8.9e+07, not -1"),
        ("keypoints", {"y": "12"}, "y must be a number, not '12'"),
        ("keypoints", {"name": ["tip"]}, "name must be a text"),
        ("segment", {"share": 2}, "share must be a number from 0 to 1, not 2"),
        ("segment", {"score": -1}, "score must be a number from 0 to 1, not -1"),
        ("segment", {"mask": "1f"}, "mask must be an object"),
        ("segment", {"mask": {**MASK, "size": [1]}}, "mask: the size of a mask is [height, width]"),
        ("segment", {"mask": {**MASK, "size": [64, 65]}}, "mask: the runs of a mask do not come to its 64 x 65 pixels"),
        (
            "segment",
            {"mask": {**MASK, "size": [8000, 8000]}},
            "mask has more pixels than any artefact looks at (size [8000.0, 8000.0])",
        ),
        ("segment", {"mask": {**MASK, "counts": "~"}}, "mask: the runs of a mask end early, or hold what is no run"),
        ("segment", {"mask": {**MASK, "counts": "0" * 2**21}}, "holds a text of 2097152 characters"),
    ],
)
def test_what_cannot_be_in_a_picture(task, changed, told):
    key, entry = FOUND[task]
    with pytest.raises(DeviceError) as error:
        read_answer(json.dumps({**ANSWER, key: [{**entry, **changed}]}), "the answer of ssh://liar", try_out_of(task))
    assert told in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("sizes", [[1, 2, "3"], [2, 2, None], [1e300, 2, 2], [1, 2, 3, 4, 5], {}])
def test_shapes_that_no_array_has(sizes):
    with pytest.raises(DeviceError, match="the answer: shapes"):
        read_answer(
            json.dumps({**ANSWER, "shapes": {"patch_tokens": [4, 4, 192], "more": sizes}}),
            "the answer",
            try_out_of("features"),
        )


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "text",
    [
        "", "not JSON", "[]", "null", "{}", "[" * 100_000, json.dumps(ANSWER),
        json.dumps({**ANSWER, "latency_ms": "fast", "top": [TOP]}),
        json.dumps({**ANSWER, "latency_ms": 1e300, "top": [TOP]}),
        json.dumps({**ANSWER, "resolution": -1, "top": [TOP]}),
        json.dumps({**ANSWER, "top": [], "shapes": {}}),
        json.dumps({**ANSWER, "top": {"0": TOP}, "shapes": []}),
        json.dumps({**ANSWER, "top": [{**TOP, "score": None}], "shapes": {"patch_tokens": [1]}}),
        json.dumps({**ANSWER, "top": [{**TOP, "label": 1}], "shapes": {"patch_tokens": "abcd"}}),
        json.dumps({**ANSWER, "top": [{**TOP, "label": "x" * 10**6}], "shapes": {"patch_tokens": [1]}}),
        json.dumps({**ANSWER, "top": [TOP], "shapes": {"patch_tokens": [1]}, "more": json.loads("[" * 60 + "]" * 60)}),
        '{"latency_ms": ' + "9" * 5000 + "}",
        "[" + "0," * 5_000_000 + "0]",
    ],
    ids=range(18),
)  # fmt: skip
def test_an_answer_of_another_kind_is_one_line(task, text):
    with pytest.raises(DeviceError) as error:
        read_answer(text, "the answer of ssh://liar", try_out_of(task))
    assert str(error.value).startswith("the answer of ssh://liar")
    assert len(str(error.value)) < 500
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"passed": False}, {"passed": "yes"}, {"signatures": []}, {"signatures": {}}, {"backend": 3}, {"version": None},
        {"schema": "edgevit.profile/1"}, {"signatures": [{}]},
        {"signatures": [{"name": "classify_64", "error": None, "tolerance": 1.0, "passed": False}]},
        {"signatures": [{"name": "classify_64", "error": "small", "tolerance": 1.0, "passed": True}]},
    ],
    ids=range(10),
)  # fmt: skip
def test_a_self_test_that_has_not_passed_is_none(changed):
    with pytest.raises(DeviceError, match="the answer"):
        read_self_test(json.dumps({**SELF_TEST, **changed}), "the answer")


def test_escapes_of_json_are_no_way_in():
    text = json.dumps({**ANSWER, "top": [{**TOP, "label": f"{ESC}[2Jash\u202e"}], f"{ESC}[1m": f"{ESC}]0;x\x07"})
    assert "\\u001b" in text
    read = read_answer(text, "the answer", try_out_of("classify"))
    assert (read["top"][0]["label"], read[""]) == ("ash", "")


@pytest.mark.parametrize(
    "text", ["{}", "[]", "x", '{"schema": "edgevit.profile/1"}', '{"schema": "edgevit.profile/1", "device": {}}']
)
def test_a_profile_of_another_kind_is_one_line(text):
    with pytest.raises(EdgeViTError) as error:
        assemble(read_profile_answer(text, "the answer of ssh://liar"))
    assert str(error.value).startswith("the answer of ssh://liar")


@pytest.mark.parametrize("text", ["", "edgevit-run", "edgevit-run 1\nand more", f"edgevit-run {'1' * 100}", "bash 5"])
def test_a_version_that_is_none(text):
    assert read_version(text) is None


def test_names_that_stay_as_they_are():
    for name in ("plants.tflite", "vit_tiny-224.int8.tflite", "0.tflite", "x" * 93 + ".tflite"):
        assert plain(name) == name


ODD = [
    "-n.tflite", "--help.tflite", ".hidden.tflite", ".tflite", "a b.tflite", "a_b.tflite", "it's.tflite", "$(x).tflite",
    "цветы.tflite", "птицы.tflite", "花.tflite", "x.partial", "x.tflite.partial", "x.new", "x" * 247 + ".tflite",
    "x" * 246 + ".tflite", "..", "a\nb.tflite", "a.t f", "\udcff.tflite", "a.{}".format("y" * 200),
]  # fmt: skip


def test_odd_names_become_words_of_their_own():
    """Whatever a file is called: a name that no shell, script or file system there trips over, and no other file's."""
    made = [plain(name) for name in ODD]
    assert len(set(made)) == len(ODD)
    for name, word in zip(ODD, made, strict=True):
        assert plain(word) == word, name
        assert len(word) < 100
        assert not word.startswith(("-", "."))
        assert not word.endswith((".partial", ".new"))
    assert plain("花.tflite").endswith(".tflite")


def test_odd_names_on_a_shelf(tmp_path):
    """By the real shell: each can be published, listed and removed."""
    shelf = ArtefactStore(LocalDevice(), str(tmp_path))
    for number, name in enumerate(ODD):
        place = tmp_path / "artefacts" / f"{number:012x}" / plain(name)
        place.parent.mkdir(parents=True)
        place.write_text("x" * number)
        link = shelf.publish(str(place))
        assert os.path.samefile(link, place)
    there = shelf.stored()
    assert len(there) == len(ODD)
    assert all(each.deployed for each in there)
    shelf.remove(*there)
    assert shelf.stored() == ()
    assert list((tmp_path / "models").iterdir()) == []
