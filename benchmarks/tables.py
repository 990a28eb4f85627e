"""Writes the tables of README.md and docs from benchmarks/results, between the marks <!-- name --> and <!-- /name -->.

`python benchmarks/tables.py --check` changes nothing and fails where a page says something else; a test runs it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from arm_tables import SECTIONS as ARM
from converters.quantize.recipes import RECIPES
from dense_tables import SECTIONS as DENSE
from embedding_tables import SECTIONS as EMBEDDING
from gpu_tables import SECTIONS as GPU
from measuring_tables import SECTIONS as MEASURING
from other_tables import SECTIONS as OTHER
from prediction_tables import SECTIONS as PREDICTION
from quantization_tables import SECTIONS as QUANTIZATION
from quantization_tables import gpu, ladder
from record import ROOT
from runtime_tables import SECTIONS as RUNTIME
from self_test_tables import SECTIONS as SELF_TEST
from serve_tables import SECTIONS as SERVE
from speed_tables import SECTIONS as SPEED
from task_tables import SECTIONS as TASKS
from training_tables import DOT_PRODUCTS, result, table
from training_tables import SECTIONS as TRAINING
from zero_shot_tables import SECTIONS as ZERO_SHOT


def demo() -> Iterator[str]:
    figures = result("demo")
    evaluation, profile = figures["evaluation"], figures["profile"]
    rows = [
        [
            str(keras["resolution"]),
            str(point["tokens"]),
            f"{keras['top1']:.1%}",
            f"{int8['top1']:.1%}",
            f"{int8['agreement']:.1%}",
            f"{point['latency_ms']['median']:.3f}",
            f"{fitted['quadratic_share']:.0%}",
        ]
        for keras, int8, point, fitted in zip(
            evaluation["results"],
            evaluation["against"]["results"],
            profile["points"],
            profile["curve"]["points"],
            strict=True,
        )
    ]
    head = ["resolution", "tokens N", "float top-1", "int8 top-1", "agreement", "ms", "of it N²"]
    yield from table(head, rows)
    curve = profile["curve"]
    size_mb = figures["artefact"]["size_bytes"] / 1e6
    yield ""
    yield (
        f"One artefact of {size_mb:.2f} MB; "
        f"t(N) = {curve['a_ms']:.3f} ms + {curve['b_ms_per_token'] * 1e3:.2f} µs · N + "
        f"{curve['c_ms_per_token2'] * 1e6:.1f} ns · N², R² {curve['r2']:.4f}; {profile['threads']} thread of an "
        f"{figures['machine']['cpu']}, {evaluation['images']} pictures that training never saw."
    )


def recipes() -> Iterator[str]:
    measured = {row["recipe"]: row for row in result("recipes")["rows"]}
    rows = [[f"`{name}`", recipe.summary, *_measured(measured[name])] for name, recipe in RECIPES.items()]
    yield from table(["recipe", "what it does", "MB", "ms", "top-1", "agrees with float", "XNNPACK partitions"], rows)
    yield ""
    yield (
        "DeiT-Tiny at 224, one thread, all timed in one interleaved run on a processor with int8 dot products "
        "(AVX512-VNNI; [others](docs/speed.md#without-int8-dot-products)); 1300 ImageNet validation pictures, an "
        "easier selection than the whole set: not to be quoted as ImageNet accuracy. `int8-products` was not timed "
        "there: [docs/arm.md](docs/arm.md#forms-of-attention) has what it keeps, and counts it."
    )


def _measured(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['size_bytes'] / 1e6:.2f}",
        f"{row['timed'][DOT_PRODUCTS]['median_ms']:.1f}" if DOT_PRODUCTS in row["timed"] else "–",
        f"{row['top1']:.2%}",
        f"{row['agreement_with_float']:.2%}",
        str(row["partitions"]),
    ]


def deit() -> Iterator[str]:
    parity, ladder, curve, startup = (result(name) for name in ("parity", "ladder", "curve", "startup"))
    for name, what in (("keras", "imported Keras model"), ("float32_artefact", "`float32` artefact")):
        each = parity[name]
        yield (
            f"- The {what} gives the reference's class on {each['top1_agreement']} of {parity['pictures']} pictures; "
            f"largest difference of a logit {each['max_logit_difference']:.1e}."
        )
    worst = max(row["max_score_difference"] for row in ladder["rows"] + ladder["rows_of_sixteen"])
    equal = "to the last bit" if worst == 0.0 else f"but for {worst:.0e}"
    int8 = next(row for row in ladder["by_recipe"] if row["recipe"] == "int8")
    yield (
        f"- One resolution in `int8` takes {int8['one_bytes'] / 1e6:.2f} MB, eight {int8['eight_bytes'] / 1e6:.2f} MB "
        f"({int8['eight_over_one']:.3f} times), sixteen {int8['sixteen_bytes'] / 1e6:.2f} MB "
        f"({int8['sixteen_over_one']:.3f} times). Scores equal a single-resolution artefact's {equal}. With all eight "
        f"used, {ladder['rss_above_empty_mb']:.0f} MB of memory above an empty interpreter."
    )
    fit = curve["curve"]
    yield (
        f"- The latency curve over {len(curve['points'])} resolutions: R² {fit['r2']:.4f}; linear and quadratic parts "
        f"are equal at N = {fit['crossover_tokens']:.0f}. Each resolution, predicted from the others:"
    )
    yield ""
    rows = [
        [
            str(point["resolution"]),
            str(point["tokens"]),
            f"{point['latency_ms']['median']:.2f}",
            f"{fitted['fitted_ms']:.2f}",
            f"{fitted['quadratic_share']:.0%}",
            f"{fitted['leave_one_out_error']:+.1%}",
        ]
        for point, fitted in zip(curve["points"], fit["points"], strict=True)
    ]
    yield from table(["resolution", "tokens N", "ms", "fitted ms", "of it N²", "left-out error"], rows)
    yield ""
    yield (
        f"One thread of an {curve['machine']['cpu']}, LiteRT {curve['versions']['ai-edge-litert']}, {curve['date']}. "
        f"`edgevit --help` takes {startup['rows']['edgevit --help']['median_s']:.2f} s."
    )


def checkpoints() -> Iterator[str]:
    figures = result("checkpoints")
    rows = [
        [
            row["name"],
            row["library"],
            f"{row['depth']} blocks of {row['width']}, {row['resolution']} px",
            f"{row['compared']}, {row['largest_answer']:.1f}",
            f"{row['max_difference']:.1e}",
            f"{row['cosine_mean']:.4f} ({row['cosine_least']:.4f})",
            str(row["partitions"]),
            f"{row['ops_added']:+d}" if row["ops_added"] else "0",
        ]
        for row in figures["rows"]
    ]
    headings = ["checkpoint", "made and run by", "model", "output compared, its largest value", "largest difference"]
    yield from table([*headings, "`int8` cosine (least)", "partitions", "ops added"], rows)
    yield ""
    yield (
        "Random weights. Difference: 4 pictures (2 of ECViT and of other resolutions), float32; features are the class "
        "token after the last norm, tokens those of the patches after the last block, vectors have length 1. Cosine: "
        f"of an `int8` artefact's vector to the model's own, mean and least of {figures['pictures']} drawn pictures, "
        "without calibration; ops added: to those of a plain ViT of this width and depth. With the tanh GELU that JAX "
        "computes, the original's logits differ by "
        f"{figures['original_with_tanh_gelu']:.1e}."
    )


def phone() -> Iterator[str]:
    yield from as_without("phone", "adb")


def devices() -> Iterator[str]:
    yield from as_without("devices", "ssh")


def as_without(name: str, way: str) -> Iterator[str]:
    figures = result(name)
    rows = [
        [
            str(row["resolution"]),
            f"{min(row['local_ms']):.2f}",
            f"{min(row[f'{way}_ms']):.2f}",
            f"{row['difference']:+.1%}",
            f"{row['local_second_best']:+.1%}",
        ]
        for row in figures["rows"]
    ]
    yield from table(["resolution", "local, ms", f"through {way}, ms", "difference", "local's second best round"], rows)
    yield ""
    yield (
        f"DeiT-Tiny int8, one thread of an {figures['machine']['cpu']} that is both, the best of "
        f"{len(figures['rows'][0]['local_ms'])} rounds in turns; {figures['date']}."
    )


def others() -> Iterator[str]:
    found = result("others")
    rows = []
    for row in found["rows"]:
        mediapipe, web = row["mediapipe"], row["litertjs"]
        rows.append(
            [
                f"`{row['recipe']}`",
                f"{mediapipe['same_top5_names']} of {mediapipe['pictures']}, {mediapipe['max_score_difference']:.0e}",
                f"{row['tf_lite']['max_score_difference']:.0e}",
                "runs" if row["litert_benchmark"]["median_ms"] > 0 else "–",
                f"{web['max_score_difference']:.0e}",
            ]
        )
    heads = ["recipe", "MediaPipe: same top 5, scores", "`tf.lite`: scores", "`litert-benchmark`", "LiteRT.js: scores"]
    yield from table(heads, rows)
    yield ""
    versions, web = found["versions"], found["rows"][0]["litertjs"]
    yield (
        f"{found['model']}; scores: the largest difference from edgevit-runtime's. MediaPipe "
        f"{found['tools']['mediapipe']}, TensorFlow {versions['tensorflow']}, LiteRT {versions['ai-edge-litert']}, "
        f"@litertjs/core {web['version']} on WebAssembly in {found['tools']['chromium']}; one thread, {found['date']}."
    )


PAGES = {
    "README.md": {"demo": demo, "recipes": recipes, "deit": deit},
    "docs/android.md": {"phone": phone},
    "docs/devices.md": {"devices": devices},
    "docs/checkpoints.md": {"checkpoints": checkpoints},
    "docs/comparing.md": PREDICTION,
    "docs/arm.md": ARM,
    "docs/artefact.md": {**SELF_TEST, "others": others, "ladder": ladder},
    "docs/gpu.md": {"gpu": gpu, **GPU},
    "docs/embedding.md": EMBEDDING,
    "docs/other_models.md": OTHER,
    "docs/measuring.md": MEASURING,
    "docs/quantization.md": QUANTIZATION,
    "docs/serving.md": SERVE,
    "docs/speed.md": SPEED,
    "docs/tasks.md": {**TASKS, **DENSE},
    "docs/training.md": TRAINING,
    "docs/zero_shot.md": ZERO_SHOT,
    "runtimes/python/README.md": RUNTIME,
}


def _filled(body: str, marks: re.Match[str]) -> str:
    return f"{marks[1]}{body}\n{marks[2]}"


def main() -> None:
    for page, sections in PAGES.items():
        path = ROOT / page
        text = before = path.read_text(encoding="utf-8")
        for name, lines in sections.items():
            pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
            body = "\n".join(lines())
            text, count = pattern.subn(partial(_filled, body), text)
            if count != 1:
                sys.exit(f"{page} has {count} sections <!-- {name} -->, not one")
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif text != before:
            sys.exit(f"{page} differs from benchmarks/results: run `python benchmarks/tables.py`")


if __name__ == "__main__":
    main()
