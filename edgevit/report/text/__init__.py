"""Results in the terminal: tables, lines, and how figures are written."""
