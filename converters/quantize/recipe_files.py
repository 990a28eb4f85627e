"""Custom recipes: TOML files with a built-in recipe to begin with, and rules behind its own.

    name = "islands"
    base = "int8-full"

    [[rules]]
    sites = ["weights", "mixed"]
    blocks = [0, 11]
    weight = "int8"
    activation = "int16-static"

Keys are the fields of `Recipe` and `Rule`. https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from converters.quantize.recipes import (
    ANY,
    LINEAR,
    OP_CLASSES,
    OPS,
    OUTSIDE,
    RECIPES,
    WEIGHTING_KINDS,
    WITH_WEIGHTS,
    Recipe,
    Rule,
    get_recipe,
)
from edgevit.errors import ConfigError, unknown_key
from edgevit.files import check_writable, write_text
from edgevit.text_files import NotTextError, read_text

__all__ = [
    "check_depth",
    "check_rounds_activations",
    "check_writable_recipe",
    "described",
    "find_recipe",
    "read_recipe",
    "to_toml",
    "with_rules",
    "write_recipe",
]

SUFFIX = ".toml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
KEYS = ("name", "summary", "hardware", "base", "weighting", "for_cpu", "rules")
RULE_KEYS = ("op", "sites", "blocks", "weight", "activation", "why")

ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "float32": ("float32",),
    "float16": ("float32",),
    "int8": ("int8-dynamic", "int8-static", "int16-static"),
    "int4": ("int8-dynamic",),
}
"""By the kind of weights: what the quantizer has for them (ai-edge-quantizer, default_policy.py) and a kernel runs."""


_LONGEST, _MOST_PARTS = 200_000, 100


def find_recipe(recipe: str | Path | Recipe) -> Recipe:
    """The recipe of that name, or in that `.toml` file, or itself. Raises `ConfigError`."""
    if isinstance(recipe, Recipe):
        return recipe
    if Path(recipe).suffix == SUFFIX:
        return read_recipe(Path(recipe))
    if str(recipe) not in RECIPES and Path(recipe).is_file():
        raise ConfigError(f"{recipe} is no recipe: a custom one is a {SUFFIX} file")
    return get_recipe(str(recipe))


def read_recipe(path: Path) -> Recipe:
    """A custom recipe. Raises `ConfigError` that names file, rule, value and what it may be."""
    if not path.is_file():
        raise ConfigError(f"no such recipe file: {path}")
    try:
        text = read_text(path)
        _check_bounds(text, path)
        values = tomllib.loads(text)
    except NotTextError as error:
        raise ConfigError(f"{path} cannot be read as text: it {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"{path} is not TOML that can be read: {why}") from error
    _check_keys(values, KEYS, str(path))
    name = _text(values, "name", str(path), path.stem)
    if not NAME.fullmatch(name):
        raise ConfigError(f"{path}: name {name!r} must be letters, digits, '.', '_', '+' or '-', at most 64 of them")
    if name in RECIPES:
        raise ConfigError(f"{path}: name {name!r} is a built-in recipe's; take another")
    base = None
    if "base" in values:
        base = _known("base", _text(values, "base", str(path)), RECIPES, str(path))
    tables = values.get("rules", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise ConfigError(f"{path}: rules must be tables, each begun by a line [[rules]]")
    rules = tuple(_rule(table, f"{path}: rule {number}") for number, table in enumerate(tables, start=1))
    if not rules and base is None:
        raise ConfigError(f"{path}: neither a base nor [[rules]]: nothing says how to quantize")
    recipe = with_rules(
        RECIPES[base] if base else None,
        rules,
        name,
        summary=_text(values, "summary", str(path), ""),
        hardware=_text(values, "hardware", str(path), ""),
        source=str(path),
    )
    if "weighting" in values:
        weighting = _known("weighting", _text(values, "weighting", str(path)), WEIGHTING_KINDS, str(path))
        recipe = replace(recipe, weighting=weighting)
    for number, rule in enumerate(rules, start=1):
        if rule.sites and not any(recipe.computes(site) for site in rule.sites):
            where = f"{path}: rule {number}: it would say nothing"
            raise ConfigError(f"{where}: site {rule.sites[0]!r} is there with weighting = 'powers' alone")
    if "for_cpu" in values:
        recipe = replace(recipe, for_cpu=_checked(values, "for_cpu", bool, "true or false", str(path)))
    return recipe


def with_rules(
    base: Recipe | None, rules: Sequence[Rule], name: str, *, summary: str = "", hardware: str = "", source: str = ""
) -> Recipe:
    """`base` with rules behind its own, and what follows from them.

    One XNNPACK partition is promised where all that is rounded are linear layers and products.
    """
    every = (*(base.rules if base else ()), *rules)
    first = base or Recipe(name, (), for_cpu=True)
    statics = [rule for rule in rules if rule.is_static]
    by_xnnpack = all(rule.activation == "int8-static" and _ops(rule) <= {*WITH_WEIGHTS} for rule in statics)
    own = base.base if base else ""
    return Recipe(
        name,
        every,
        for_cpu=first.for_cpu and by_xnnpack,
        integer_io=_takes_integers(every),
        summary=summary or (f"{base.name} with rules of its own" if base else "rules of its own"),
        source=source,
        hardware=hardware or (_hardware(base, rules) if base else ""),
        base=own or (base.name if base else ""),
        weighting=first.weighting,
    )


def _hardware(base: Recipe, rules: Sequence[Rule]) -> str:
    """The base's, as far as it still holds."""
    if base.integer_io and not all(rule.is_static for rule in rules):
        return f"what computes in floats, too: its own rules leave some, where {base.name} has none"
    wide = {"all ops" if op == ANY else op for rule in rules if rule.activation == "int16-static" for op in _ops(rule)}
    return "; by its own rules in 16 bits ".join([base.hardware, *([", ".join(sorted(wide))] if wide else [])])


