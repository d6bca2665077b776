"""Post-training quantization: a float graph and data give an integer graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import Graph, Node, as_tuple, bits_of_range, wraps
from fhe_estimators.core.integers import (
    BitWidths,
    Encrypted,
    Grid,
    IntegerBuilder,
    KeptBits,
    RangeOf,
)
from fhe_estimators.core.integers.builder import WRAPPING_BITS, Step
from fhe_estimators.core.integers.tables import count_from_lowest
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import Operand, as_array, kinds_of, operators_of
from fhe_estimators.core.quantization._calibration import InputRange
from fhe_estimators.core.quantization._finite import check_finite_rows
from fhe_estimators.core.quantization._inputs import input_quantizer
from fhe_estimators.core.quantization._narrowing import narrow
from fhe_estimators.core.quantization._uniform import UniformQuantizer
from fhe_estimators.exceptions import UnsupportedOperatorError

#: Rows that intermediate tensors are looked at on.
_ROWS = 5_000
#: Numbers of all tensors that are looked at, and rows of large networks at least.
_NUMBERS, _FEWEST_ROWS = 2**25, 50


class PostTraining:
    """A float graph and what calibration saw in it: quantized with any number of bits.

    The graph is executed on the calibration data, and the ranges of its intermediate
    tensors are recorded. Then every operator appends its integer meaning, in topological
    order: element-wise operators are collected and become one table where integers are
    needed again; products work on integers.

    Parameters
    ----------
    graph : Graph
        A legal float graph.
    calibration : sequence of ndarray of shape (n_samples, ...)
        Representative rows of each input. Truth values take one bit.
    bits : BitWidths
    input_ranges : sequence of InputRange, optional
        Ranges of the inputs, if known otherwise than from `calibration`.
    sample_weight : ndarray of shape (n_samples,), optional
        How much each row counts.
    range_of : callable, optional
        Chooses the range of results of tables; from the smallest to the largest by default.
    margin : float, optional
        See `IntegerBuilder`.
    row : mapping of str to ndarray, optional
        What `one_row` returns, if it is known: how large rows are.
    clips : bool, default=False
        Whether the tensors are those of rows that are clipped to `input_ranges`. A number
        far beyond its range would decide what weights are fitted to, though its integers
        do not show it.

    Attributes
    ----------
    input_quantizers : tuple of UniformQuantizer
        One for each input.

    Raises
    ------
    GraphError
        If numbers that integers stand for are not finite on a calibration row.
    """

    def __init__(
        self,
        graph: Graph,
        calibration: Sequence[np.ndarray],
        bits: BitWidths,
        input_ranges: Sequence[InputRange] | None = None,
        sample_weight: np.ndarray | None = None,
        range_of: RangeOf | None = None,
        margin: float | None = None,
        row: Mapping[str, np.ndarray] | None = None,
        clips: bool = False,
    ) -> None:
        self._graph, self._bits, self._range_of = graph, bits, range_of
        self._margin = margin
        row = one_row(graph, calibration) if row is None else row
        n_numbers = sum(array.size for array in row.values())
        n_rows = min(_ROWS, max(_FEWEST_ROWS, _NUMBERS // max(n_numbers, 1)))
        step = -(-len(calibration[0]) // n_rows)
        weights = np.ones(len(calibration[0])) if sample_weight is None else sample_weight
        self._weights = weights[::step]
        with np.errstate(all="ignore"):
            rows = [array[::step] for array in calibration]
            if clips and input_ranges is not None:
                pairs = zip(rows, input_ranges, strict=True)
                rows = [known.clipped(array) for array, known in pairs]
            self._real = NumpyModule(graph).intermediates(*rows)
        check_finite_rows(graph, self._real, step=step)
        arrays = [np.asarray(array) for array in calibration]
        ranges = [None] * len(arrays) if input_ranges is None else input_ranges
        self._row_shapes = [(1, *array.shape[1:]) for array in arrays]
        self.input_quantizers = tuple(
            input_quantizer(graph, value.name, array, bits, known, sample_weight)
            for value, array, known in zip(graph.inputs, arrays, ranges, strict=True)
        )
        #: Grids that were chosen already, see `IntegerBuilder`.
        self._grids: dict[Any, Grid] = {}

        kind_of = kinds_of(graph)
        self._readers = Counter(name for node in graph for name in node.inputs)
        self._readers.update(value.name for value in graph.outputs)
        self._summed_with = {
            name: [other for other in node.inputs if other != name]
            for node in graph
            if kind_of(node).adds
            for name in node.inputs
        }
        # What the client decrypts, through no table.
        final = {value.name for value in graph.outputs}
        for node in reversed(list(graph)):
            if final.intersection(node.outputs) and kind_of(node).free:
                final.update(node.inputs)
        self._looked_up = {name for node in graph for name in node.outputs} - final

    def quantized(
        self, kept_bits: KeptBits = KeptBits()
    ) -> tuple[Graph, tuple[UniformQuantizer, ...], tuple[UniformQuantizer, ...]]:
        """Return the integer graph.

        Parameters
        ----------
        kept_bits : KeptBits, optional
            What tables read of accumulators; all by default.

        Returns
        -------
        integer_graph : Graph
        input_quantizers, output_quantizers : tuple of UniformQuantizer
            One for each input and each output.

        Raises
        ------
        UnsupportedOperatorError
            If an operator has no encrypted form, or an output does not depend on an input.
        BitWidthError
            If a table would read too wide an integer.
        """
        integers, outputs = self._integers(kept_bits, self._margin)
        if any(map(wraps, integers)):
            kind_of = kinds_of(integers)
            read = (kind_of(node).table_bits(node, integers) for node in integers)
            if max(read) > WRAPPING_BITS:
                integers, outputs = self._integers(kept_bits, None)
            else:
                integers = narrow(integers)
        return integers, self.input_quantizers, tuple(map(_output, outputs))

    def _integers(
        self, kept_bits: KeptBits, margin: float | None
    ) -> tuple[Graph, list[Encrypted]]:
        """Return the integer graph and its outputs; ranges hold for any row."""
        graph, bits = self._graph, self._bits
        builder = self._builder(kept_bits, margin)
        tensors: dict[str, Operand] = {"": None, **graph.constants}
        inputs = []
        for value, quantizer, shape in zip(
            graph.inputs, self.input_quantizers, self._row_shapes, strict=True
        ):
            tensor = _input(value.name, quantizer, shape)
            tensors[value.name] = tensor
            builder.samples[value.name] = quantizer.quant(self._real[value.name])
            builder.steps[value.name] = Step.of(tensor)
            inputs.append(builder.given(value.name, tensor.low, tensor.high))
        operator_of = operators_of(graph)
        for node in graph:
            operator = operator_of(node)
            operands = [tensors[name] for name in node.inputs]
            results: Any
            if not any(isinstance(operand, Encrypted) for operand in operands):
                results = operator.in_clear(operands)
            else:
                if not operator.uses_integers:
                    operands = [as_array(operand) for operand in operands]
                results = operator.quantize(operands, builder)
            tensors.update(zip(node.outputs, as_tuple(results), strict=True))

        results = []
        for value in graph.outputs:
            result = tensors[value.name]
            if not isinstance(result, Encrypted):
                raise UnsupportedOperatorError(
                    f"The output {value.name!r} does not depend on an encrypted input."
                )
            grid = None
            if result.function is not None and bits.of_outputs != bits.op_inputs:
                grid = builder.calibrated([value.name], bits.of_outputs)
            results.append(builder.materialize(result, value.name, grid=grid))
        if any(map(wraps, builder.nodes)):
            results = [count_from_lowest(builder, result) for result in results]
        return builder.build(inputs, [result.name for result in results]), results

    def _builder(self, kept_bits: KeptBits, margin: float | None) -> IntegerBuilder:
        """Return a builder that knows what the operators read and what follows them."""
        operator_of = operators_of(self._graph)

        def compute(node: Node, *arrays: np.ndarray) -> np.ndarray:
            return np.asarray(operator_of(node)(*arrays))

        return IntegerBuilder(
            self._bits,
            self._real,
            self._weights,
            compute,
            self._readers,
            self._range_of,
            kept_bits,
            self._summed_with,
            margin,
            self._grids,
            self._looked_up,
            table_bits=ConcreteEngine.maximum_table_bits,
        )


def one_row(graph: Graph, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors of the first row of a float graph; none if rows are mixed."""
    try:
        with np.errstate(all="ignore"):
            return NumpyModule(graph).intermediates(*(rows[:1] for rows in inputs))
    except (IndexError, ValueError):
        return {}


