"""A Linux machine over ssh."""
