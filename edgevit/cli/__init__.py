"""The `edgevit` command. Each command is one small file here, imported only when it is called."""

from edgevit.cli.main import main

__all__ = ["main"]
