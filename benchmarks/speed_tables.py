"""The lines of docs/speed.md that are figures."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import DOT_PRODUCTS, result, table

TIMES = (("median_ms", 1), ("times_faster_than_float32", 2))
NAMES = {
    "float32": "`float32`",
    "int8": "`int8`",
    "int8-attention": "`int8-attention`",
    "int8-products": "`int8-products`",
    "openvino": "OpenVINO",
    "openvino-f32": "OpenVINO, float32 attention",
    "onnxruntime": "ONNX Runtime",
}


PEERS = [name for name in NAMES if name.startswith("o")]
ON_DOT_PRODUCTS = ["int8", "int8-attention", *PEERS]
NEWER = "avx512_vnni avx_vnni"
"""Processors that were timed with `int8-products` as well."""


def latency() -> Iterator[str]:
    yield from beside_peers(DOT_PRODUCTS, ON_DOT_PRODUCTS, best="int8-attention")


def latency_products() -> Iterator[str]:
    yield from beside_peers(NEWER, ["int8", "int8-attention", "int8-products", *PEERS], best="int8-products")
    yield ""
    rows = [row for row in result("peers")["latency"] if row["int8_dot_products"] == NEWER]
    yield f"2 cores of an {rows[0]['cpu']} with AVX512-VNNI, AVX512-BF16 and AMX, {max(row['date'] for row in rows)}."


def latency_without() -> Iterator[str]:
    yield from beside_peers("none", ["float32", "int8", *PEERS], best="float32")
    yield ""
    (date,) = {row["date"] for row in result("peers")["latency"] if row["int8_dot_products"] == "none"}
    yield f"An x86-64 with AVX2 and no VNNI, {date}."


def beside_peers(kind: str, names: list[str], *, best: str) -> Iterator[str]:
    """On processors of a kind. best: of ours, the one that is held against all."""
    rows = [
        [
            str(row["resolution"]),
            str(row["threads"]),
            *(f"{row['median_ms'][name]:.1f}" for name in names),
            *(f"{row['ours_over_theirs'][best][name]:.2f}" for name in PEERS),
            f"{row['ours_over_theirs']['int8']['openvino']:.2f}",
        ]
        for row in result("peers")["latency"]
        if row["int8_dot_products"] == kind
    ]
    ratios = [f"`{best}` / {NAMES[name]}" for name in PEERS]
    head = ["resolution", "threads", *(f"{NAMES[name]}, ms" for name in names), *ratios, "`int8` / OpenVINO"]
    yield from table(head, rows)


def by_recipe() -> Iterator[str]:
    figures = result("recipe_latency")
    for threads in (1, 2):
        rows = [row for row in figures["rows"] if row["threads"] == threads]
        names = list(rows[0]["times_faster_than_float32"])
        body = []
        for row in rows:
            cells = [str(row["resolution"]), *(f"{row['median_ms'][name]:.1f}" for name in names)]
            body.append([*cells, f"{row['times_faster_than_float32']['int8']:.2f}"])
        head = [f"{threads} thread{'s' if threads > 1 else ''}", *(f"`{name}`" for name in names)]
        yield from table([*head, "`int8`, times faster than `float32`"], body)
        yield ""
    yield (
        f"Milliseconds; {figures['machine']['cpu']}, LiteRT {figures['versions']['ai-edge-litert']}, {figures['date']}."
    )


def dot_products() -> Iterator[str]:
    figures = result("recipes")
    kinds = figures["timed_on"]
    rows = [
        [f"`{row['recipe']}`", *(f"{row['timed'][kind][key]:.{digits}f}" for kind in kinds for key, digits in TIMES)]
        for row in figures["rows"]
        if set(kinds) <= set(row["timed"])
    ]
    head = [f"{kind}, {what}" for kind in kinds for what in ("ms", "times faster than `float32`")]
    yield from table(["DeiT-Tiny at 224, one thread", *head], rows)
    yield ""
    yield "; ".join(f"{kind}: {about['cpu']}, {about['date']}" for kind, about in kinds.items()) + "."


def agreement() -> Iterator[str]:
    figures = result("peers")
    measured = [row for row in figures["latency"] if row["int8_dot_products"] == DOT_PRODUCTS]
    single = {row["resolution"]: row["peak_rss_bytes"] for row in measured if row["threads"] == 1}
    rows = [
        [
            str(row["resolution"]),
            str(row["pictures"]),
            *(f"{row['with_float'][name]:.1%}" for name in ON_DOT_PRODUCTS),
            *(f"{single[row['resolution']][name] / 1e6:.0f}" for name in ON_DOT_PRODUCTS),
        ]
        for row in figures["agreement"]
        if row["int8_dot_products"] == DOT_PRODUCTS
    ]
    agrees = [f"{NAMES[name]} agrees" for name in ON_DOT_PRODUCTS]
    memory = [f"{NAMES[name]}, MB" for name in ON_DOT_PRODUCTS]
    yield from table(["resolution", "pictures", *agrees, *memory], rows)
    yield ""
    peers = ", ".join(f"{name} {version}" for name, version in figures["peers"].items())
    yield (
        f"{figures['machine']['cores']} cores of an {measured[0]['cpu']}, LiteRT "
        f"{figures['versions']['ai-edge-litert']}, {peers}; {measured[0]['date']}."
    )


def peaks() -> Iterator[str]:
    figures = result("peaks")
    int8, float32 = figures["int8_peak_gmacs_per_s"], figures["float32_peak_gmacs_per_s"]
    yield f"Peaks of one thread: {int8:.0f} GMAC/s in int8, {float32:.0f} in float32. What DeiT-Tiny reaches:"
    yield ""
    rows = [
        [
            f"`{row['recipe']}`",
            str(row["resolution"]),
            f"{row['linear_gmacs_per_s']:.0f}",
            f"{row['linear_gmacs_per_s'] / int8:.0%}",
            f"{row['attention_gmacs_per_s']:.0f}",
            f"{row['attention_gmacs_per_s'] / float32:.0%}",
            ", ".join(f"{kind} {milliseconds:.1f}" for kind, milliseconds in [*row["ms"].items()][:5]),
        ]
        for row in figures["rows"]
    ]
    head = ["recipe", "resolution", "linear, GMAC/s", "of the int8 peak", "products, GMAC/s", "of the float32 peak"]
    yield from table([*head, "ms by operator"], rows)


def tried() -> Iterator[str]:
    figures = result("attention")
    cores = figures["cores"]
    rows = [
        [f"`{name}`", *(f"{core['formulations'][name]['over_plain']:.2f}" for core in cores)]
        for name in cores[0]["formulations"]
        if name != "plain"
    ]
    yield from table(["formulation", *(f"N = {core['tokens']}" for core in cores)], rows)
    yield ""
    rows = [
        [f"`{name}`", f"{row['median_ms']:.1f}", f"{row['over_int8']:.2f}", f"{row['agreement']:.1%}"]
        for name, row in figures["recipes"].items()
    ]
    yield from table(["products in int8", "ms", "of `int8`", f"agreement, {figures['pictures']} pictures"], rows)


SECTIONS = {
    "latency": latency,
    "latency products": latency_products,
    "latency without": latency_without,
    "by recipe": by_recipe,
    "dot products": dot_products,
    "agreement": agreement,
    "peaks": peaks,
    "tried": tried,
}
