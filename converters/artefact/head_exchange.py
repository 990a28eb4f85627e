"""Other labels for an artefact whose classifier compares the picture's vector with one of each class.

The head alone is exchanged: a vector for each new label goes where the old ones were, in the same form. All else stays
as it is, to the byte: the backbone, other tasks, their self-tests. What says how many classes there are, what they cost
and what they answer is written anew. The file is the one that converting the model with these labels would have made.
Neither TensorFlow nor Keras is loaded: `edgevit relabel` is done in under a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit, Runner, audit, looked_through, open_interpreter
from converters.artefact.cosine_head import HeadChange, find_head
from converters.artefact.file_writer import write
from converters.artefact.ladder import collect_buffers, take
from converters.artefact.manifest_writer import relabelled_manifest, remeasured
from converters.artefact.self_test_writer import QUICK_RUNS, measured_self_test
from converters.graph.packing import pack
from converters.graph.unpacking import unpack
from converters.quantize.recipes import RECIPES
from edgevit.errors import AuditError, ConversionError
from edgevit.model_checks import LARGEST
from edgevit_runtime.manifest import Manifest
from edgevit_runtime.tasks.classify import Classify
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot
from edgevit_runtime.verify.verifier import verify_graphs

__all__ = ["ClassVectors", "ExchangeableArtefact"]

MOST_THREADS = 4


@dataclass(frozen=True)
class ClassVectors:
    """What a classifier by cosines knows of its classes.

    vectors: float32 [classes, width]; their lengths do not count. A logit is `scale` times a cosine, and `bias`.
    scores: what logits are made into, `softmax` or `sigmoid`. templates: what labels were put into, for the manifest.
    """

    labels: tuple[str, ...]
    vectors: NDArray[np.float32]
    scale: float
    bias: float = 0.0
    scores: str = "softmax"
    templates: tuple[str, ...] = ()

    def layer(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight [classes, width] and bias [classes] of the layer that reads a picture's vector as the graph has it:
        longer than 1 by the root of its width (`converters.graph.heads.pooling`). In float64, rounded once.
        """
        exact = self.vectors.astype(np.float64)
        lengths = np.sqrt(np.square(exact).sum(axis=1, keepdims=True))
        weight = self.scale * exact.shape[1] ** -0.5 * exact / lengths
        return weight.astype(np.float32), np.full(len(exact), self.bias, np.float32)


