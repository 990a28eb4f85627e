"""Who goes on with a run need not repeat its options; one that was another is named, before a picture is read."""

import pytest

from edgevit.model import build, save
from edgevit.training.examples import FolderExamples
from edgevit.training.state import State, read

BEGUN = ("--resolutions", "32,48", "--epochs", "4", "--batch", "8", "--val-share", "0.34", "--learning-rate", "0.001")


@pytest.fixture
def interrupted(monkeypatch):
    """Trainings are stopped before their first step: what each would have been."""
    asked = []

    def stop(model, train_set, val_set, spec, path, *, resumption, **_others):
        asked.append((spec, model.config, len(val_set)))
        state = resumption.state or State(dict(resumption.request), dict(resumption.begun))
        state.write(resumption.folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgevit.training.run.train", stop)
    monkeypatch.setattr("edgevit.training.dense_run.train", stop)
    return asked


@pytest.fixture
def start(tiny_config, tmp_path):
    save(build(tiny_config.with_(depth=1, base_resolution=32, ladder=(32,)), seed=2), tmp_path / "start.keras")
    return tmp_path / "start.keras"


@pytest.fixture
def train(run, class_folder, tmp_path):
    def call(*words):
        return run("train", class_folder, "-o", tmp_path / "m.keras", "--quiet", *words)

    return call


def test_other_pictures_are_refused_before_they_are_read(
    train, start, interrupted, tmp_path, monkeypatch, class_folder
):
    (class_folder / "ash" / "1.jpg").write_text("no picture")
    assert train("--from", start, *BEGUN)[0] == 130
    assert train("--resume")[0] == 130  # what was skipped then is none of the run's
    (class_folder / "ash" / "0.jpg").rename(class_folder / "ash" / "other.jpg")
    monkeypatch.setattr(FolderExamples, "__init__", lambda *_args, **_more: pytest.fail("pictures are read"))
    code, _, err = train("--resume")
    assert (code, err.count("\n")) == (1, 1)
    assert f"the unfinished run in {tmp_path / 'm.run'} is another: the pictures are others than they were" in err


def test_what_is_left_out_is_as_it_was(train, start, interrupted):
    assert train("--from", start, *BEGUN, "--freeze", "--stochastic-depth", "0.1")[0] == 130
    for words in ((), BEGUN, ("--from", start, "--preset", "fine-tune", "--stochastic-depth", "0.1", "--freeze")):
        code, _, err = train("--resume", *words)
        assert code == 130, err
        assert interrupted[-1] == interrupted[0]
    assert train("--resume", "--epochs", "6")[0] == 130
    assert (interrupted[-1][0].epochs, interrupted[-1][1:]) == (6, interrupted[0][1:])
    assert train("--resume")[0] == 130
    assert interrupted[-1][0].epochs == 6


def test_what_is_given_must_be_the_same(train, start, interrupted, tmp_path):
    assert train("--from", start, *BEGUN)[0] == 130
    before = read(tmp_path / "m.run").request
    other = tmp_path / "other.keras"
    other.write_bytes(start.read_bytes() + b" ")
    for words, said in (
        ("--batch 32", "--batch was 8 and is 32; leave --batch out or give 8 again, or --restart in the place of"),
        ("--resolutions 32", "--resolutions was 32,48 and is 32; leave --resolutions out or give 32,48 again"),
        ("--epochs 3", "--epochs was 4 and is 3"),
        ("--preset qat", "--preset was fine-tune and is qat"),
        ("--val-share 0.5", "--val-share was 0.34 and is 0.5"),
        ("--class-weights", "--class-weights was off and is on"),
        ("--qat int8", "--qat int8 was not given; leave --qat out, or "),
        ("--variant vit-nano", "--variant vit-nano was not given; leave --variant out, or "),
        ("--resize letterbox", "--resize was squash and is letterbox"),
        (f"--from {other}", f"it began from {start}, not from {other} as it is; give that again by --from"),
    ):
        code, _, err = train("--resume", *words.split())
        assert (code, err.count("\n")) == (1, 1), err
        assert said in err
    start.rename(tmp_path / "moved.keras")
    code, _, err = train("--resume")
    assert code == 1
    assert f"it began from {start}, and there is none; give that by --from" in err
    assert train("--resume", "--from", tmp_path / "moved.keras")[0] == 130
    assert read(tmp_path / "m.run").request == before


def test_fresh_weights_have_a_variant(train, interrupted, start, tmp_path):
    assert train("--variant", "vit-nano", "--resolutions", "32", "--preset", "small-data")[0] == 130
    assert train("--resume")[0] == 130
    assert interrupted[-1] == interrupted[0]
    for words, said in (
        ("--variant vit-tiny", "--variant was vit-nano and is vit-tiny"),
        (f"--from {start}", f"--from {start} was not given; leave --from out"),
    ):
        code, _, err = train("--resume", *words.split())
        assert code == 1
        assert said in err


def test_of_masks(run, interrupted, tmp_path, monkeypatch):
    monkeypatch.setattr("edgevit.training.dense_run.VALIDATING_PANELS", 4)
    drawn = ("train", "synthetic", "-o", tmp_path / "m.keras", "--quiet")
    begun = ("--task", "segment", "--pictures", "20", "--resolutions", "32", "--variant", "vit-nano", "--epochs", "2")
    assert run(*drawn, *begun)[0] == 130
    assert run(*drawn, "--resume")[0] == 130
    assert interrupted[-1] == interrupted[0]
    for words, said in (
        ("--task classify", "--task was segment and is classify"),
        ("--pictures 30", "--pictures was 20 and is 30"),
    ):
        code, _, err = run(*drawn, "--resume", *words.split())
        assert (code, err.count("\n")) == (1, 1)
        assert said in err


def test_a_state_of_an_older_edgevit(train, start, interrupted, tmp_path):
    """It knows all but where the start lay, and little things."""
    assert train("--from", start, *BEGUN)[0] == 130
    state = read(tmp_path / "m.run")
    state.begun = {}
    state.write(tmp_path / "m.run")
    code, _, err = train("--resume")
    assert code == 1
    assert "it began from a model; give that again by --from" in err
    assert train("--resume", "--from", start, "--val-share", "0.34")[0] == 130
    assert interrupted[-1] == interrupted[0]


def test_nothing_to_resume(train, tmp_path):
    code, _, err = train("--resume")
    assert (code, err.count("\n")) == (1, 1)
    assert f"nothing to resume: there is no {tmp_path / 'm.run'}; without --resume a run begins" in err
    (tmp_path / "m.run").mkdir()
    code, _, err = train("--resume")
    assert code == 1
    assert f"nothing to resume: {tmp_path / 'm.run'} has no state.npz" in err
    assert not (tmp_path / "m.keras").exists()
