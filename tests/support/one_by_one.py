"""A program for the device: runs many `edgevit-run …` in one process, one after the other.

Where Python and its imports take seconds, as under qemu, each command line need not pay for them again. Standard input
is JSON, `{name: [words]}`. A line of JSON is written for each as soon as it has ended: what ends the process takes none
of those before it along. Knows the standard library and edgevit_runtime only.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import tempfile
import traceback


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for name, words in json.load(sys.stdin).items():
        answers.write(json.dumps({"name": name, **_outcome(words)}) + "\n")
        answers.flush()


def _outcome(words: list[str]) -> dict[str, object]:
    """What `python -m edgevit_runtime WORDS` answers; what native code writes is caught, too."""
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.argv[1:] = words
        try:
            runpy.run_module("edgevit_runtime", run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception:
            traceback.print_exc()
            code = 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, each in enumerate(kept, 1):
                os.dup2(each, number)
                os.close(each)
        out.seek(0)
        err.seek(0)
        return {"returncode": code, "stdout": out.read(), "stderr": err.read()}


if __name__ == "__main__":
    main()
