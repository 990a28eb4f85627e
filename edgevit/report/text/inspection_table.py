"""An inspection, of an artefact as a table and a few lines, of a model as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from edgevit.config import ACTIVATIONS, POOLINGS, ROTARIES
from edgevit.image_text_config import DEFAULT_TEMPLATE, IMAGE_TEXT_SCORES
from edgevit.report.text.column_widths import whole_words
from edgevit.report.text.mixed_precision_table import accuracy_lines
from edgevit.report.text.recipe_choice_table import chosen_for_line
from edgevit.report.text.recipe_tables import recipe_lines
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.wording import counted

NORMS = {"input_norm": "a norm in front of them", "qk_norm": "queries and keys normalised"}
"""Fields of a config that say where a block has a norm more, and what that is."""

PROCESSORS = {"cpu": "CPU (XNNPACK)", "gpu": "GPU (LiteRT)", "npu": "NPU (Vela)"}
WHOLE = {
    "cpu": "in one partition",
    "gpu": "whole, where a device's GPU passes the self-test",
    "npu": "whole, by what Vela took so far",
}


def inspection_table(inspection: Mapping[str, Any]) -> Table:
    """One row a resolution of an `edgevit.inspection/1` document."""
    size_mb = inspection["size_bytes"] / 1e6
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=f"{inspection['model']}  {inspection['variant']}  {inspection['recipe']}  {size_mb:.2f} MB",
        title_justify="left",
    )
    for heading in (
        "signature",
        "tokens",
        "ops",
        "partitions",
        "linear MMACs",
        "attention MMACs",
        "attention share",
    ):
        table.add_column(heading, justify="right")
    for each in inspection["signatures"]:
        linear, attention = each["macs"]["linear"], each["macs"]["attention"]
        table.add_row(
            each["name"],
            str(each["tokens"]),
            str(each["ops"]),
            str(each["partitions"]),
            f"{linear / 1e6:.1f}",
            f"{attention / 1e6:.1f}",
            f"{attention / max(1, linear + attention):.0%}",
        )
    return whole_words(table)


def running_lines(inspection: Mapping[str, Any]) -> Iterator[str]:
    """Which processors run which signatures whole, and the op that stands in the way, a line for each verdict."""
    for processor, title in PROCESSORS.items():
        verdicts: dict[str | None, list[str]] = {}
        for each in inspection["signatures"]:
            verdicts.setdefault(each["runs_on"][processor]["in_the_way"], []).append(each["name"])
        for reason, names in verdicts.items():
            where = "every signature" if len(verdicts) == 1 else ", ".join(names)
            yield f"{title:14} {f'not whole, {reason}' if reason else WHOLE[processor]}: {where}"


def manifest_lines(inspection: Mapping[str, Any]) -> Iterator[str]:
    """The rest of the manifest, a line a fact."""
    manifest = inspection["manifest"]
    for name, summary in inspection["tasks"].items():
        first = next((each for each in manifest["signatures"] if each["task"] == name), None)
        if first is None:  # it is asked together with others alone
            yield f"{name:14} {summary}"
            continue
        outputs = ", ".join(f"{each['name']} {each['dtype']}" for each in first["outputs"])
        policy = parse_policy(first["preprocessing"]["policy"])
        taken = f"{first['input']['name']} {first['input']['dtype']} RGB"
        yield f"{name:14} {summary}"
        yield f"  input        {taken}, {first['preprocessing']['policy'].partition(',')[0]}, {policy.interpolation}"
        yield f"  outputs      {outputs}"
        if templates := manifest["tasks"][name].get("templates"):
            yield f"  templates    {_first_of(templates)}"
        if name in inspection["limits"]:
            yield f"  counted      {inspection['limits'][name]}"
    yield f"default        {manifest['default_resolution']} px"
    source = manifest["model"].get("source")
    if source:
        files = (f"{each['file']} (sha256 {each['sha256'][:12]}…)" for each in (source, *source.get("with", ())))
        yield f"made from      {', '.join(files)}"
    for line in recipe_lines(manifest["custom_recipe"]) if manifest.get("custom_recipe") else ():
        yield f"recipe         {line}"
    if manifest.get("chosen_for"):
        yield f"picked for     {chosen_for_line(manifest['chosen_for'])}"
    if manifest.get("accuracy"):
        for line in accuracy_lines(manifest["accuracy"], manifest["tasks"]):
            yield f"accuracy       {line}"
    calibration = manifest.get("calibration")
    if calibration and "folder" in calibration:
        yield f"calibrated on  {counted(calibration['pictures'], 'picture')} of {calibration['folder']}"
    elif calibration:
        yield f"calibrated by  fine-tuning for {calibration['learned_for']}: {calibration['ranges']} ranges"
    if manifest.get("versions"):
        yield f"versions       {', '.join(f'{name} {version}' for name, version in manifest['versions'].items())}"
    if inspection["signed_by"]:
        yield f"signed by      {inspection['signed_by']} (Ed25519 public key)"
    yield f"sha256         {inspection['sha256']}"


def model_lines(inspection: Mapping[str, Any]) -> Iterator[str]:
    """An `edgevit.model/1` document, a line a fact."""
    config, learned = inspection["config"], inspection["calibration"]
    mean, std = (", ".join(f"{each:g}" for each in config[name]) for name in ("mean", "std"))
    heads = f"{config['heads']} head{'' if config['heads'] == 1 else 's'}"
    token = "" if config.get("class_token", True) else ", no class token"
    token += ", a distillation token" if config["distilled"] else ""
    if registers := config.get("registers"):
        token += f", {counted(registers, 'register')}"
    yield f"{inspection['model']}  {inspection['variant']}  {inspection['size_bytes'] / 1e6:.2f} MB"
    yield f"shape          width {config['width']}, depth {config['depth']}, {heads}, patch {config['patch']}{token}"
    parts = [f"{ACTIVATIONS[config['activation']]} as activation"] if config.get("activation") else []
    parts += [what for field, what in NORMS.items() if config.get(field)]
    if parts:
        yield f"blocks         {', '.join(parts)}"
    if config.get("rotary"):
        yield f"positions      {_positions(config)}"
    dense = config.get("dense_heads", ())
    if "text" in inspection:
        yield from _text_lines(inspection)
    elif config["classes"] or not dense:
        yield f"classes        {config['classes'] or 'none: a backbone without a head'}"
    for head in dense:
        yield f"{head['task']:<15}{_outputs(head)} ({head['form']})  {_labels(head['labels'])}"
    if config["classes"]:
        yield f"labels         {_labels(config['labels'])}"
    pooling = config.get("pooling", "class")
    if pooling != "class":
        behind = ", the last norm behind it" if config.get("pool_norm") else ""
        of = f", {counted(config['pool_heads'], 'head')}" if config.get("pool_heads") else ""
        yield f"pooling        {pooling}: {POOLINGS[pooling]}{behind}{of}"
    if config.get("projection") or config.get("cosine_scale"):
        made = f"a projection to {config['projection']} numbers" if config.get("projection") else "what is pooled"
        yield f"vector         {made}{', by which classes are told' if config.get('cosine_scale') else ''}"
    yield f"pixels         RGB, 0 to 255, to (pixel / 255 - mean) / std inside: mean {mean}, std {std}"
    yield f"resize         {config['resize']}"
    yield f"positions      learned at {config['base_resolution']} px"
    ladder = ", ".join(map(str, config["ladder"]))
    yield f"trained for    {f'{ladder} px' if ladder else 'no ladder: `edgevit convert --resolutions` names one'}"
    learned = f"{learned['ranges']} ranges learned for {learned['recipe']}" if learned else "none learned"
    yield f"calibration    {learned}"
    yield f"sha256         {inspection['sha256']}"


def _text_lines(inspection: Mapping[str, Any]) -> Iterator[str]:
    """What an image-text model has besides its image tower."""
    text, templates = inspection["text"], inspection["templates"]
    yield (
        f"text tower     width {text['width']}, depth {text['depth']}, {text['vocabulary']} text tokens, "
        f"{text['context']} of them a text"
    )
    yield f"scores         {inspection['scores']}: {IMAGE_TEXT_SCORES[inspection['scores']]}"
    yield f"templates      {_first_of(templates) or f'none of its own: {DEFAULT_TEMPLATE!r}'}"
    yield "classes        those that you name: `edgevit convert --labels`, `edgevit relabel --labels`"


def _first_of(templates: Sequence[str]) -> str:
    return ", ".join(map(repr, templates[:3])) + (f", … ({len(templates)})" if len(templates) > 3 else "")


def _outputs(head: Mapping[str, Any]) -> str:
    """What a head that reads all tokens looks for."""
    if head["task"] != "keypoints":
        return f"{head['outputs']} class{'' if head['outputs'] == 1 else 'es'}"
    margin = head.get("margin")
    return counted(head["outputs"], "point") + ("" if margin is None else f" of each box, grown by {margin:.0%}")


def _positions(config: Mapping[str, Any]) -> str:
    """How the tokens of a model with rotary positions know their places."""
    learned = "learned, and " if config.get("learned_positions", True) else ""
    grid = f" of {' x '.join(map(str, config['rotary_grid']))}" if config.get("rotary_grid") else ""
    return f"{learned}rotary: {ROTARIES[config['rotary']]}{grid}; theta {config.get('rotary_theta', 100.0):g}"


def _labels(labels: Sequence[str]) -> str:
    return ", ".join(labels[:6]) + (f", … ({len(labels)})" if len(labels) > 6 else "") or "none"
