"""Products of matrices: their bits, ranges and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.engine import run_clear
from fhe_estimators.core.graph import Node
from fhe_estimators.core.numpy_module import NumpyModule
from tests.core.operators.cases import ROW
from tests.core.operators.tools import (
    FINE,
    assert_close,
    bits,
    check_ranges,
    compared,
    count_tables,
    examples,
    float_graph,
    quantized,
    seeds,
    whole,
)

#: Shape of a row, shape of the weights, whether these are on the right.
MATRICES = [
    ((4,), (4, 3), True),
    ((4,), (4,), True),
    ((3, 4), (4,), True),
    ((3, 4), (4, 2), True),
    ((2, 3, 4), (4, 2), True),
    ((2, 3, 4), (2, 4, 5), True),
    ((2, 3, 4), (1, 2, 4, 5), True),
    ((1, 3, 4), (2, 4, 5), True),
    ((2, 3, 4), (1, 4, 5), True),
    ((3, 4), (2, 3), False),
    ((2, 3, 4), (5, 3), False),
    ((2, 3, 4), (2, 5, 3), False),
]


@pytest.mark.parametrize(("row", "shape", "right"), MATRICES)
@given(n_bits=bits, seed=seeds)
@examples
def test_matrices(row, shape, right, n_bits, seed):
    generator = np.random.default_rng(seed)
    names = ("x", "w") if right else ("w", "x")
    constants = {"w": generator.normal(size=shape)}
    graph = float_graph([Node("MatMul", names, ("y",))], constants, row)
    rows = generator.normal(size=(60, *row))
    module = whole(graph, rows, n_bits, FINE)
    result, expected = compared(module, graph, rows)
    meant = np.abs(expected - NumpyModule(graph)(rows)).max()
    assert_close(result, expected, 0.01 + 2 * meant / np.abs(expected).max())
    assert count_tables(module) == 0
    check_ranges(module, seed)


@given(n_bits=st.integers(5, 8), seed=seeds)
@examples
def test_both_sides_encrypted(n_bits, seed):
    """Scores of attention: queries times keys."""
    nodes = [
        Node("Split", ("x", "sizes"), ("queries", "keys"), {"axis": 2}),
        Node("Transpose", ("keys",), ("turned",), {"perm": [0, 1, 3, 2]}),
        Node("MatMul", ("queries", "turned"), ("y",)),
    ]
    graph = float_graph(nodes, {"sizes": np.array([2, 3])}, (1, 5, 2))
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(40, 1, 5, 2))
    module = whole(graph, rows, n_bits)
    result, expected = compared(module, graph, rows)
    # Two products, a step each: that of the quarter of the square of the largest sum.
    largest = np.abs(rows).max()
    assert np.abs(result - expected).max() <= 2 * 1.3 * largest**2 / (2**n_bits - 1)
    assert count_tables(module) == 2
    check_ranges(module, seed)


PRODUCTS = [
    Node("MatMul", ("x", "w"), ("y",)),
    Node("Gemm", ("x", "w", "b"), ("y",), {"alpha": 0.5, "beta": -2.0}),
    Node("Gemm", ("x", "t"), ("y",), {"transB": 1}),
]


@pytest.mark.parametrize("node", PRODUCTS, ids=lambda node: f"{node.op}-{node.inputs[1:]}")
@given(n_bits=bits, seed=seeds)
@examples
def test_product(node, n_bits, seed):
    """Rounding inputs and weights separately bounds the error, and fitting beats that."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(4, 2))
    constants = {"w": weights, "t": weights.T, "b": ROW[0, :2]}
    graph = float_graph([node], {name: constants[name] for name in node.inputs[1:]}, (4,))
    rows = generator.normal(size=(60, 4)) * [0.1, 1, 3, 50] + [0, 5, 0, -100]
    module = quantized(graph, rows, n_bits)
    assert [node.op for node in module.graph] == ["MatMul"]
    q = module.quantize_input(rows)
    step, unit = module.input_quantizers[0].scale, module.output_quantizers[0].scale
    slopes = np.abs(weights) * node.attributes.get("alpha", 1.0)
    bound = (
        step / 2 @ slopes + np.abs(q - q.mean(axis=0)).sum(axis=1, keepdims=True) * unit / 2
    )
    error = module.scores(rows) - NumpyModule(graph)(rows)
    assert np.all(np.sqrt(np.mean(error**2, axis=0)) <= np.sqrt(np.mean(bound**2, axis=0)))
    # The mean is exact.
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=1e-9 * np.abs(rows).max())
    check_ranges(module, seed)


@given(n_bits=bits, seed=seeds)
@examples
def test_range_of_a_product_is_attained(n_bits, seed):
    """The declared range is that of the corners of the box of inputs, and no wider."""
    generator = np.random.default_rng(seed)
    graph = float_graph(
        [PRODUCTS[0]], {"w": generator.normal(size=(4, 2)) * [1, 100]}, (4,)
    )
    module = quantized(graph, generator.normal(size=(30, 4)), n_bits)
    (weights,) = module.graph.constants.values()
    source, result = module.graph.inputs[0], module.graph.outputs[0]
    corners = np.concatenate(
        [
            np.where(positive, source.high, source.low)
            for positive in (weights.T > 0, weights.T < 0)
        ]
    )
    (q,) = run_clear(module.graph, [corners])
    assert (q.min(), q.max()) == (result.low, result.high)
