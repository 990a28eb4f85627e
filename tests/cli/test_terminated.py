"""SIGTERM, as `kill`, systemd and a container's end send it: what is half done goes, as with Ctrl-C."""

import os
import re
import signal
import subprocess
import sys

import pytest

from support.waiting import LIMIT_S, until


@pytest.mark.slow
def test_terminated(tmp_path, class_folder):
    """A training leaves nothing: TensorFlow's generated sources go when Python ends, and only if it ends by itself."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-P", "-c", "from edgevit.cli import main; main()", "train", str(class_folder)]
    command += ["-o", str(tmp_path / "out.keras"), "--variant", "vit-nano", "--resolutions", "64", "--epochs", "5000"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        until((tmp_path / "out.run" / "history.csv").exists, alive=lambda: training.poll() is None)
        training.send_signal(signal.SIGTERM)
        _, err = training.communicate(timeout=LIMIT_S)
    assert training.returncode == 143
    last = err.splitlines()[-1]
    assert re.fullmatch(r"edgevit: terminated after epoch \d+ of 5000: the same command with --resume goes on", last)
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out.keras").exists()
