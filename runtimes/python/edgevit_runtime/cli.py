"""`edgevit-run`: an artefact at work on the device.

Exit codes: 0 done, 1 an error or a failed self-test, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from edgevit_runtime import __version__
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.model import Model
from edgevit_runtime.native import silence_exit


def main(args: list[str] | None = None) -> None:
    """Runs the command line."""
    options = _parser().parse_args(args)
    try:
        code = options.run(options)
    except EdgeViTError as error:
        print(f"edgevit-run: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # `edgevit-run … | head`
        sys.stderr.close()
        code = 1
    silence_exit()
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevit-run", description="Run an edgevit artefact on this machine.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"edgevit-run {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Any, text: str, *, engine: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(run=run)
        sub.add_argument("model", help="the artefact (.tflite)")
        sub.add_argument("--json", action="store_true", help="print JSON")
        if engine:
            sub.add_argument("--threads", type=int, default=1, help="threads for one inference (default 1)")
            sub.add_argument("--backend", help="compiled, interpreter or tflite (default: the first that works)")
            sub.add_argument("--no-weight-cache", action="store_true", help="do not keep packed weights on disk")
        return sub

    classify = command("classify", _classify, "Name what pictures show.")
    classify.add_argument("pictures", nargs="+", metavar="picture")
    classify.add_argument("--resolution", type=int, help="which of the artefact's resolutions to use")
    classify.add_argument("--top", type=int, default=5, help="how many classes to show (default 5)")
    command("info", _info, "Show what an artefact holds.", engine=False)
    command("self-test", _self_test, "Check that this machine computes what the artefact's author saw.")
    profile = command("profile", _profile, "Measure the latency of each resolution on this machine.")
    profile.add_argument("--resolutions", help="some of the ladder, such as 96,224 (default: all of it)")
    profile.add_argument("--seconds", type=float, default=3.0, help="the most one resolution may take (default 3)")
    return parser


def _open(options: argparse.Namespace) -> Model:
    return Model(
        options.model,
        threads=options.threads,
        backend=options.backend,
        weight_cache=not options.no_weight_cache,
    )


def _classify(options: argparse.Namespace) -> int:
    failed = 0
    with _open(options) as model:
        for picture in options.pictures:
            try:
                result = model.classify(picture, options.resolution, options.top)
            except EdgeViTError as error:
                # One bad picture does not stop the others; a wrong resolution would fail them all.
                if options.resolution is not None:
                    model.manifest.signature(options.resolution)
                failed += 1
                if options.json:
                    print(json.dumps({"file": picture, "error": str(error)}), flush=True)
                else:
                    print(f"edgevit-run: {error}", file=sys.stderr)
                continue
            if options.json:
                top = [{"index": each.index, "label": each.label, "score": each.score} for each in result.top]
                line = {
                    "file": picture,
                    "resolution": result.resolution,
                    "latency_ms": result.latency_ms,
                    "top": top,
                }
                print(json.dumps(line), flush=True)
            else:
                print(f"{picture}  ({result.resolution} px, {result.latency_ms:.1f} ms)")
                for each in result.top:
                    print(f"  {each.score:6.1%}  {each.label}")
    return 1 if failed else 0


def _info(options: argparse.Namespace) -> int:
    manifest = read_manifest(options.model)
    if options.json:
        print(json.dumps(dict(manifest.raw), indent=2))
        return 0
    size_mb = Path(options.model).stat().st_size / 1e6
    labels = ", ".join(manifest.labels[:8]) + (", …" if len(manifest.labels) > 8 else "")
    print(f"{options.model}: {manifest.variant}, {manifest.recipe}, {size_mb:.2f} MB")
    print(f"classes        {manifest.classes}  {labels}")
    print(f"preprocessing  {manifest.resize}, bicubic, uint8 RGB")
    print(f"resolutions    {', '.join(map(str, manifest.resolutions))} (default {manifest.default_resolution})")
    return 0


def _self_test(options: argparse.Namespace) -> int:
    with _open(options) as model:
        result = model.self_test()
    if options.json:
        print(json.dumps(result.to_dict(), indent=2))
    else:
        for check in result.checks:
            verdict = "ok  " if check.passed else "FAIL"
            print(f"{verdict} {check.name}  largest difference {check.max_error:.2e} (tolerance {check.tolerance:.0e})")
        print(f"self-test {'passed' if result.passed else 'FAILED'} with {result.backend} {result.version}")
    return 0 if result.passed else 1


def _profile(options: argparse.Namespace) -> int:
    resolutions = None
    if options.resolutions is not None:
        words = options.resolutions.split(",")
        if not all(word.strip().isdecimal() for word in words):
            raise EdgeViTError(
                f"resolutions are whole numbers with commas between, such as 96,224; not {options.resolutions!r}"
            )
        resolutions = [int(word) for word in words]
    if options.seconds <= 0:
        raise EdgeViTError(f"--seconds must be above 0, not {options.seconds}")
    with _open(options) as model:
        profile = model.profile(resolutions, seconds=options.seconds)
    if options.json:
        print(json.dumps(profile, indent=2))
        return 0
    device = profile["device"]
    print(f"{device['model']}, {profile['threads']} thread(s), {device['backend']} {device['version']}")
    print("resolution  tokens  median ms     p10     p90  runs")
    for point in profile["points"]:
        latency = point["latency_ms"]
        print(
            f"{point['resolution']:10d}  {point['tokens']:6d}  {latency['median']:9.2f}"
            f"  {latency['p10']:6.2f}  {latency['p90']:6.2f}  {latency['runs']:4d}"
        )
    return 0
