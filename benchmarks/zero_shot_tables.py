"""The table of docs/zero_shot.md: combinations that no caption spoke of, named by text alone."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import processor, result, table


def zero_shot() -> Iterator[str]:
    figures = result("zero_shot")
    named, training, combinations = figures["named"], figures["training"], figures["combinations"]
    rows = []
    for each in named:
        exact, small = each["float"][-1], each["int8"][-1]
        count, templates = each["labels"], each["templates"]
        known = "none" if count == combinations["unseen"] else combinations["seen"]
        rows.append(
            [
                f"{count}, {known} of them in captions",
                f"`{templates[0]}`" if len(templates) == 1 else f"{len(templates)}, averaged",
                f"{exact['top1']:.1%} ± {exact['top1_margin']:.1%}",
                f"{small['top1']:.1%}",
                f"{small['agreement']:.1%}",
                f"{1 / count:.1%}",
            ]
        )
    yield from table(["labels", "templates", "float32 top-1", "`int8` top-1", "agreement", "by chance"], rows)
    yield ""
    yield (
        f"{named[0]['pictures']} pictures of the {combinations['unseen']} combinations that no caption spoke of, at "
        f"{named[0]['float'][-1]['resolution']} pixels; `{training['variant']}` and its text tower, "
        f"{training['parameters'] / 1e6:.2f} M parameters, {figures['drawn']:,} drawn pictures, "
        f"{len(training['epochs'])} epochs, {training['seconds'] / 60:.0f} minutes on a busy {processor(figures)}; "
        f"{figures['date']}. Among all combinations the model prefers those that it knows."
    )
    relabel = figures["relabel"]
    tested = "passed" if relabel["passed"] else "failed"
    yield (
        f"`edgevit relabel` took {relabel['median_s']:.2f} s (median) at a load of {relabel['load_1min']:.0f} on "
        f"{figures['machine']['cores']} cores, {relabel['processor_s']:.2f} s of processor time, start of Python "
        f"included; the file's self-test {tested} afterwards."
    )


SECTIONS = {"zero-shot": zero_shot}
