"""Texts as the numbers that a text tower takes, by a checkpoint's own tokenizer.json: `TextTokens`."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import ConfigError, ModelError
from edgevit.text_config import TextConfig

__all__ = ["PACKAGE", "TextTokens", "check_tokenizers", "cleaned", "trained_tokenizer"]

PACKAGE = "texts need the Python package tokenizers, which is not installed: pip install 'edgevit[text]'"
PADDING, END, UNKNOWN = "<pad>", "<end>", "<unknown>"
"""The special text tokens of a tokenizer that is trained here, in this order from 0 on."""
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def cleaned(text: str, cleaning: str) -> str:
    """What the tokenizer sees of a text: cleaning is a key of `edgevit.text_config.CLEANINGS`.

    SigLIP's, "canonical", is that of big_vision's prompt_engineering.py: punctuation is ASCII's.
    """
    if cleaning == "none":
        return text
    text = text.lower()
    if cleaning == "canonical":
        text = re.sub(r"\s+", " ", text.translate(_NO_PUNCTUATION)).strip()
    return text


class TextTokens:
    """The tokenizer of one model.

    tokenizer: the text of a tokenizer.json, whose own rules put the tokens in front and behind.

    Raises `ModelError` for what is none, `ConfigError` where the package is not installed.
    """

    def __init__(self, tokenizer: str, config: TextConfig) -> None:
        self.config = config
        try:
            self._tokenizer = _library().Tokenizer.from_str(tokenizer)
            padding = self._tokenizer.padding
            self._left = bool(padding) and padding["direction"] == "left"
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(config.context)
        except ConfigError:
            raise
        except BaseException as error:  # the library raises a bare Exception, and a panic that is none
            if isinstance(error, KeyboardInterrupt):
                raise
            raise ModelError(f"the model's tokenizer is no tokenizer.json that can be read ({_short(error)})") from None

    def of(self, texts: Sequence[str], on_note: Callable[[str], None] = lambda _line: None) -> NDArray[np.int32]:
        """[texts, context], padded and cut to the context. on_note: told where texts were cut.

        Raises `ModelError` where the tokenizer is not the one that the model was trained with.
        """
        rows = np.full((len(texts), self.config.context), self.config.padding_id, np.int32)
        try:
            found = self._tokenizer.encode_batch([cleaned(text, self.config.cleaning) for text in texts])
        except Exception as error:
            raise ModelError(f"the model's tokenizer cannot read these texts ({_short(error)})") from None
        for row, text, each in zip(rows, texts, found, strict=True):
            ids = each.ids
            if ids and not 0 <= max(ids) < self.config.vocabulary:
                raise ModelError(
                    f"the tokenizer makes token {max(ids)} of {text!r}, and the text tower knows "
                    f"{self.config.vocabulary}: it is another model's tokenizer.json"
                )
            if self.config.read == "end" and self.config.end_id not in ids:
                raise ModelError(
                    f"the tokenizer does not put the text token {self.config.end_id} behind {text!r}, which the text "
                    "tower reads: it is another model's tokenizer.json"
                )
            row[len(row) - len(ids) if self._left else 0 :][: len(ids)] = ids
        cut = [text for text, each in zip(texts, found, strict=True) if each.overflowing]
        if cut:
            first = cut[0] if len(cut[0]) <= 40 else f"{cut[0][:37]}..."
            count = "1 text is" if len(cut) == 1 else f"{len(cut)} texts are"
            on_note(f"{count} longer than the model's {self.config.context} text tokens and cut there: {first!r}")
        return rows


def trained_tokenizer(texts: Sequence[str], most: int = 4096) -> tuple[str, int]:
    """A tokenizer.json of the words of these texts, at most `most` of them, the commonest first, and how many text
    tokens it has: for a small model from scratch. Small and capital letters are the same, punctuation is words' own.

    `padding_id` is 0 and `end_id` 1; a word that it does not know is text token 2.
    """
    library = _library()
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = library.Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = [PADDING, END, UNKNOWN]
    tokenizer.train_from_iterator(
        texts, trainers.WordLevelTrainer(vocab_size=most, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    return str(tokenizer.to_str()), int(tokenizer.get_vocab_size())


def check_tokenizers() -> None:
    """Raises `ConfigError` where the package that reads texts is not installed."""
    _library()


def _library() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise ConfigError(PACKAGE) from None
    return tokenizers


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
