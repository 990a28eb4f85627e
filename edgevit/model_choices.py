"""What parts of a model a config may name, and what each is."""

from __future__ import annotations

from typing import Any

from edgevit.errors import unknown_key

SCORES = {
    "softmax": "probabilities of the classes, which sum to 1",
    "sigmoid": "the probability of each label, by itself",
    "regression": "the values themselves",
}
"""What a classifier's head can give, and what that means."""

POOLINGS = {
    "class": "the class token",
    "mean": "the mean of the patch tokens",
    "class-mean": "the class token and the mean of the patch tokens, side by side",
    # Multihead attention pooling: Zhai et al. 2022, https://arxiv.org/abs/2106.04560, section 3.3
    "attention": "what a learned query reads of the patch tokens by attention, and a small MLP makes of it",
    # The same, as the Perception Encoder has it: Bolya et al. 2025, https://arxiv.org/abs/2504.13181
    "attention-all": "what a learned query reads of all tokens by attention, and a small MLP makes of it",
}
"""What of the tokens behind the last norm can stand for the whole picture."""

ACTIVATIONS = {
    "gelu": "the exact GELU",  # x Φ(x): Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
    "gelu_tanh": "GELU by way of tanh",  # 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))): ibid., section 2
    "quick_gelu": "quick GELU",  # x σ(1.702 x): ibid., section 2; OpenAI's CLIP
}
"""What stands between the two layers of an MLP."""

RESAMPLINGS = {
    "bicubic": "Keys' kernel, as PyTorch's and Pillow's",  # Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711
    "bilinear": "a triangle's, as SigLIP 2's NaFlex",  # Tschannen et al. 2025, https://arxiv.org/abs/2502.14786
}
"""How learned positions are brought to another grid; both are widened where it is coarser (antialiased)."""

STEMS = {
    "patch": "each patch by itself, a convolution as large as it",  # Dosovitskiy et al. 2021, equation 1
    # Xiao et al. 2021, https://arxiv.org/abs/2106.14881; EdgeCrafter's ECViT has it, https://arxiv.org/abs/2603.18739
    "convolutions": "convolutions of 3 x 3 with steps of 2, each of twice as many channels, until a place is a patch",
}
"""How pixels become patch tokens."""

ROTARIES = {
    "centred": "patch centres from -1 to 1, times 2 π",  # Siméoni et al. 2025, https://arxiv.org/abs/2508.10104
    "index": "patches counted from 1 on a grid of their own",  # timm's Eva of PE-Core, https://arxiv.org/abs/2504.13181
}
"""By what queries and keys are turned: the angles are these times θ^(-4 i / head width)."""

SINCE: dict[str, Any] = {
    "dense_heads": [],
    "pooling": "class",
    "pool_norm": False,
    "registers": 0,
    "projection": 0,
    "cosine_scale": 0.0,
    "activation": "gelu",
    "class_token": True,
    "input_norm": False,
    "qk_norm": False,
    "learned_positions": True,
    "resampling": "bicubic",
    "rotary": "",
    "rotary_theta": 100.0,
    "rotary_grid": (),
    "pool_heads": 0,
    "stem": "patch",
    "templates": (),
}
"""Fields that files of an earlier edgevit lack, and with which value they are left out: it reads what it can."""


def head_scores(text: str) -> str:
    """What `--head` names: a key of `SCORES`; `none` and `linear` are `regression`. Raises `ConfigError`."""
    scores = {"none": "regression", "linear": "regression"}.get(text, text)
    if scores not in SCORES:
        raise unknown_key("head", text, SCORES)
    return scores
