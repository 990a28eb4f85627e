"""What a training came to, as JSON (`edgevit.training/1`): what all lessons have in common."""

from __future__ import annotations

from typing import Any

from edgevit.config import ViTConfig
from edgevit.training.loop import TrainResult
from edgevit.training.spec import TrainSpec
from edgevit.training.training_request import TrainingRequest


def training_document(
    request: TrainingRequest,
    model: Any,
    config: ViTConfig,
    spec: TrainSpec,
    counts: tuple[int, int],
    result: TrainResult,
    **choices: Any,
) -> dict[str, Any]:
    """counts: of pictures that trained and that validated; choices: what the lesson's own options were."""
    best = result.best
    return {
        "schema": "edgevit.training/1",
        "task": request.lesson,
        "model": str(request.output),
        "run": str(request.folder),
        "preset": request.preset_name(),
        "variant": config.variant,
        "parameters": int(model.count_params()),
        "data": request.data,
        "images": {"train": counts[0], "val": counts[1]},
        "spec": {
            **vars(spec),
            "stochastic_depth": config.stochastic_depth,
            "start": str(request.start) if request.start else None,
            **choices,
        },
        "seconds": round(result.seconds, 1),
        "best_epoch": best.number,
        "metric": best.metric,
        "results": [{**resolution.to_fields(), best.metric: value} for resolution, value in best.judged.items()],
        "epochs": [epoch.to_dict() for epoch in result.epochs],
    }
