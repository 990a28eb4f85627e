"""The lines of runtimes/python/README.md that are figures."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import result, table


def runtime() -> Iterator[str]:
    startup, overhead, ladder = result("runtime_startup"), result("runtime_overhead"), result("ladder")
    serve, fuzz = result("runtime_serve"), result("fuzz")
    bare, imports = startup["install"]["edgevit-runtime"], startup["import_s"]
    pictures_mb = startup["install"]["edgevit-runtime[pictures]"]["installed_mb"] - bare["installed_mb"]
    yield (
        f"- `pip install edgevit-runtime` brings {bare['count']} packages, {bare['installed_mb']:.0f} MB, of which "
        f"{bare['edgevit_runtime_mb']:.1f} MB are edgevit's; `[pictures]` adds {pictures_mb:.0f} MB. "
        f"`from edgevit_runtime import Model` takes {imports['from edgevit_runtime import Model']:.2f} s, of which "
        f"numpy {imports['import numpy']:.2f} s."
    )
    yield "- From a process's start to its first answer, DeiT-Tiny `int8` at 224, a JPEG, beside scripts of ten lines:"
    yield ""
    names = list(startup["224 alone"]["median_s"])
    yield from table(
        ["", *names],
        [
            [what, *(f"{startup[what]['median_s'][name]:.3f} s" for name in names)]
            for what in ("224 alone", "ladder of 8")
        ],
    )
    yield ""
    over = overhead["overhead"]["over_bare"]
    yield (
        f"- `classify` of a 224 x 224 array takes {over['classify, native'] - 1:+.1%} of the time of LiteRT's bare "
        f"`Interpreter.invoke()` ({overhead['overhead']['median_ms']['bare invoke']:.1f} ms), "
        f"{over['classify, native, with resizing'] - 1:+.1%} where a photo has to be resized first."
    )
    rates = overhead["threads"]["pictures_per_s"]
    yield f"- Pictures a second at 224 on two cores: {', '.join(f'{name} {rate:.0f}' for name, rate in rates.items())}."
    yield (
        f"- A ladder of eight, all used: {ladder['rss_above_empty_mb']:.0f} MB above an empty interpreter's process; "
        f"loaded in {ladder['load_ms']:.0f} ms, at first in {ladder['cold_load_ms']:.0f} ms (verified, and its "
        "weights packed)."
    )
    busy, patient = serve["runs"]
    yield (
        f"- `serve` at 128 under {serve['connections']} connections for {serve['seconds']} s: "
        f"{patient['answers_per_s']:.0f} answers a second, {busy['wrong'] + patient['wrong']} wrong, 99 % within "
        f"{patient['p99_ms'] / 1e3:.2f} s with a queue of {patient['queue']}; with the usual {busy['queue']}, "
        f"{busy['busy_503']:,} times 503 beside {busy['answers']:,} answers. Memory "
        f"{patient['rss_mb']['after 5 s']:.0f} MB after 5 s, {list(patient['rss_mb'].values())[-1]:.0f} MB after 65 s."
    )
    tries, without = fuzz["tries"], fuzz["outcomes"]["not verified"].items()
    others = ("pictures", "cache bits", "not verified")
    artefacts = sum(count for kind, count in tries.items() if kind not in others)
    crashed = sum(count for name, count in without if name.startswith(("crashed", "hung")))
    yield (
        f"- {artefacts:,} damaged artefacts, in {tries['quantization']:,} of them the scales of a tensor, and "
        f"{tries['pictures']:,} damaged pictures: {len(fuzz['odd']) or 'no'} crash, hang, growth beyond 1.5 GB or "
        f"error that is not ours. Without the verifier, {crashed} of {sum(count for _, count in without):,} changed "
        f"scales crash the process. {tries['cache bits']:,} single bits of cache files: each was found, and made again."
    )
    yield ""
    yield "`budget_ms` beside processes that take the cores (95th percentiles; 2 cores, 1 thread, 20 s each):"
    yield ""
    rows = []
    for run in result("runtime_budget")["runs"]:
        for phase in run["phases"]:
            used = ", ".join(f"{key}: {count / phase['inferences']:.0%}" for key, count in phase["resolutions"].items())
            rows.append(
                [
                    f"{run['budget_ms']:g} ms",
                    str(phase["hogs"]),
                    f"{phase['p95_ms']:.1f} ms",
                    f"{phase['within_budget']:.1%}",
                    f"{phase['said_it_cannot']:.0%}",
                    used,
                ]
            )
    yield from table(["budget", "hogs", "p95", "within", "said that it is not met", "resolutions used"], rows)
    yield ""
    yield (
        f"{startup['machine']['cores']} cores of an {startup['machine']['cpu']}, LiteRT "
        f"{startup['versions']['ai-edge-litert']}, {startup['date']}: benchmarks/runtime_*.py, ladder.py, fuzz.py."
    )


SECTIONS = {"runtime": runtime}
