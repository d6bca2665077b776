"""Tensors that are brought to one scale by tables that cover likely integers only."""

from dataclasses import replace

import numpy as np
import pytest

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import MARGINS
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import quantize
from fhe_estimators.core.quantized_module import QuantizedModule, RoundingOptions
from tests.core.operators.tools import float_graph

AXES = {"axes": np.array([1])}
#: What is computed of an accumulator `h`, as `y`: it meets a function of itself.
MEETINGS = {
    "less its mean": [
        Node("ReduceMean", ("h", "axes"), ("m",)),
        Node("Sub", ("h", "m"), ("y",)),
    ],
    "less its largest": [
        Node("ReduceMax", ("h", "axes"), ("m",)),
        Node("Sub", ("h", "m"), ("y",)),
    ],
    "with its square": [
        Node("Mul", ("h", "h"), ("s",)),
        Node("ReduceSum", ("s", "axes"), ("m",)),
        Node("Add", ("h", "m"), ("y",)),
    ],
    "with its exponential": [
        Node("Exp", ("h",), ("e",)),
        Node("ReduceMean", ("e", "axes"), ("m",)),
        Node("Add", ("m", "h"), ("y",)),
    ],
}


@pytest.mark.parametrize("accumulator_range", MARGINS)
@pytest.mark.parametrize("n_bits", [6, 8])
@pytest.mark.parametrize("name", MEETINGS)
def test_both_halves_of_a_range_are_kept(name, n_bits, accumulator_range):
    """A grid of such a table lies around zero: its smallest number is not integer 0."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(200, 6))
    weights = {"w": generator.normal(size=(6, 4))}
    nodes = [Node("MatMul", ("x", "w"), ("h",)), *MEETINGS[name]]
    graph = float_graph(nodes, {**weights, **AXES}, (6,))
    module = QuantizedModule(
        *quantize(
            graph,
            [rows],
            BitWidths(n_bits, n_bits),
            kept_bits=RoundingOptions("exact", n_bits).given,
            margin=MARGINS[accumulator_range],
        ),
        NumpyModule(
            replace(graph, nodes=(), inputs=graph.outputs, constants={}, values={})
        ),
    )
    found, meant = module(rows), NumpyModule(graph)(rows)
    # Steps of half a percent of the range at 8 bits, and a few roundings.
    assert np.abs(found - meant).max() < 12 * np.ptp(meant) / 2**n_bits
    assert np.sqrt(np.mean((found - meant) ** 2)) < 16 * meant.std() / 2**n_bits
