"""What a recipe makes of a model's graph, for little: to count what it would take, not to be run.

Which kernels an artefact runs depends on its shapes and types alone, not on its numbers. So one drawn picture stands in
for those that calibrate, and weights are rounded to nearest: the operators are those of the artefact nevertheless.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.artefact.ladder import Rung, merge
from converters.graph.folded import Folded, fold, model_arrays
from converters.graph.heads import heads_of
from converters.graph.lowering import lower
from converters.graph.packing import pack
from converters.quantize.activations import check_layers
from converters.quantize.equalization import equalize
from converters.quantize.head_rules import for_head
from converters.quantize.post_training import PreparedLayers, layers_to_equalize
from converters.quantize.quantizer import quantize
from converters.quantize.ranges import ActivationSample, choose_ranges, observe
from converters.quantize.recipes import Recipe
from edgevit.activation_ranges import ActivationRanges
from edgevit.latency.processors.graph_operators import GraphOperator, graph_operators
from edgevit.model import ViT
from edgevit.tasks import Task
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture

SIGNATURE = "all"
"""Of a graph that no file keeps."""


class CandidateGraphs:
    """Of one model, all tasks in one pass at one resolution; what recipes have in common is made once."""

    def __init__(self, model: ViT, tasks: tuple[Task, ...], resolution: Resolution) -> None:
        self.config, self.arrays, self.resolution = model.config, model_arrays(model), resolution
        self.learned = model.calibration
        self.heads = heads_of(tasks)
        self.outputs = tuple(sorted(output.name for task in tasks for output in task.outputs))
        self._plain: dict[tuple[str, frozenset[str]], bytes] = {}
        self._equalized: dict[tuple[str, frozenset[str]], tuple[Folded, dict[str, ActivationSample]]] = {}

    def operators(self, recipe: Recipe, *, pictures: bool) -> list[GraphOperator]:
        """Those of the artefact under a recipe for CPUs.

        pictures: whether some are there to calibrate with; otherwise a recipe that needs ranges has those that the
            model learned.
        """
        layers = PreparedLayers()
        if pictures and (recipe.needs_calibration or layers_to_equalize(self.config, recipe)):
            equalized, samples = self._seen(recipe)
            layers = PreparedLayers(equalized)
            if recipe.needs_calibration:
                chosen = choose_ranges(equalized, recipe, samples)
                layers = replace(layers, calibration=ActivationRanges(recipe.name, chosen))
        elif recipe.needs_calibration and self.learned is not None:
            layers = PreparedLayers(calibration=ActivationRanges(recipe.name, self.learned.ranges))
        quantized = quantize(self._lowered(recipe, layers), for_head(recipe, self.config), layers.calibration)
        return graph_operators(self._packed(quantized), SIGNATURE)

    def _packed(self, flatbuffer: bytes) -> bytes:
        return pack(merge([Rung(SIGNATURE, flatbuffer, self.outputs)]))

    def _lowered(self, recipe: Recipe, layers: PreparedLayers) -> bytes:
        """The float graph, which recipes share that weigh alike and have factors at the same places."""
        factors = frozenset() if layers.equalized is None else frozenset(layers_to_equalize(self.config, recipe))
        key = (recipe.weighting, factors)
        if key not in self._plain:

            def adjusted(folded: Folded) -> Folded:
                check_layers(folded.head_layers)
                return layers.with_equalized(folded)

            lowered = lower(
                self.config, self.arrays, self.resolution, self.heads, adjust=adjusted, weighting=recipe.weighting
            )
            self._plain[key] = self._packed(lowered)
        return self._plain[key]

    def _seen(self, recipe: Recipe) -> tuple[Folded, dict[str, ActivationSample]]:
        """The layers evened out by one drawn picture, and what they computed on it."""
        factors = frozenset(layers_to_equalize(self.config, recipe))
        key = (recipe.weighting, factors)
        if key not in self._equalized:
            folded = fold(self.config, self.arrays, self.resolution, heads=self.heads)
            image = np.asarray(draw_picture(GENERATOR, 1, self.resolution))[None]
            seen = observe(self.config, [(folded, image)], self.heads, weighting=recipe.weighting)
            blocks = equalize(self.config, folded.blocks, seen.samples, factors)
            self._equalized[key] = replace(folded, blocks=blocks), seen.samples
        return self._equalized[key]