class ExchangeableArtefact:
    """An artefact that was found in order, and can be given other labels.

    Raises `ArtefactError` for what is none; `ConversionError` for one that has no classifier by cosines, or one with
    ranges for the labels that it has.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with Snapshot(self.path) as snapshot:
            self.manifest, _, self._seal = examine(snapshot, remember=False)
            _check_manifest(self.manifest, self.path)
            with snapshot.mapped() as data:
                self._content = bytes(data[: self.manifest.size_bytes])

    @property
    def _classify(self) -> Classify:
        task: Any = self.manifest.tasks["classify"]
        return cast(Classify, task)

    @property
    def scores(self) -> str:
        """What its logits are made into."""
        return self._classify.scores

    @property
    def templates(self) -> tuple[str, ...]:
        """What its labels were put into; empty where it does not say."""
        return self._classify.templates

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """Name and SHA-256 of the models that it was made of, as far as it says."""
        source = self.manifest.raw["model"].get("source")
        listed = [source, *source.get("with", ())] if source else []
        return tuple((str(each["file"]), str(each["sha256"])) for each in listed)

    def left_out(self, classes: ClassVectors, *, signed: bool) -> Iterator[str]:
        """What held for the old labels alone, a line each. signed: whether the new file is."""
        accuracy, threshold = self.manifest.raw.get("accuracy"), self._classify.threshold
        if accuracy and accuracy.get("task", "classify") == "classify":
            yield f"the accuracy that was measured on {accuracy['set']} was of the old labels and is left out"
        if threshold is not None and len(classes.labels) > 1:
            yield f"below a score of {threshold:.0%} the answer is none of the labels, as before"
        elif threshold is not None:
            yield f"the threshold of {threshold:.0%} was for several labels and is left out"
        if self._seal is not None and self._seal.signed and not signed:
            yield (
                f"{self.path} was signed, and a signature holds for the whole file: devices that trust a key will "
                "refuse this one; sign it with --sign KEY.pem"
            )

    def write(self, path: Path, classes: ClassVectors, sign: str | Path | None = None) -> None:
        """Writes it with other classes to `path`, which may be its own: tested and sealed anew, whole or not at all.

        Raises `ConversionError` where they do not fit it, or its child `AuditError`.
        """
        self._check(classes)
        model = unpack(self._content)
        places = self._exchange(model, classes)
        model.metadata = []
        collect_buffers(model)
        graphs = pack(model)
        costs = verify_graphs(graphs)
        entries = {each["name"]: each for each in self.manifest.raw["signatures"]}
        changed = {}
        for name, place in places.items():
            partitions, outside = (entries[name].get(key, 0) for key in ("partitions", "ops_outside"))
            changed[name] = looked_through(model, model.subgraphs[place], costs[place], partitions, outside)
        name, place = next(iter(places.items()))
        _audit_one(pack(take(unpack(graphs, place), name)), name, changed[name])
        tests = _tested(graphs, changed, entries, self.manifest.recipe)
        for name, audited in changed.items():
            entries[name] = remeasured(entries[name], audited, tests[name])
        text = relabelled_manifest(
            self.manifest, list(entries.values()), classes.labels, classes.templates, classes.scale
        )
        write(path, model, text, sign, quick=True)

    def _exchange(self, model: Any, classes: ClassVectors) -> dict[str, int]:
        """The signatures that were changed, and the places of their subgraphs."""
        change, changed = HeadChange(model, *classes.layer()), {}
        for definition in model.signatureDefs:
            scores = [each.tensorIndex for each in definition.outputs if each.name == b"scores"]
            if not scores:
                continue
            subgraph = model.subgraphs[definition.subgraphIndex]
            try:
                head = find_head(model, subgraph, scores[0])
            except ConversionError as error:
                raise _not_exchangeable(self.path, str(error)) from error
            if head.activation != self.scores:
                raise _not_exchangeable(self.path, f"its scores are a {head.activation}, not what its manifest says")
            if head.width != classes.vectors.shape[1]:
                raise ConversionError(
                    f"the texts' vectors have {classes.vectors.shape[1]} numbers, and {self.path} compares vectors of "
                    f"{head.width}: they are not of one model"
                )
            change.apply(subgraph, head)
            changed[definition.signatureKey.decode()] = definition.subgraphIndex
        return changed

    def _check(self, classes: ClassVectors) -> None:
        count = len(classes.labels)
        if not 1 <= count <= LARGEST["classes"]:
            raise ConversionError(f"{count} labels; an artefact has 1 to {LARGEST['classes']}")
        if classes.scores != self.scores:
            raise ConversionError(
                f"the scores of {self.path} are a {self.scores}, and the texts' are a {classes.scores}: they are not "
                "of one model"
            )
        if count == 1 and classes.scores == "softmax":
            raise ConversionError("a softmax over one label is always 100 %: name two labels or more")
        lengths = np.square(classes.vectors.astype(np.float64)).sum(axis=1)
        if len(lengths) != count or not (np.isfinite(lengths) & (lengths > 0.0)).all():
            raise ConversionError("a label's vector is no direction: it is zero, or no number")
        if not (np.isfinite([classes.scale, classes.bias]).all() and classes.scale > 0.0):
            raise ConversionError(f"cosines are multiplied with a number above 0, not {classes.scale!r}")


def _check_manifest(manifest: Manifest, path: Path) -> None:
    if "classify" not in manifest.tasks:
        raise _not_exchangeable(path, f"it has no classifier (it holds {', '.join(manifest.single_tasks)})")
    if not manifest.raw["model"]["config"].get("cosine_scale"):
        raise _not_exchangeable(path, "its classifier was trained for its classes: it compares no vectors")


def _not_exchangeable(path: Path, why: str) -> ConversionError:
    return ConversionError(
        f"{path} cannot be given other labels: {why}. Convert the model with them: `edgevit convert MODEL.keras "
        f"--labels FILE`, an image-text model (CLIP, SigLIP) with any recipe but int8-full"
    )


def _audit_one(single: bytes, name: str, changed: RungAudit) -> None:
    """Whether XNNPACK takes the new head as it took the old: in one signature, for it is the same in all."""
    found = audit(single, RECIPES["float32"], name, most=None).partitions
    if found > changed.partitions:
        raise AuditError(
            f"{name} would fall into {found} XNNPACK partitions with these labels, and has {changed.partitions} with "
            "those of before: convert the model with them"
        )


def _tested(
    graphs: bytes, changed: Mapping[str, RungAudit], entries: Mapping[str, Mapping[str, Any]], recipe: str
) -> dict[str, dict[str, Any]]:
    """The self-tests of the signatures that were changed, by name; what takes longest is shared out first."""

    def tested(names: Sequence[str]) -> dict[str, dict[str, Any]]:
        kernels = [open_interpreter(graphs, changed[names[0]], reference=each) for each in (False, True)]
        found = {}
        for name in names:
            runner, reference = (Runner(each, changed[name], name) for each in kernels)
            pictures = entries[name]["self_test"]["pictures"]
            compared = list(dict.fromkeys((each["output"], each["reading"]) for each in pictures))
            found[name] = measured_self_test(runner, reference, changed[name], recipe, compared, QUICK_RUNS)
        return found

    longest_first = sorted(changed, key=lambda name: -changed[name].macs.total)
    threads = min(MOST_THREADS, os.cpu_count() or 1, len(longest_first))
    with ThreadPoolExecutor(threads) as pool:
        shares = pool.map(tested, [longest_first[start::threads] for start in range(threads)])
        return {name: entry for share in shares for name, entry in share.items()}
