"""What the commands do, as functions: one file a command, the same words, and nothing is printed.

A function returns the document that the command's `--json` prints. What a command shows while it works, it is told by
`on_...`, or by a listener. `import edgevit` has them all: `edgevit.convert` is `edgevit.api.convert.convert`.
"""
