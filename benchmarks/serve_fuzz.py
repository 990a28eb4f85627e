"""`edgevit-run serve` under damaged requests: does anything crash, hang, or get an answer that is not ours?

`python benchmarks/serve_fuzz.py` sends `REQUESTS` of them, drawn from seeds, to one process: heads composed of what is
odd, bytes changed, fields added, cut off, pipelined, noise; in pieces, with some connections reset. Each has to be
answered by JSON of ours, or its connection ended, within 20 s. Between them a right picture has to get its right
answer. The damage: tests/support/http_mutations.py.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgevit_runtime import Model
from record import ROOT, write
from runtime_serve import rss_mb, server
from support.http_mutations import damaged
from support.sample_pictures import random_picture
from support.serving import survive

REQUESTS, CLIENTS, LIMIT_S, HONEST_EVERY = 50_000, 4, 20.0, 500
MODEL = ROOT / "runtimes" / "contract" / "golden" / "dials-int8.tflite"


def main() -> None:
    file = io.BytesIO()
    random_picture(1).save(file, "PNG")
    picture = file.getvalue()
    with Model(MODEL) as model:
        expected = json.loads(json.dumps(model.classify(picture).to_dict()["top"]))
    kinds: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    faults: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, server(MODEL, Path(name)) as (process, url):
        place = urlsplit(url)
        address = (str(place.hostname), int(place.port or 0))

        def trial(seed: int) -> tuple[str, list[int], str, float]:
            each = damaged(seed, picture)
            begun = time.monotonic()
            try:
                found, fault = survive(address, each.pieces, reset=each.reset, limit_s=LIMIT_S), ""
            except Exception as problem:
                found, fault = [], type(problem).__name__
                print(seed, each.kind, repr(problem)[:500], flush=True)
            return each.kind, found, fault, time.monotonic() - begun

        longest_s, honest_s = 0.0, []
        with ThreadPoolExecutor(CLIENTS) as pool:
            for first in range(0, REQUESTS, HONEST_EVERY):
                results = pool.map(trial, range(first, min(first + HONEST_EVERY, REQUESTS)))
                begun = time.monotonic()
                with urllib.request.urlopen(f"{url}/classify", picture, timeout=LIMIT_S) as answer:
                    assert json.load(answer)["top"] == expected
                honest_s.append(time.monotonic() - begun)
                for kind, found, fault, took_s in results:
                    kinds[kind] += 1
                    codes.update(found)
                    faults.update([fault] if fault else [])
                    longest_s = max(longest_s, took_s)
        memory_mb = rss_mb(process)
        metrics = urllib.request.urlopen(f"{url}/metrics", timeout=LIMIT_S).read().decode().splitlines()
        alive = process.poll() is None
    document: dict[str, Any] = {
        "requests": sum(kinds.values()),
        "by_kind": dict(kinds),
        "answers_by_code": {str(code): codes[code] for code in sorted(codes)},
        "faults": dict(faults),
        "longest_s": round(longest_s, 3),
        "right_pictures_between": len(honest_s),
        "right_pictures_longest_s": round(max(honest_s), 3),
        "alive_at_the_end": alive,
        "exit_code": process.returncode,
        "rss_mb_at_the_end": memory_mb,
        "counted_500": sum(int(line.rsplit(" ", 1)[1]) for line in metrics if 'total{code="500"}' in line),
        "open_at_the_end": next(int(line.split()[1]) for line in metrics if line.startswith("edgevit_connections ")),
    }
    print(json.dumps(document, indent=1))
    write("serve_fuzz", document)


if __name__ == "__main__":
    main()