def _takes_integers(rules: Sequence[Rule]) -> bool:
    """Whether the picture itself is int8: where the last rule for all ops outside the blocks says so."""
    reaching = [rule for rule in rules if _reaches_all(rule) and (rule.is_static or rule.weight == "float32")]
    return bool(reaching) and reaching[-1].activation == "int8-static"


def _reaches_all(rule: Rule) -> bool:
    """Whether it is for all ops outside the blocks: for the picture, too."""
    return rule.op == ANY and not rule.sites and OUTSIDE in (rule.blocks or (OUTSIDE,))


def _ops(rule: Rule) -> set[str]:
    """Those that it names, itself or by their sites."""
    return {OPS[site] for site in rule.sites} or {rule.op}


def _rule(table: Mapping[str, Any], where: str) -> Rule:
    _check_keys(table, RULE_KEYS, where)
    op = _known("op", _text(table, "op", where, ANY), (ANY, *sorted(set(OPS.values()))), where)
    sites = tuple(_site(each, where) for each in _list(table, "sites", where, "such as ['expand']"))
    blocks = tuple(_list(table, "blocks", where, f"of numbers from 0, or {OUTSIDE!r} for what is in none"))
    for block in blocks:
        if block != OUTSIDE and (isinstance(block, bool) or not isinstance(block, int) or block < 0):
            raise ConfigError(f"{where}: block {block!r} must be a whole number from 0, or {OUTSIDE!r}")
    weight = _known("weight", _text(table, "weight", where), ACTIVATIONS, where)
    given = _text(table, "activation", where, "float32")
    activation = _known("activation", given, {each: 0 for kinds in ACTIVATIONS.values() for each in kinds}, where)
    if activation not in ACTIVATIONS[weight]:
        said = "" if "activation" in table else " (the default)"
        raise ConfigError(
            f"{where}: {weight} weights cannot go with activation {activation!r}{said}; "
            f"they go with {', '.join(ACTIVATIONS[weight])}"
        )
    rule = Rule(op, weight, activation, sites, _text(table, "why", where, ""), blocks)
    _check_reach(rule, where)
    return rule


def _site(value: Any, where: str) -> str:
    if isinstance(value, str) and value not in OPS and value in OP_CLASSES:
        named = ", ".join(map(repr, OP_CLASSES[value]))
        raise ConfigError(f"{where}: unknown site {value!r}; what `edgevit sensitivity` calls that is {named} here")
    return _known("site", value, OPS, where)


def _check_reach(rule: Rule, where: str) -> None:
    """Raises `ConfigError` for a rule that says nothing, or what no kernel does."""
    for site in rule.sites:
        if rule.op not in (ANY, OPS[site]):
            raise ConfigError(f"{where}: op {rule.op!r} makes nothing at site {site!r}, which is {OPS[site]}'s")
    if rule.misses:
        raise ConfigError(f"{where}: it would say nothing: {rule.misses}")
    if rule.weight == "int4" and rule.op != "FULLY_CONNECTED":
        raise ConfigError(f"{where}: int4 weights are for op 'FULLY_CONNECTED', not {rule.op!r}")
    by_weight = not rule.is_static and rule.weight != "float32"
    if by_weight and not _ops(rule) & {*LINEAR.values(), ANY}:
        what = rule.activation if rule.activation != "float32" else f"weight {rule.weight!r}"
        named = ", ".join(sorted(_ops(rule)))
        raise ConfigError(
            f"{where}: {what} is for ops with weights, {', '.join(sorted(set(LINEAR.values())))}; {named} has none: "
            "int8-static, int16-static, or weight 'float32' to leave it as it is"
        )
    if rule.activation == "int16-static" and _reaches_all(rule):
        raise ConfigError(f"{where}: int16-static for all ops would take the picture in 16 bits; name sites or blocks")


