"""Pictures that a model gets wrong, on request: in the document, in the terminal, in the report."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from edgevit.accuracy import Answers
from edgevit.mistakes import mistakes
from support.sample_pictures import LABELS


def answers(votes, truths):
    votes, truths = np.array(votes), np.array(truths)
    return Answers(votes, votes == truths, votes == truths)


def test_the_worst_confusions_and_what_differs(class_folder):
    files = sorted(class_folder.rglob("*.jpg"))
    truths = np.array([LABELS.index(file.parent.name) for file in files])  # three of each
    first, second = truths.copy(), truths.copy()
    first[[0, 1]] = 2  # ash taken for cedar, twice
    first[3] = 0  # birch for ash
    second[3] = 3  # and for elm
    second[11] = 0  # elm for ash, where the first one is right
    found = mistakes(files, truths, LABELS, [answers(first, truths), answers(second, truths)], 3)
    told = [(each["label"], each["taken_for"], each["count"], each["of"]) for each in found["confusions"]]
    assert told == [("ash", "cedar", 2, 3), ("birch", "ash", 1, 3)]
    assert [each["file"] for each in found["confusions"][0]["pictures"]] == [str(files[0]), str(files[1])]
    assert found["differing"]["count"] == 4
    shown = [(each["file"], each["label"], each["first"], each["second"]) for each in found["differing"]["pictures"]]
    assert shown == [
        (str(files[0]), "ash", "cedar", "ash"),
        (str(files[1]), "ash", "cedar", "ash"),
        (str(files[11]), "elm", "elm", "ash"),  # before the one that both get wrong
    ]
    picture = Image.open(io.BytesIO(base64.b64decode(found["confusions"][0]["pictures"][0]["jpeg"])))
    assert (picture.format, picture.size) == ("JPEG", (96, 96))
    assert mistakes(files, truths, (), [answers(truths, truths)], 3) == {"confusions": []}


def test_evaluate_and_report(run, tiny_keras, artefact, class_folder, measured, tmp_path):
    words = ("--against", artefact("int8"), "--resolutions", "48,96", "--json", tmp_path / "e.json")
    code, out, err = run("evaluate", tiny_keras, class_folder, *words, "--mistakes", "2")
    assert (code, err) == (0, "")
    document = json.loads((tmp_path / "e.json").read_text())
    found = document["mistakes"]
    best = max(document["results"], key=lambda each: each["top1"])
    assert found["resolution"] == best["resolution"]
    assert 1 <= len(found["confusions"]) <= 2
    worst = found["confusions"][0]
    assert f"{worst['label']} taken for {worst['taken_for']} {worst['count']} of 3 times at" in " ".join(out.split())
    (tmp_path / "p.json").write_text(json.dumps(measured({48: 1.0, 96: 2.0}).to_dict()))
    assert run("report", tmp_path / "p.json", tmp_path / "e.json", "-o", tmp_path / "r.html")[0] == 0
    page = (tmp_path / "r.html").read_text()
    assert "; img-src data:" in page
    pictures = re.findall(r'<img src="data:image/jpeg;base64,([^"]*)"', page)
    wanted = [each["jpeg"] for row in found["confusions"] for each in row["pictures"]]
    assert pictures == wanted + [each["jpeg"] for each in found["differing"]["pictures"]]
    assert f"{worst['label']} taken for {worst['taken_for']}, {worst['count']} of 3 times" in page
    found["confusions"][0]["pictures"][0]["jpeg"] = '"><script>'
    (tmp_path / "e.json").write_text(json.dumps(document))
    code, _, err = run("report", tmp_path / "p.json", tmp_path / "e.json", "-o", tmp_path / "bad.html")
    assert (code, "jpeg must be a picture as base64" in err, Path(tmp_path / "bad.html").exists()) == (1, True, False)


def test_nothing_of_it_unasked(run, tiny_tflite, class_folder, tmp_path):
    assert run("evaluate", tiny_tflite, class_folder, "--limit", "4", "--json", tmp_path / "e.json")[0] == 0
    assert "mistakes" not in json.loads((tmp_path / "e.json").read_text())
