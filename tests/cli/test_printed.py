"""What `edgevit` prints of what others wrote: names and labels, as text alone."""

import os

from edgevit.cli.console import console_for, progress_bar
from edgevit_runtime import terminal


def test_tables_show_labels_as_they_are(capsys):
    from rich.table import Table

    def prints():
        console = console_for(None)
        table = Table("class")
        table.add_row("[red]rot[/red]")
        table.add_row("[/nothing]")
        table.add_row(":rose: \x1b[2J")
        console.print(table)
        console.print("x\x9b31my", markup=False)
        with progress_bar(console, "{task.description}") as bar:
            bar.add_task("a\x1b]0;b")
        return 0

    assert terminal.run("edgevit", prints) == 0
    out = capsys.readouterr().out
    assert "[red]rot[/red]" in out
    assert "[/nothing]" in out
    assert ":rose: \\x1b[2J" in out
    assert "x\\x9b31my" in out
    assert "\x1b" not in out


def test_a_terminal_is_steered_by_rich_alone():
    import io

    from edgevit.cli.console import _HarmlessConsole

    class Screen(io.StringIO):
        def isatty(self):
            return True

    screen = Screen()
    console = _HarmlessConsole(file=screen, force_terminal=True, color_system="standard", width=40, markup=False)
    console.print("a\x1b[2Jb", style="bold")
    with progress_bar(console, "{task.description}") as bar:
        bar.add_task("c\x1b]0;d\x07")
    text = screen.getvalue()
    assert "\x1b[1ma\\x1b" in text
    assert "c\\x1b" in text
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text


def test_errors_are_one_line_whatever_they_name(run, tmp_path):
    for name in (os.fsdecode(b"caf\xe9"), "two\nlines", "\x1b[31mred"):
        for words in (
            ("inspect", f"{name}.tflite"),
            ("profile", f"{name}.tflite"),
            ("report", f"{name}.json"),
            (name,),
        ):
            code, out, err = run(*words)
            assert code in (1, 2)
            assert out == ""
            assert "Traceback" not in err
            assert "\x1b" not in err
            assert "\udce9" not in err
            if code == 1:
                assert err.count("\n") == 1
