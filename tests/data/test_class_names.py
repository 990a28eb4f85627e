"""Which class a name means, and where it does not tell."""

import pytest

from edgevit.data.class_names import repeated

CRANES = "names that several classes have, with their indices: crane (1, 3)"
LABELLED = "; where pictures are labelled, the name does not tell which: "


@pytest.mark.parametrize(
    ("labels", "keys", "line"),
    [
        ((), (), None),
        (("ash", "crane", "elm"), (), None),
        (
            ("ash", "crane", "elm", "crane"),
            (),
            f"{CRANES}{LABELLED}a labels.csv with the columns file,class_index does",
        ),
        (("ash", "crane", "elm", "crane"), ("n1", "n2", "n3", "n4"), f"{CRANES}{LABELLED}their WNIDs do"),
        (
            ("e\u0301lan", "\u00e9lan"),
            ("n1", "n2"),
            "names that several classes have, with their indices: \u00e9lan (0, 1)",
        ),
    ],
)
def test_names_that_occur_twice(labels, keys, line):
    said = repeated(labels, keys)
    assert said == line if line is None or LABELLED in line else said.startswith(line)


def test_many_are_not_all_shown():
    names = [str(number) for number in range(20)] * 2
    assert "4 (4, 24), … (15 more); " in repeated(names)
