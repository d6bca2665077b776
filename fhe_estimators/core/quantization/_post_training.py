"""Post-training quantization: a float graph and data give an integer graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import Graph, Node, as_tuple, bits_of_range, wraps
from fhe_estimators.core.integers import (
    BitWidths,
    Encrypted,
    IntegerBuilder,
    KeptBits,
    RangeOf,
)
from fhe_estimators.core.integers.builder import Step
from fhe_estimators.core.integers.tables import count_from_lowest
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import Operand, as_array, kinds_of, operators_of
from fhe_estimators.core.quantization._calibration import InputRange
from fhe_estimators.core.quantization._finite import check_finite_rows
from fhe_estimators.core.quantization._inputs import trained_grid, units_of_input
from fhe_estimators.core.quantization._narrowing import narrow
from fhe_estimators.core.quantization._uniform import UniformQuantizer
from fhe_estimators.exceptions import UnsupportedOperatorError

#: Bits up to which tables are read in the way that lets them wrap around, whatever
#: parameters are cheapest for others (measured: to 10 bits at ``p_error = 2**-40``).
_WRAPPING_BITS = 8
#: Rows that intermediate tensors are looked at on.
_ROWS = 5_000


def quantize(
    graph: Graph,
    calibration: Sequence[np.ndarray],
    bits: BitWidths,
    input_ranges: Sequence[InputRange] | None = None,
    sample_weight: np.ndarray | None = None,
    range_of: RangeOf | None = None,
    kept_bits: KeptBits = KeptBits(),
    margin: float | None = None,
) -> tuple[Graph, tuple[UniformQuantizer, ...], tuple[UniformQuantizer, ...]]:
    """Quantize a float graph.

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
    kept_bits : KeptBits, optional
        What tables read of accumulators; all by default.
    margin : float, optional
        See `IntegerBuilder`.

    Returns
    -------
    integer_graph : Graph
    input_quantizers, output_quantizers : tuple of UniformQuantizer
        One for each input and each output.

    Raises
    ------
    GraphError
        If numbers that integers stand for are not finite on a calibration row.
    UnsupportedOperatorError
        If an operator has no encrypted form, or an output does not depend on an input.
    BitWidthError
        If a table would read too wide an integer.
    """
    step = -(-len(calibration[0]) // _ROWS)
    weights = np.ones(len(calibration[0])) if sample_weight is None else sample_weight
    with np.errstate(all="ignore"):
        real = NumpyModule(graph).intermediates(*(rows[::step] for rows in calibration))
    check_finite_rows(graph, real, step=step)

    operator_of, kind_of = operators_of(graph), kinds_of(graph)

    def compute(node: Node, *arrays: np.ndarray) -> np.ndarray:
        return np.asarray(operator_of(node)(*arrays))

    readers = Counter(name for node in graph for name in node.inputs)
    readers.update(value.name for value in graph.outputs)
    summed_with = {
        name: [other for other in node.inputs if other != name]
        for node in graph
        if kind_of(node).adds
        for name in node.inputs
    }
    builder = IntegerBuilder(
        bits,
        real,
        weights[::step],
        compute,
        readers,
        range_of,
        kept_bits,
        summed_with,
        margin,
        table_bits=ConcreteEngine.maximum_table_bits,
    )
    tensors: dict[str, Operand] = {"": None, **graph.constants}
    quantizers, inputs = [], []
    for place, value in enumerate(graph.inputs):
        rows = np.asarray(calibration[place])
        known = None if input_ranges is None else input_ranges[place]
        quantizer = trained_grid(graph, value.name) or _calibrated(
            rows, units_of_input(graph, value.name, rows.ndim), bits, known, sample_weight
        )
        tensor = _input(value.name, quantizer, (1, *rows.shape[1:]))
        tensors[value.name] = tensor
        builder.samples[value.name] = quantizer.quant(real[value.name])
        builder.steps[value.name] = Step.of(tensor)
        inputs.append(builder.given(value.name, tensor.low, tensor.high))
        quantizers.append(quantizer)
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
    wrapping = any(map(wraps, builder.nodes))
    if wrapping:
        results = [count_from_lowest(builder, result) for result in results]
    integers = builder.build(inputs, [result.name for result in results])
    if wrapping:
        kind_of = kinds_of(integers)
        if any(
            kind_of(node).table_bits(node, integers) > _WRAPPING_BITS for node in integers
        ):
            return quantize(
                graph, calibration, bits, input_ranges, sample_weight, range_of, kept_bits
            )
        integers = narrow(integers)
    return integers, tuple(quantizers), tuple(map(_output, results))


def _calibrated(
    rows: np.ndarray,
    units_along: tuple[int, ...],
    bits: BitWidths,
    known: InputRange | None,
    sample_weight: np.ndarray | None,
) -> UniformQuantizer:
    """Return the quantizer of an input."""
    shape = (1, *rows.shape[1:])
    if rows.dtype == bool:
        # Both are in range, whether or not calibration saw them.
        return UniformQuantizer(1, signed=True).fit_range(np.zeros(shape), np.ones(shape))
    if known is None:
        known = InputRange.of(rows, bits.of_inputs, sample_weight)
    others = tuple(axis for axis in range(rows.ndim) if axis not in units_along)
    low = known.low.reshape(shape).min(axis=others, keepdims=True)
    high = known.high.reshape(shape).max(axis=others, keepdims=True)
    quantizer = UniformQuantizer(bits.of_inputs, signed=True)
    quantizer.fit_range(
        np.broadcast_to(low, shape).copy(), np.broadcast_to(high, shape).copy()
    )
    return quantizer.expect(rows)


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
