"""Graphs become one file: the ladder, its manifest, the audit, and what is read from it again."""
