from support.profiles import deit_tiny_ms, measured

__all__ = ["deit_tiny_ms", "measured"]
