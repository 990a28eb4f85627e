"""`python -m edgevit_runtime` is `edgevit-run`."""

from edgevit_runtime.cli.main import main

main()
