"""edgevit: a Vision Transformer, compiled once for the edge.

Nothing heavy is imported here: `edgevit.model` brings Keras, `converters` brings TensorFlow.
"""

from edgevit.config import ViTConfig
from edgevit.errors import EdgeViTError
from edgevit.variants import VARIANTS, variant_config

__version__ = "0.1.0"
__all__ = ["VARIANTS", "EdgeViTError", "ViTConfig", "__version__", "variant_config"]
