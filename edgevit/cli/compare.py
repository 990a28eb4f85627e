"""`edgevit compare`: profiles side by side, and for CI whether something got slower."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import (
    JsonCommand,
    check_output,
    console_for,
    emit_json,
    json_option,
    parse_share,
    quiet_option,
)


@click.command("compare", cls=JsonCommand)
@click.argument("paths", metavar="PROFILE.json ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write an HTML report of them all.")
@click.option(
    "--fail-slower",
    metavar="PERCENT",
    help="Exit with 1 where a profile is slower than the first by more, such as 10%, beyond the scatter of the runs.",
)
@json_option
@quiet_option
def command(
    paths: tuple[Path, ...],
    output: Path | None,
    fail_slower: str | None,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Put the curves of several devices, recipes or models beside the first one's.

    A median counts as slower where the limit is passed and the scatter cannot explain it: the fastest tenth of its runs
    (p10) is slower than the first profile's median, and its median slower than the first one's slowest tenth (p90).
    """
    from edgevit.errors import ConfigError
    from edgevit.files import write_text
    from edgevit.latency.comparison import Comparison, read_profiles
    from edgevit.report.text.comparison_table import comparison_view

    limit = None if fail_slower is None else parse_share(fail_slower)
    console = console_for(json_target, quiet)
    check_output(output, ".html")
    comparison = Comparison(read_profiles(paths), limit)
    if len(comparison.profiles) < 2:
        raise ConfigError(f"a comparison needs two profiles or more, and {paths[0]} holds one: name another beside it")
    page = None
    if output:
        from edgevit.report.accuracies import Accuracies
        from edgevit.report.html.page import render

        page = render(comparison.profiles, Accuracies())
    console.print(comparison_view(comparison))
    emit_json(comparison.to_dict(), json_target)
    if output and page is not None:
        write_text(output, page)
        console.print(f"wrote {output}", soft_wrap=True, markup=False)
    comparison.check()
