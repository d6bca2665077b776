"""How the inputs of a graph are quantized: what the graph itself says about it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fhe_estimators.core.graph import Graph, Node, bits_of_range, known_without
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.operators import kinds_of, operators_of
from fhe_estimators.core.operators.integer_arithmetic import QuantizeDequantize
from fhe_estimators.core.operators.quantized import OntoGrid, Quant
from fhe_estimators.core.quantization._calibration import InputRange
from fhe_estimators.core.quantization._uniform import UniformQuantizer
from fhe_estimators.core.validation import check_finite

#: Attributes of Quant that tell its integers, with their defaults.
_DEFAULTS = (("signed", 1), ("narrow", 0))


def units_of_input(graph: Graph, name: str, rank: int) -> tuple[int, ...]:
    """Return the axes along which the scale of an input may differ.

    A scale of its own for each feature costs nothing where the features are multiplied by
    weights next: the scales go into the weights. Where a convolution comes next, that holds
    for channels.

    Parameters
    ----------
    graph : Graph
    name : str
        Of the input.
    rank : int
        Axes of the input, rows included.
    """
    axes = set(range(1, rank))
    clear = known_without(graph)
    # Functions of the input, element by element; whether a row of one is a vector.
    reached = {name: rank == 2}
    kind_of = kinds_of(graph)
    for node in graph:
        read = [reached[source] for source in node.inputs if source in reached]
        if not read:
            continue
        if not (clear | reached.keys()).issuperset(node.inputs):
            return ()
        kind = kind_of(node)
        if kind.is_product and node.inputs[0] in reached and len(read) == 1:
            # A vector has one axis.
            axes = axes if read[0] else axes & {axis % rank for axis in kind.units}
        elif kind.by_channel and not read[0]:
            axes &= {1}
            reached.update(dict.fromkeys(node.outputs, False))
        elif kind.makes_vectors(node):
            reached.update(dict.fromkeys(node.outputs, True))
        elif kind.pointwise:
            reached.update(dict.fromkeys(node.outputs, all(read)))
        else:
            return ()
    return tuple(sorted(axes))


def trained_grid(graph: Graph, name: str) -> UniformQuantizer | None:
    """Return the quantizer that training put in front of an input, if there is one.

    There is one if all that reads the input is the same operator of QONNX with the same
    clear parameters.
    """
    nodes = [node for node in graph if name in node.inputs]
    if not nodes or any(value.name == name for value in graph.outputs):
        return None
    first, *others = [_read_by(graph, name, node) for node in nodes]
    if first is None or not all(first.is_same(other) for other in others):
        return None
    return first.simple() or first


def input_quantizer(
    graph: Graph,
    name: str,
    rows: np.ndarray,
    bits: BitWidths,
    known: InputRange | None = None,
    sample_weight: np.ndarray | None = None,
) -> UniformQuantizer:
    """Return the quantizer of an input: of its training, else for its range.

    Parameters
    ----------
    graph : Graph
    name : str
        Of the input.
    rows : ndarray of shape (n_samples, ...)
        Representative ones. Truth values take one bit.
    bits : BitWidths
    known : InputRange, optional
        The range, if it is known otherwise than from `rows`.
    sample_weight : ndarray of shape (n_samples,), optional
        How much each row counts.
    """
    trained = trained_grid(graph, name)
    if trained is not None:
        return trained
    shape = (1, *rows.shape[1:])
    if rows.dtype == bool:
        # Both are in range, whether or not calibration saw them.
        return UniformQuantizer(1, signed=True).fit_range(np.zeros(shape), np.ones(shape))
    if known is None:
        known = InputRange.of(rows, bits.of_inputs, sample_weight)
    units_along = units_of_input(graph, name, rows.ndim)
    others = tuple(axis for axis in range(rows.ndim) if axis not in units_along)
    low = known.low.reshape(shape).min(axis=others, keepdims=True)
    high = known.high.reshape(shape).max(axis=others, keepdims=True)
    quantizer = UniformQuantizer(bits.of_inputs, signed=True)
    quantizer.fit_range(
        np.broadcast_to(low, shape).copy(), np.broadcast_to(high, shape).copy()
    )
    return quantizer.expect(rows)


class TrainedQuantizer(UniformQuantizer):
    """The integers that an operator of QONNX makes of real numbers.

    Parameters
    ----------
    operator : OntoGrid
    parameters : sequence of ndarray
        Clear inputs of its node behind the first.
    """

    def __init__(self, operator: OntoGrid, parameters: Sequence[np.ndarray]) -> None:
        self._operator, self._parameters = operator, tuple(parameters)
        self._grid = operator.grid(*parameters)
        low, high = self._grid.low, self._grid.high
        assert isinstance(low, int)
        assert isinstance(high, int)
        super().__init__(
            bits_of_range(low, high),
            signed=low < 0,
            scale=self._grid.scale,
            zero_point=-self._grid.offset / self._grid.scale,
        )
        self._ends = low, high

    @property
    def node(self) -> Node:
        """The application of the operator."""
        return self._operator.node

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """Clear inputs of its node behind the first."""
        return self._parameters

    @property
    def low(self) -> int:
        """The smallest integer."""
        return self._ends[0]

    @property
    def high(self) -> int:
        """The largest integer."""
        return self._ends[1]

    def quant(self, values: ArrayLike, dtype: DTypeLike = np.int64) -> np.ndarray:
        """Return the integers of the numbers that the operator rounds `values` to."""
        rounded = self._operator(check_finite(values), *self._parameters)
        return self._grid.integers(rounded).astype(dtype, copy=False)

    def is_same(self, other: TrainedQuantizer | None) -> bool:
        """Tell whether another quantizer has the same operator and parameters."""
        if other is None:
            return False
        mine, theirs = self._operator.node, other._operator.node
        return (mine.op, dict(mine.attributes)) == (
            theirs.op,
            dict(theirs.attributes),
        ) and all(map(np.array_equal, self._parameters, other._parameters))

    def simple(self) -> UniformQuantizer | None:
        """Return an equal `UniformQuantizer`, which needs no operator, if there is one."""
        if isinstance(self._operator, QuantizeDequantize):
            return self._uniform()
        node = self._operator.node
        signed, narrow = (bool(node.attributes.get(k, d)) for k, d in _DEFAULTS)
        mode = node.attributes.get("rounding_mode", "ROUND").upper()
        nearest = isinstance(self._operator, Quant) and mode in ("ROUND", "HALF_EVEN")
        if not nearest or (narrow and not signed):
            return None
        scale, zero_point, bits = self._parameters
        # It rounds before it adds the zero point: if that is odd, halves go elsewhere.
        if np.any(np.asarray(zero_point) % 2):
            return None
        return UniformQuantizer(
            int(np.max(bits)),
            signed=signed,
            symmetric=narrow,
            scale=np.asarray(scale, float),
            zero_point=np.asarray(zero_point, float).astype(np.int64),
        )

    def _uniform(self) -> UniformQuantizer | None:
        """Return an equal quantizer if its integers are all of a number of bits."""
        scale, zero_point, *ends = (np.asarray(array) for array in self._parameters)
        low, high = (int(end.item()) for end in ends)
        bits = (high - low).bit_length()
        if scale.size > 1 or (low, high) not in _whole_ranges(bits):
            return None
        return UniformQuantizer(
            bits,
            signed=low < 0,
            scale=scale.astype(float),
            zero_point=zero_point.astype(int),
        )


def _whole_ranges(bits: int) -> tuple[tuple[int, int], ...]:
    half = 1 << (bits - 1)
    return (0, 2 * half - 1), (-half, half - 1)


def _read_by(graph: Graph, name: str, node: Node) -> TrainedQuantizer | None:
    operator = operators_of(graph)(node)
    first, *others = node.inputs
    clear = all(source in graph.constants for source in others)
    if not isinstance(operator, OntoGrid) or first != name or not clear:
        return None
    return TrainedQuantizer(operator, [graph.constants[source] for source in others])