def quantize(
    graph: Graph,
    calibration: Sequence[np.ndarray],
    bits: BitWidths,
    *,
    kept_bits: KeptBits = KeptBits(),
    **known: Any,
) -> tuple[Graph, tuple[UniformQuantizer, ...], tuple[UniformQuantizer, ...]]:
    """Quantize a float graph, once.

    Parameters
    ----------
    graph : Graph
    calibration : sequence of ndarray of shape (n_samples, ...)
    bits : BitWidths
    kept_bits : KeptBits, optional
    **known
        Other parameters of `PostTraining`, which tells more.

    Returns
    -------
    integer_graph : Graph
    input_quantizers, output_quantizers : tuple of UniformQuantizer
    """
    return PostTraining(graph, calibration, bits, **known).quantized(kept_bits)


def _input(name: str, quantizer: UniformQuantizer, shape: tuple[int, ...]) -> Encrypted:
    low, high = quantizer.bounds
    return Encrypted(
        name,
        np.broadcast_to(quantizer.scale, shape),
        np.broadcast_to(-quantizer.scale * quantizer.zero_point, shape),
        np.broadcast_to(low, shape),
        np.broadcast_to(high, shape),
    )


def _output(tensor: Encrypted) -> UniformQuantizer:
    low, high = int(tensor.low.min()), int(tensor.high.max())
    return UniformQuantizer(
        bits_of_range(low, high),
        signed=low < 0,
        scale=tensor.scale,
        zero_point=-tensor.offset / tensor.scale,
    )
