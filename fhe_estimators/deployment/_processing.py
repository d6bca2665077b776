"""What a client does with rows before it encrypts, and with results behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fhe_estimators._readings import Beside, Labels, Reading, read
from fhe_estimators.core.circuit._recombination import Recombination
from fhe_estimators.core.graph import Node, Value
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import registry
from fhe_estimators.core.operators.quantized import OntoGrid
from fhe_estimators.core.quantization import UniformQuantizer
from fhe_estimators.core.quantization._inputs import TrainedQuantizer
from fhe_estimators.core.quantized_module.ends import Ends
from fhe_estimators.core.trees.binning import BinEdges
from fhe_estimators.core.trees.encoders import (
    BinEncoder,
    LeafDecoder,
    SumDecoder,
    ThermometerEncoder,
)
from fhe_estimators.deployment import _json
from fhe_estimators.deployment._arrays import pack, unpack
from fhe_estimators.deployment._feature_kinds import FEATURES, LabelArray
from fhe_estimators.deployment._features import Features
from fhe_estimators.deployment._graphs import FLOAT_GRAPH, NODE, VALUE
from fhe_estimators.deployment._kinds import (
    Array,
    Arrays,
    Flag,
    Integer,
    Named,
    Number,
    OneOf,
    Optional,
    Real,
    Record,
    Several,
    Text,
)
from fhe_estimators.deployment.errors import ConformanceError, FormatError

#: The methods whose results a client can have.
METHODS = ("predict", "predict_proba", "decision_function", "transform", "eval_terms")


@dataclass(frozen=True)
class Processing:
    """The client's part of a model.

    Parameters
    ----------
    features : Features or None
        How rows are checked; None for a model that takes arrays of any shape.
    ends : Ends
        Quantizers, and what is computed in clear.
    results : tuple of Value
        What is decrypted.
    recombination : Recombination or None
    readings : dict of str to sequence of Reading
        What methods return; of several outputs, one for each.
    beside : Beside, optional
        A term of scores that is computed from rows.
    """

    features: Features | None
    ends: Ends
    results: tuple[Value, ...]
    recombination: Recombination | None
    readings: Mapping[str, Sequence[Reading]]
    beside: Beside | None = None

    def check_shapes(
        self, inputs: Sequence[tuple[int, ...]], outputs: Sequence[tuple[int, ...]]
    ) -> None:
        """Raise `FormatError` if what is encrypted and decrypted has other shapes."""
        for values, shapes in ((self.ends.inputs, inputs), (self.results, outputs)):
            expected = [(1, *(value.shape or ())[1:]) for value in values]
            if expected != list(shapes):
                raise FormatError(
                    f"processing.json is of tensors of the shapes {expected!s:.80}, "
                    f"client_spec.json of {list(shapes)!s:.80}."
                )
        if any(value.bits is None for value in (*self.ends.inputs, *self.results)):
            raise FormatError("processing.json has tensors without a range.")

    def checked(self, X: Any) -> tuple[Any, ...]:
        """Return rows as arrays; raise as the model does if they are not like its own."""
        if self.features is None:
            return X if isinstance(X, tuple) else (X,)
        return (self.features.checked(X),)

    def beyond(self, prepared: Sequence[np.ndarray]) -> str | None:
        """Return in words how many numbers lie beyond the ranges of the model, or None."""
        names = None if self.features is None else self.features.names
        return self.ends.beyond(prepared, names)

    def recombined(self, results: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return what the client makes of decrypted integers.

        Raises
        ------
        ConformanceError
            If an integer is none that the model can give.
        """
        for value, array in zip(self.results, results, strict=True):
            low, high = value.bounds
            if not value.wraps and (array.min() < low or array.max() > high):
                raise ConformanceError(
                    f"The decrypted integers lie in [{array.min()}, {array.max()}], beyond "
                    f"[{low}, {high}]: the answer was computed with other keys, or for "
                    "another request, or falsified."
                )
        if self.recombination is None:
            return tuple(results)
        return tuple(map(self.recombination, results))

    @property
    def classes(self) -> np.ndarray | None:
        """The labels that `predict` returns, if it returns labels of one output."""
        readings = self.readings.get("predict", ())
        labels = readings[0].labels if len(readings) == 1 else None
        return None if labels is None else labels.labels

    def check_has(self, method: str, kind: str) -> None:
        """Raise `AttributeError` if the model has not such a method."""
        if method not in self.readings:
            has = ", ".join(sorted(self.readings))
            raise AttributeError(f"This {kind} has no {method}; it has {has}.")

    def read(
        self,
        method: str,
        q_outputs: Sequence[np.ndarray],
        beside: np.ndarray | None = None,
    ) -> Any:
        """Return the result of a method.

        Raises
        ------
        ConformanceError
            If it takes a term that is computed from rows, which are not known any more.
        """
        readings, end = self.readings[method], self.ends.clear_module
        if beside is None and any(reading.less_beside for reading in readings):
            raise ConformanceError(
                f"{method} of this model takes the rows, which a client remembers of its "
                "last requests only: encrypt them again, or use predict."
            )
        return read(readings, self.ends.dequantize(q_outputs), end, method, beside)

    def write(self) -> tuple[bytes, bytes]:
        """Return a document and a file of arrays."""
        arrays: list[np.ndarray] = []
        document = _PROCESSING.write(self, arrays)
        return _json.dumps(document), pack(arrays)

    @classmethod
    def load(cls, document: bytes, arrays: bytes) -> Processing:
        """Return what was written; `FormatError` if it is something else."""
        found = Arrays(unpack(arrays, "arrays.npz"))
        loaded = _json.loads(document, "processing.json")
        processing: Processing = _PROCESSING.read(loaded, found, "processing.json")
        found.check_all_taken("arrays.npz")
        return processing


