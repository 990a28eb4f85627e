"""The tables of docs/measuring.md."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import result, table


def heat() -> Iterator[str]:
    ways = result("measuring")["simulated"]
    resolutions = list(next(iter(ways.values()))["slower"])
    rows = [
        [
            name,
            *(f"{found['slower'][each]:.2f}{'?' if int(each) in found['marked'] else ''}" for each in resolutions),
            f"{found['took_s']:.0f} s",
        ]
        for name, found in ways.items()
    ]
    yield from table(["latency over that of the cool board", *resolutions, "took"], rows)


def load() -> Iterator[str]:
    figures = result("measuring")
    rows = [
        [
            str(run["hogs"]),
            *(f"{'?' if each['why'] else ''}{'' if each['stable'] else '~'}{each['median_ms']:.2f}" for each in points),
            f"{max(each['other_cores'] for each in points):.2f}",
            ", ".join(sorted({why for each in points for why in each["why"]})) or "–",
        ]
        for run in figures["real"]
        for points in [run["points"]]
    ]
    names = [f"{each['resolution']}, ms" for each in figures["real"][0]["points"]]
    yield from table(["hogs", *names, "others used", "marked for"], rows)
    yield ""
    yield (
        f"{figures['model']}, one thread, {figures['machine']['cores']} cores of an {figures['machine']['cpu']}, "
        f"{figures['date']}: benchmarks/measuring.py."
    )


SECTIONS = {"heat": heat, "load": load}
