"""Post-training quantization: a float graph and data give an integer graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fhe_estimators.exceptions import UnsupportedOperatorError
from fhe_estimators.graph import Graph, Node, bits_of_range
from fhe_estimators.numpy_module import NumpyModule
from fhe_estimators.operators import (
    BitWidths,
    Encrypted,
    IntegerBuilder,
    Operand,
    operators_of,
)
from fhe_estimators.quantization._calibration import InputRange
from fhe_estimators.quantization._uniform import UniformQuantizer

#: Rows that intermediate tensors are looked at on.
_ROWS = 5_000


def quantize(
    graph: Graph,
    calibration: Sequence[np.ndarray],
    bits: BitWidths,
    input_ranges: Sequence[InputRange] | None = None,
    sample_weight: np.ndarray | None = None,
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
    step = -(-len(calibration[0]) // _ROWS)
    weights = np.ones(len(calibration[0])) if sample_weight is None else sample_weight
    real = NumpyModule(graph).intermediates(*(rows[::step] for rows in calibration))

    operator_of = operators_of(graph)

    def compute(node: Node, *arrays: np.ndarray) -> np.ndarray:
        return np.asarray(operator_of(node)(*arrays))

    builder = IntegerBuilder(bits, real, weights[::step], compute)
    tensors: dict[str, Operand] = {"": None, **graph.constants}
    quantizers, inputs = [], []
    for place, value in enumerate(graph.inputs):
        rows = np.asarray(calibration[place])
        shape = (1, *rows.shape[1:])
        if rows.dtype == bool:
            # Both are in range, whether or not calibration saw them.
            quantizer = UniformQuantizer(1, signed=True)
            quantizer.fit_range(np.zeros(shape), np.ones(shape))
        else:
            known = (
                InputRange.of(rows, bits.op_inputs, sample_weight)
                if input_ranges is None
                else input_ranges[place]
            )
            quantizer = UniformQuantizer(bits.op_inputs, signed=True)
            quantizer.fit_range(known.low.reshape(shape), known.high.reshape(shape))
        tensor = _input(value.name, quantizer, shape)
        tensors[value.name] = tensor
        builder.samples[value.name] = quantizer.quant(real[value.name])
        inputs.append(builder.declare(value.name, tensor.low, tensor.high))
        quantizers.append(quantizer)
    for node in graph:
        operator = operator_of(node)
        operands = [tensors[name] for name in node.inputs]
        if any(isinstance(operand, Encrypted) for operand in operands):
            tensors[node.outputs[0]] = operator.quantize(operands, builder)
        else:
            tensors[node.outputs[0]] = np.asarray(operator(*operands))

    names, outputs = [], []
    for value in graph.outputs:
        result = tensors[value.name]
        if not isinstance(result, Encrypted):
            raise UnsupportedOperatorError(
                f"The output {value.name!r} does not depend on an encrypted input."
            )
        tensor = builder.materialize(result, value.name)
        names.append(tensor.name)
        outputs.append(_output(tensor))
    return builder.build(tuple(inputs), tuple(names)), tuple(quantizers), tuple(outputs)


def _input(name: str, quantizer: UniformQuantizer, shape: tuple[int, ...]) -> Encrypted:
    return Encrypted(
        name,
        np.broadcast_to(quantizer.scale, shape),
        np.broadcast_to(-quantizer.scale * quantizer.zero_point, shape),
        np.full(shape, quantizer.low),
        np.full(shape, quantizer.high),
    )


def _output(tensor: Encrypted) -> UniformQuantizer:
    low, high = int(tensor.low.min()), int(tensor.high.max())
    return UniformQuantizer(
        bits_of_range(low, high),
        signed=low < 0,
        scale=tensor.scale,
        zero_point=-tensor.offset / tensor.scale,
    )
