"""Label files as they go wrong: each has its one line, which names the file, the place in it and the value."""

import json

import pytest

from edgevit.data.boxes import read_boxes
from edgevit.errors import DataError
from support import labelled_scenes as scenes

HEADER = "file,xmin,ymin,xmax,ymax,class\n"
IMAGE = {"id": 1, "file_name": "0.jpg"}
ANNOTATION = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}
CATEGORY = {"id": 1, "name": "cat"}


def coco(**changes):
    return json.dumps({"images": [IMAGE], "annotations": [ANNOTATION], "categories": [CATEGORY]} | changes)


def voc(objects, front=""):
    return f"<annotation>{front}\n<size><width>0</width></size>\n{objects}\n</annotation>"


def box(xmin="1", name="cat"):
    return (
        f"<object><name>{name}</name><bndbox><xmin>{xmin}</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        "</object>"
    )


BROKEN = {
    "csv: a word for a number": (
        "boxes.csv",
        HEADER + "0.jpg,1,1,nine,9,cat",
        "boxes.csv, line 2: xmax is a number, not 'nine'",
    ),
    "csv: not a number": (
        "boxes.csv",
        HEADER + "0.jpg,1,1,9,9,cat\n0.jpg,nan,1,9,9,cat",
        "line 3: xmin is a number, not 'nan'",
    ),
    "csv: infinite": ("boxes.csv", HEADER + "0.jpg,1,1,9,1e999,cat", "line 2: ymax is a number, not '1e999'"),
    "csv: a cell too few": ("boxes.csv", HEADER + "0.jpg,1,1,9,9", "line 2: 6 values are expected, not 5"),
    "csv: no class": ("boxes.csv", HEADER + "0.jpg,1,1,9,9,", "line 2: class is empty"),
    "csv: no file": ("boxes.csv", HEADER + ",1,1,9,9,cat", "line 2: file is empty"),
    "csv: no such picture": ("boxes.csv", HEADER + "9.jpg,1,1,9,9,cat", "line 2: no such picture in"),
    "csv: another case": ("boxes.csv", HEADER + "0.JPG,1,1,9,9,cat", "'0.JPG' (0.jpg is there)"),
    "csv: out of the folder": ("boxes.csv", HEADER + "a/../../0.jpg,1,1,9,9,cat", "line 2: no such picture in"),
    "csv: shares": ("boxes.csv", HEADER + "0.jpg,.1,.1,.9,.9,cat", "as shares do: boxes in CSV files are in pixels"),
    "csv: nothing": ("boxes.csv", HEADER, "boxes.csv lists no pictures"),
    "csv: no class column": (
        "boxes.csv",
        "file,xmin,ymin,xmax,ymax\n0.jpg,1,1,9,9",
        "line 1: there is no column class",
    ),
    "csv: a column twice": ("boxes.csv", "xmin," + HEADER, "line 1: two columns are called 'xmin'"),
    "csv: a part of no name": (
        "boxes.csv",
        HEADER.replace(",c", ",split,c") + "0.jpg,1,1,9,9,new,cat",
        "line 2: a part is train, val or test, not 'new'",
    ),
    "csv: in two parts": (
        "boxes.csv",
        HEADER.replace(",c", ",split,c") + "0.jpg,1,1,9,9,val,cat\n0.jpg,1,1,9,9,train,cat",
        "line 3: 0.jpg is of train here, and of val in line 2",
    ),
    "coco: cut off": ("a.json", coco()[:-30], "a.json is not JSON: "),
    "coco: nested": ("a.json", coco(images="deep").replace('"deep"', "[" * 100_000), "it is nested too deeply"),
    "coco: no list": ("a.json", coco(images={"1": IMAGE}), "images is a list of objects, not {"),
    "coco: three numbers": (
        "a.json",
        coco(annotations=[ANNOTATION | {"bbox": [1, 2, 3]}]),
        "annotations[0]: bbox is x, y, width, height, not [1.0, 2.0, 3.0]",
    ),
    "coco: NaN": (
        "a.json",
        coco(annotations=[ANNOTATION | {"bbox": [1, 2, 3, float("nan")]}]),
        "annotations[0]: bbox is x, y, width, height, not [1, 2, 3, nan]",
    ),
    "coco: a huge number": (
        "a.json",
        coco(annotations=[ANNOTATION | {"bbox": [1, 2, 3, 10**400]}]),
        "annotations[0]: bbox is",
    ),
    "coco: no box": (
        "a.json",
        coco(annotations=[ANNOTATION, {"image_id": 1}]),
        "a.json: annotations[1] has no bbox: it is x, y, width, height",
    ),
    "coco: no category": (
        "a.json",
        coco(annotations=[{key: value for key, value in ANNOTATION.items() if key != "category_id"}]),
        "annotations[0] has no category_id: it is the id of one of categories",
    ),
    "yaml: in both": (
        "data.yaml",
        "train: images\nval: images\nnames: [cat]",
        "keep it in one, or delete the line of val: a share then validates",
    ),
    "coco: another picture": (
        "a.json",
        coco(annotations=[ANNOTATION | {"image_id": 7}]),
        "annotations[0]: image_id is the id of one of images, not 7",
    ),
    "coco: a list for an id": (
        "a.json",
        coco(annotations=[ANNOTATION | {"category_id": [1]}]),
        "annotations[0]: category_id is the id of one of categories, not [1]",
    ),
    "coco: an id twice": ("a.json", coco(images=[IMAGE, IMAGE]), "images[1]: id 1 was there before"),
    "coco: a picture twice": (
        "a.json",
        coco(images=[IMAGE, IMAGE | {"id": 2}]),
        "images[1]: '0.jpg' is images[0], too",
    ),
    "coco: missing": ("a.json", coco(images=[IMAGE, {"id": 2, "file_name": "9.jpg"}]), "images[1]: no such picture in"),
    "coco: a name twice": (
        "a.json",
        coco(categories=[CATEGORY, CATEGORY | {"id": 2}]),
        "categories[1]: name is a name of its own, not 'cat'",
    ),
    "coco: half a crowd": (
        "a.json",
        coco(annotations=[ANNOTATION | {"iscrowd": 0.5}]),
        "annotations[0]: iscrowd is 0 or 1, not 0.5",
    ),
    "yolo: three numbers": (
        "labels/0.txt",
        "0 .5 .5 .5 .5\n0 .5 .5 .5",
        "0.txt, line 2: a class and four numbers are expected, or an outline, not 4 numbers",
    ),
    "yolo: pixels": ("labels/0.txt", "0 50 40 20 10", "0.txt, line 1: 50 is no share of a picture's side"),
    "yolo: a name": (
        "labels/0.txt",
        "cat .5 .5 .5 .5",
        "0.txt, line 1: a line begins with the number of a class, not 'cat'",
    ),
    "yolo: a word": ("labels/0.txt", "0 .5 .5 .5 half", "0.txt, line 1: 'half' is no number"),
    "yolo: binary": ("labels/0.txt", "0 \0\0\0", "0.txt is no text file in UTF-8"),
    "yaml: no names": ("data.yaml", "train: images\nnames:\n", "data.yaml, line 2: names is a list of class names"),
    "yaml: a gap": (
        "data.yaml",
        "train: images\nnames: {0: cat, 2: dog}\n",
        "line 2: names has the keys 0, 2, and not 0 to 1",
    ),
    "yaml: a count": (
        "data.yaml",
        "nc: 3\nnames: [cat, dog]\ntrain: images",
        "line 1: nc is '3', and there are 2 names",
    ),
    "yaml: a name twice": ("data.yaml", "nc: 2\nnames: [cat, cat]", "line 2: names has 'cat' twice"),
    "yaml: an alias": ("data.yaml", "train: images\nnames: *others", "line 2: '*others' is YAML that is not read here"),
    "yaml: a list in a list": (
        "data.yaml",
        "train: images\nnames: [cat, [dog]]",
        "line 2: lists within lists are not read",
    ),
    "yaml: never closed": ("data.yaml", "train: images\nnames: [cat, dog\n", "line 2: '[' is never closed by ']'"),
    "yaml: no such folder": ("data.yaml", "train: nowhere\nnames: [cat]", "line 1: no such folder or list: nowhere"),
    "voc: cut off": ("0.xml", voc(box())[:-9], "0.xml, line 4: it is no XML that can be read: "),
    "voc: entities": (
        "0.xml",
        "<!DOCTYPE a [<!ENTITY b 'b'>]>" + voc(box()),
        "0.xml, line 1: it declares a document type",
    ),
    "voc: another root": (
        "0.xml",
        "<svg><annotation>" + box() + "</annotation></svg>",
        "line 1: an annotation of Pascal VOC is expected, not 'svg'",
    ),
    "voc: nested": ("0.xml", voc("<a>" * 50), "line 3: it is nested more than 20 deep"),
    "voc: a word": ("0.xml", voc(box("left")), "line 3: bndbox/xmin is a number, not 'left'"),
    "voc: no box": ("0.xml", voc("<object><name>cat</name></object>"), "line 3: bndbox/xmin is a number, not ''"),
    "voc: no name": ("0.xml", voc(box(name="")), "line 3: this object has no name"),
    "voc: a size": ("0.xml", voc(box()).replace(">0<", ">wide<"), "0.xml: size/width is a whole number, not 'wide'"),
    "no boxes": ("notes.md", "boxes", "has 1 picture and no boxes in a format that is read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_one_line(tmp_path, case):
    name, text, message = BROKEN[case]
    scenes.draw(tmp_path / "images", 0, 1)
    scenes.write(tmp_path, name, text)
    with pytest.raises(DataError) as caught:
        read_boxes(tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
