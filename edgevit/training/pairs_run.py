"""A training run of an image-text model: pairs and start point found, trained, and described."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.data.picture_set import PictureSet
from edgevit.data.text_pairs import pair_training_sets
from edgevit.errors import ConfigError, PictureError
from edgevit.image_text_config import ImageTextConfig
from edgevit.model import ImageText, ViT, build_image_text, load, named_weights, transfer
from edgevit.model.keras_file import read_keras
from edgevit.skipped_pictures import reasons_of, skipped_line
from edgevit.text_config import TextConfig
from edgevit.text_tokens import TextTokens, trained_tokenizer
from edgevit.training.document import training_document
from edgevit.training.earlier_run import begin_folder, check_same, earlier_state, how_it_goes_on, lengthened
from edgevit.training.epoch import Epoch
from edgevit.training.listener import Listener, told
from edgevit.training.loop import Resumption, TrainResult, train
from edgevit.training.pairs_held_out import PairExamples
from edgevit.training.run import SHRINK_FOR
from edgevit.training.run_files import record_split
from edgevit.training.spec import TrainSpec
from edgevit.training.taken_over import begun_with, digest_of
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

MOST_BLOCKS = 4
LONGEST_CONTEXT = 64
"""Of a text tower from scratch: SigLIP's context, and so many blocks as short captions need."""


def run_pairs(request: TrainingRequest, listener: Listener) -> dict[str, Any]:
    """Trains as requested and returns the `edgevit.training/1` document.

    Everything that can be wrong in the request is found before the pictures are read.
    """
    request.check()
    state = earlier_state(request)
    spec = request.spec()
    if state is not None:
        spec = lengthened(spec, request, state)
    start = None if request.start is None else _start(request.start, spec)
    listed = pair_training_sets(request.data, share=request.share, seed=spec.seed)
    config = _config(request, start, [listed[0].labels[each] for each in sorted(set(listed[0].classes))])
    asked = _asked(request, spec, config, listed)
    if state is not None:  # before they are read, which takes minutes
        check_same(request.folder, state, asked)
    tokens = TextTokens(config.tokenizer, config.text).of(listed[0].labels, listener.note)
    train_set, val_set = _read(request, listed, config.image.ladder, tokens, listener)
    texts = [len(set(each.classes.tolist())) for each in (train_set, val_set)]
    listener.note(
        f"{counted(len(train_set), 'pair')} to train on, with {counted(texts[0], 'text')}; {len(val_set)} to validate, "
        f"with {texts[1]}; a text has {config.text.context} text tokens of {config.text.vocabulary}"
    )
    for remark in request.remarks(len(train_set)):
        listener.note(remark)
    if state is not None and (line := how_it_goes_on(request.folder, state, asked)):
        listener.note(line)
    begin_folder(request.folder, state)
    record_split(request.folder, {"train": train_set.files, "val": val_set.files})
    model = _begun(config, start, spec.seed)
    earlier = [Epoch.from_dict(each) for each in state.epochs] if state else []
    result = train(
        model,
        train_set,
        val_set,
        spec,
        request.output,
        task=request.lesson,
        resumption=Resumption(
            request.folder, asked, state, begun_with(request, {**train_set.skipped, **val_set.skipped})
        ),
        strict=request.strict,
        **told(listener, earlier, spec.epochs),
    )
    counts = len(train_set), len(val_set)
    return {**training_document(request, model, model.config.image, spec, counts, result), **_answered(result)}


def _start(path: Path, spec: TrainSpec) -> ImageText | ViT:
    """Both towers, or the image tower alone. Raises `ModelError`, `ConfigError` where a text tower has to be there."""
    model = read_keras(path)
    if isinstance(model, ImageText):
        return model
    vit = load(path)
    if spec.text == "frozen":
        raise ConfigError(f"--text frozen needs a text tower that knows something, and {path} has none: --text trained")
    return vit


def _config(request: TrainingRequest, start: ImageText | ViT | None, texts: list[str]) -> ImageTextConfig:
    """Of the model that will be trained. texts: those to train on, whose words a text tower from scratch knows."""
    if isinstance(start, ImageText):
        image = request.config(start.config.image, 0, ()).with_(
            projection=start.config.image.projection, pooling=start.config.image.pooling, scores="softmax"
        )
        found = start.config
        return ImageTextConfig(image, found.text, found.scores, found.tokenizer, found.templates)
    image = request.config(None if start is None else start.config, 0, ())
    if start is not None and not image.projection:
        image = image.with_(projection=image.pooled_width)
    tokenizer, vocabulary = trained_tokenizer(texts)
    longest = max(len(each.split()) for each in texts) + 4
    text = TextConfig(
        width=image.width,
        depth=min(MOST_BLOCKS, image.depth),
        heads=image.heads,
        mlp_width=image.mlp_width,
        vocabulary=vocabulary,
        context=min(LONGEST_CONTEXT, longest),
        projection=image.vector_width,
        layer_norm_epsilon=image.layer_norm_epsilon,
        end_id=1,
    )
    return ImageTextConfig(image, text, "sigmoid", tokenizer)


def _begun(config: ImageTextConfig, start: ImageText | ViT | None, seed: int) -> ImageText:
    """A fresh model, or one with the start's weights."""
    model = build_image_text(config, seed=seed)
    if start is None:
        return model
    transfer(start.image if isinstance(start, ImageText) else start, model.image, keep_head=False)
    if isinstance(start, ImageText):
        weights = named_weights(start)
        for name, variable in named_weights(model).items():
            if not name.startswith("image/"):
                variable.assign(np.asarray(weights[name]))
    return model


def _asked(
    request: TrainingRequest, spec: TrainSpec, config: ImageTextConfig, listed: tuple[PictureSet, PictureSet]
) -> dict[str, Any]:
    """What decides a run's result, as JSON: a run is resumed only under the same."""
    lines = [
        f"{file.parent.name}/{file.name} {file.stat().st_size} {each.labels[index]}"
        for each in listed
        for file, index in zip(each.files, each.classes, strict=True)
    ]
    image = config.image.to_dict()
    return {
        **vars(spec),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in image.items()},
        "text_tower": config.text.to_dict(),
        "tokenizer": hashlib.sha256(config.tokenizer.encode()).hexdigest(),
        "start": digest_of(request.start),
        "teacher": None,
        "qat": None,
        "pictures": len(listed[0].files),
        "files": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def _read(
    request: TrainingRequest,
    listed: tuple[PictureSet, PictureSet],
    ladder: tuple[Resolution, ...],
    tokens: NDArray[np.int32],
    listener: Listener,
) -> tuple[PairExamples, PairExamples]:
    for line in listed[0].notes():
        listener.note(line)
    width, height = max(each.width for each in ladder), max(each.height for each in ladder)
    shrink_to = Resolution(round(width / SHRINK_FOR), round(height / SHRINK_FOR))
    sets = PairExamples(listed[0], shrink_to, tokens), PairExamples(listed[1], shrink_to, tokens, keep=False)
    skipped = {**sets[0].skipped, **sets[1].skipped}
    if skipped and request.strict:
        raise PictureError(f"{next(iter(skipped.values()))} ({len(skipped)} in all); without --strict it is left out")
    if skipped:
        listener.note(skipped_line(reasons_of(skipped)))
    return sets


def _answered(result: TrainResult) -> dict[str, Any]:
    """What the best epoch's texts and pictures found of each other, at the finest resolution."""
    if not result.best_answers:
        return {}
    shown = max(result.best_answers)
    return {"image_text": {**shown.to_fields(), **vars(result.best_answers[shown])}}
