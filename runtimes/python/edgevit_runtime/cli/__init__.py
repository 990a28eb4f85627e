"""The `edgevit-run` command."""
