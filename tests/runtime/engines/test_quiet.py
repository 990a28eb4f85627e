"""What native code writes to standard error is held back, by however many threads at once."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import edgevit_runtime
from edgevit_runtime.engines.quiet import quiet

TWO = """
import os, threading
from edgevit_runtime.engines.quiet import quiet
first_in, second_in, first_out = (threading.Event() for _ in range(3))
def first():
    with quiet():
        first_in.set()
        second_in.wait()
        os.write(2, b"held back\\n")
    first_out.set()
def second():
    first_in.wait()
    with quiet():
        second_in.set()
        first_out.wait()
        os.write(2, b"held back, too\\n")
threads = [threading.Thread(target=each) for each in (first, second)]
[each.start() for each in threads]
[each.join() for each in threads]
os.write(2, b"shown\\n")
"""


def in_a_process(code):
    """(exit code, standard error) of Python code in a process of its own, whose standard error it changes."""
    environment = {**os.environ, "PYTHONPATH": str(Path(edgevit_runtime.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stderr


def test_threads_that_overlap():
    assert in_a_process(TWO) == (0, "shown\n")


def test_an_exception_brings_the_errors():
    code = (
        "import os\nfrom edgevit_runtime.engines.quiet import quiet\n"
        "with quiet():\n    os.write(2, b'INFO: chatter\\nERROR: no such op\\n')\n    raise SystemExit(3)"
    )
    assert in_a_process(code) == (3, "ERROR: no such op\n")


def test_no_standard_error_at_all():
    assert in_a_process(
        "import os\nfrom edgevit_runtime.engines.quiet import quiet\nos.close(2)\nwith quiet(): pass"
    ) == (
        0,
        "",
    )


@pytest.mark.parametrize("threads", [8])
def test_standard_error_is_the_same_afterwards(threads):
    before = os.fstat(2)

    def often():
        for _ in range(50):
            with quiet():
                pass

    workers = [threading.Thread(target=often) for _ in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert os.path.samestat(os.fstat(2), before)
