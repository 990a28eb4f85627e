#!/usr/bin/env python
"""Keeps what timm, transformers and KerasHub write and answer under tests/references, for tests without them.

    pip install -e '.[test,torch,keras-hub]' && pip install --no-deps timm==1.0.31
    python tools/store_references.py

The models are small and their weights random numbers from a seed. What a missing library would make stays as it is.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "runtimes" / "python"), str(ROOT / "tests")]

from support.library_references import STORED, make  # noqa: E402
from support.stored_references import store  # noqa: E402
from support.text_references import TEXT_REFERENCES  # noqa: E402


def main() -> None:
    for name in (*STORED, *TEXT_REFERENCES):
        with tempfile.TemporaryDirectory() as folder:
            try:
                make_text = TEXT_REFERENCES.get(name)
                reference = make(name, Path(folder)) if make_text is None else make_text(Path(folder))
            except ImportError as error:
                print(f"{name}: left as it is: {error}")
                continue
            path = store(name, reference)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB, {reference.library}")


if __name__ == "__main__":
    main()
