from support.profiles import answer, deit_tiny_ms, measured

__all__ = ["answer", "deit_tiny_ms", "measured"]