def check_rounds_activations(recipe: Recipe) -> None:
    """Raises `ConfigError` for a recipe that no sensitivity can be measured of."""
    if not any(rule.activation.startswith("int") for rule in recipe.rules):
        raise ConfigError(f"{recipe.name} rounds no activations: choose int8, int8-static or int8-full")


def check_depth(recipe: Recipe, depth: int) -> None:
    """Raises `ConfigError` for a rule about what a model of `depth` blocks has not."""
    for number, rule in enumerate(_own_rules(recipe), start=1):
        where = f"{recipe.source or recipe.name}: rule {number}"
        strangers = [each for each in rule.blocks if each != OUTSIDE and int(each) >= depth]
        if strangers:
            raise ConfigError(f"{where}: block {strangers[0]}: the model has blocks 0 to {depth - 1}")
        if rule.sites == ("queries",) and depth - 1 not in (rule.blocks or (depth - 1,)):
            raise ConfigError(
                f"{where}: it would say nothing: site 'queries' is the last block's, {depth - 1}; others have 'qkv'"
            )


def _own_rules(recipe: Recipe) -> tuple[Rule, ...]:
    """Those behind its base's."""
    return recipe.rules[len(RECIPES[recipe.base].rules) if recipe.base else 0 :]


def described(recipe: Recipe) -> dict[str, Any]:
    """A custom recipe as its file has it, for the manifest: base and the rules behind the base's."""
    head = {"name": recipe.name, "summary": recipe.summary, "hardware": recipe.hardware, "base": recipe.base}
    if recipe.weighting != "softmax":
        head["weighting"] = recipe.weighting
    rules = [
        {key: list(value) if isinstance(value, tuple) else value for key, value in vars(rule).items() if value}
        for rule in _own_rules(recipe)
    ]
    return {**{key: value for key, value in head.items() if value}, "for_cpu": recipe.for_cpu, "rules": rules}


def to_toml(recipe: Recipe) -> str:
    """A custom recipe as a file that `read_recipe` reads as the same."""
    return "\n".join(_lines(described(recipe))) + "\n"


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    for key in KEYS:
        if key != "rules" and key in values:
            yield f"{key} = {json.dumps(values[key], ensure_ascii=False)}"
    for rule in values["rules"]:
        yield "\n[[rules]]"
        for key in RULE_KEYS:
            if key in rule:
                yield f"{key} = {json.dumps(rule[key], ensure_ascii=False)}"


def check_writable_recipe(path: Path, *, overwrite: bool) -> None:
    """Raises `ConfigError` where no recipe can be written there. overwrite: whether one that is there may go."""
    if path.suffix != SUFFIX:
        raise ConfigError(f"a recipe is written as a {SUFFIX} file, not {path.name!r}")
    check_writable(path, overwrite=overwrite)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Writes a recipe's file; a built-in one's as a custom one that adds nothing to it. Raises `ConfigError`."""
    check_writable_recipe(path, overwrite=True)  # while it searches, each better one
    plain = with_rules(recipe, (), f"{recipe.name}-mixed", summary=f"{recipe.name} as it is")
    write_text(path, to_toml(recipe if recipe.is_custom else plain))


def _check_bounds(text: str, path: Path) -> None:
    """Before the parser sees it: what it needs for a key grows with the square of the key's parts."""
    if len(text) > _LONGEST:
        raise ConfigError(f"{path} has {len(text)} characters, and a recipe has {_LONGEST} at most")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.partition("=")[0].count(".") > _MOST_PARTS:
            raise ConfigError(f"{path}: the key in line {number} has more than {_MOST_PARTS} parts")


def _check_keys(values: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in values:
        if key not in known:
            raise ConfigError(f"{where}: {unknown_key('key', key, known)}")


def _known(what: str, value: Any, known: Collection[str], where: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{where}: {unknown_key(what, value if isinstance(value, str) else repr(value), known)}")
    return value


def _checked(values: Mapping[str, Any], key: str, kind: Any, what: str, where: str) -> Any:
    if not isinstance(values[key], kind):
        raise ConfigError(f"{where}: {key} must be {what}, not {values[key]!r}")
    return values[key]


def _text(values: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    if key in values:
        return str(_checked(values, key, str, "a text", where))
    if default is None:
        raise ConfigError(f"{where}: {key} is missing")
    return default


def _list(values: Mapping[str, Any], key: str, where: str, what: str) -> list[Any]:
    if key not in values:
        return []
    found: list[Any] = _checked(values, key, list, f"a list {what}", where)
    if not found:
        raise ConfigError(f"{where}: {key} is empty; leave it out to mean all")
    return found
