"""The tables of docs/other_models.md."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import result, table


def latency() -> Iterator[str]:
    found = result("other_models")
    rows = found["latency"]
    heads = ["resolution", *(f"{row['model']} `{row['recipe']}`, ms" for row in rows)]
    points = zip(*(row["points"] for row in rows), strict=True)
    yield from table(
        heads, [[str(some[0]["resolution"]), *(f"{each['median_ms']:.2f}" for each in some)] for some in points]
    )
    yield ""
    yield "| model | recipe | MB | MACs at 224 | t(N) = | R² | of it N² at 384 |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        curve, at = row["curve"], {each["resolution"]: each for each in row["points"]}
        terms = (curve["a_ms"], 1e3 * curve["b_ms_per_token"], 1e6 * curve["c_ms_per_token2"])
        yield (
            f"| {row['model']} | `{row['recipe']}` | {row['size_bytes'] / 1e6:.1f} | "
            f"{sum(at[224]['macs'].values()) / 1e6:.0f} M | "
            "{:.2f} ms + {:.2f} µs · N + {:.1f} ns · N² | ".format(*terms)
            + f"{curve['r2']:.4f} | {at[384]['quadratic_share']:.0%} |"
        )
    yield ""
    yield (
        f"One interleaved run, one thread of {found['machine']['cpu']}, LiteRT {found['versions']['ai-edge-litert']}, "
        f"{found['date']}. MobileNetV3Small has random weights: its latency only."
    )


def accuracy() -> Iterator[str]:
    found = result("other_models")
    rows = []
    for row in found["agreement"]:
        own = row["recipe"] == "Keras"
        rows.append(
            [
                "the Keras model" if own else f"`{row['recipe']}`",
                f"{row['top1']:.1%}",
                "" if own else f"{row['agreement_with_keras']:.1%}",
                "" if own else f"{row['largest_difference_of_a_score']:.1e}",
            ]
        )
    yield from table(["", "top-1", "agrees with Keras", "largest difference of a score"], rows)
    yield ""
    dials = found["dials"]
    yield (
        f"A small CNN (depthwise convolutions, squeeze and excite, hard swish) trained for {dials['epochs']} epochs on "
        f"{dials['training']} synthetic dials of {dials['size_px']} px; {dials['pictures']} others."
    )


SECTIONS = {"other-latency": latency, "other-accuracy": accuracy}