def _uniform(single: Any, expected: Sequence[Any], **given: Any) -> UniformQuantizer:
    quantizer = UniformQuantizer(**given)
    quantizer._single, quantizer._expected = single, tuple(expected)
    return quantizer


def _fields_of_uniform(quantizer: UniformQuantizer) -> Mapping[str, Any]:
    return {
        **vars(quantizer),
        "single": quantizer._single,
        "expected": quantizer._expected,
    }


_UNIFORM = Record(
    _uniform,
    {
        "n_bits": Integer(1, 62),
        "signed": Flag(),
        "symmetric": Flag(),
        "scale": Number("f"),
        "zero_point": Number("if"),
        "single": Optional(Number("b")),
        "expected": Several(Number("if"), 2),
    },
    _fields_of_uniform,
)


def _encoder(cls: type[BinEncoder]) -> tuple[type, Record]:
    def make(edges: Sequence[np.ndarray], features: Sequence[int]) -> BinEncoder:
        if not all(0 <= feature < len(edges) for feature in features):
            raise ValueError("a feature without edges")
        return cls(BinEdges(edges), tuple(features))

    def take(encoder: BinEncoder) -> Mapping[str, Any]:
        # Of features that are not sent nothing needs to be known, but whether they may be
        # missing.
        sent = set(encoder.features)
        edges = [
            edges if place in sent else edges[edges == np.inf]
            for place, edges in enumerate(encoder.bin_edges.edges)
        ]
        return {"edges": edges, "features": encoder.features}

    fields = {"edges": Several(Array("f", 1)), "features": Several(Integer())}
    return cls, Record(make, fields, take)


def _trained(node: Node, parameters: Sequence[np.ndarray]) -> TrainedQuantizer:
    kind = registry().get(node.op)
    if kind is None or not issubclass(kind, OntoGrid):
        raise ValueError(f"{node.op:.80} does not round onto a grid")
    return TrainedQuantizer(kind(node), parameters)


_QUANTIZER = OneOf(
    {
        "trained": (
            TrainedQuantizer,
            Record(_trained, {"node": NODE, "parameters": Several(Array("biuf"))}),
        ),
        "uniform": (UniformQuantizer, _UNIFORM),
        "bins": _encoder(BinEncoder),
        "thermometer": _encoder(ThermometerEncoder),
    }
)
_DECODER = OneOf(
    {
        "uniform": (UniformQuantizer, _UNIFORM),
        "sums": (
            SumDecoder,
            Record(
                SumDecoder,
                {
                    "scale": Array("f", 1),
                    "base": Array("f", 1),
                    "total": Optional(Real()),
                    "highest": Array("iuf", 1),
                    "rounding_errors": Array("f", 1),
                    "offset": Number("iu"),
                },
            ),
        ),
        "leaves": (
            LeafDecoder,
            Record(LeafDecoder, {"values": Several(Array("f", 2)), "offset": Number("iu")}),
        ),
    }
)
_RECOMBINATION = Record(Recombination, {"scales": Array("iu"), "offset": Array("iu")})


def _ends(clear: Any, prologue: Any, **parts: Any) -> Ends:
    before = None if prologue is None else NumpyModule(prologue)
    return Ends(clear_module=NumpyModule(clear), prologue=before, **parts)


def _parts_of_ends(ends: Ends) -> Mapping[str, Any]:
    prologue = None if ends.prologue is None else ends.prologue.graph
    return {**vars(ends), "clear": ends.clear_module.graph, "prologue": prologue}


_ENDS = Record(
    _ends,
    {
        "inputs": Several(VALUE, 16),
        "input_quantizers": Several(_QUANTIZER, 16),
        "output_quantizers": Several(_DECODER, 16),
        "clear": FLOAT_GRAPH,
        "prologue": Optional(FLOAT_GRAPH),
    },
    _parts_of_ends,
)

_LABELS = Record(
    Labels,
    {
        "rule": Text(Labels.RULES),
        "threshold": Real(),
        "labels": Optional(LabelArray()),
    },
)
_BESIDE = Record(Beside, {"origin": Array("f", 1), "unit": Array("f", 1)})
_READING = Record(
    Reading,
    {
        "columns": Optional(Several(Integer(), 2)),
        "shift": Optional(Array("f", 1)),
        "factor": Real(),
        "end": Flag(),
        "less_beside": Flag(),
        "offset": Real(),
        "link": Text(tuple(Reading.LINKS)),
        "normalized": Flag(),
        "form": Text(Reading.FORMS),
        "labels": Optional(_LABELS),
    },
)
_PROCESSING = Record(
    Processing,
    {
        "features": Optional(FEATURES),
        "ends": _ENDS,
        "results": Several(VALUE, 16),
        "recombination": Optional(_RECOMBINATION),
        "readings": Named(Several(_READING), METHODS),
        "beside": Optional(_BESIDE),
    },
)
