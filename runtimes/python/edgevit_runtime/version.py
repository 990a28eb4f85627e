"""The runtime's own version, beside the package, which every module would have to go through."""

__version__ = "0.1.0"
