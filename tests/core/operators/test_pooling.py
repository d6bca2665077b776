"""Pools of integers: sums need no table, extremes one for each pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.graph import Node
from tests.core.operators.test_windows import geometries
from tests.core.operators.tools import (
    bits,
    check_ranges,
    compared,
    count_tables,
    examples,
    float_graph,
    images,
    seeds,
    whole,
)


@given(geometries(pool="AveragePool"), bits, seeds)
@examples
def test_average_pool(geometry, n_bits, seed):
    attributes, sizes = geometry
    graph = float_graph([Node("AveragePool", ("x",), ("y",), attributes)], {}, (2, *sizes))
    module = whole(graph, images(seed, 2, *sizes), n_bits)
    result, expected = compared(module, graph, images(seed + 1, 2, *sizes))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    assert count_tables(module) == 0
    check_ranges(module, seed)


@given(geometries(pool="MaxPool"), bits, seeds, st.booleans())
@examples
def test_max_pool(geometry, n_bits, seed, turned):
    """The largest integer is the largest number, or the smallest if scales are negative."""
    attributes, sizes = geometry
    nodes = [Node("MaxPool", ("x",), ("y",), attributes)]
    if turned:
        nodes = [Node("Neg", ("x",), ("n",)), Node("MaxPool", ("n",), ("y",), attributes)]
    graph = float_graph(nodes, {}, (2, *sizes))
    module = whole(graph, images(seed, 2, *sizes), n_bits)
    result, expected = compared(module, graph, images(seed + 1, 2, *sizes))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    # Rows of windows, then columns: no wider than what it reads.
    assert module.graph.outputs[0].bits <= n_bits + 1
    check_ranges(module, seed)


def test_tables_of_a_max_pool():
    """Three comparisons for the four numbers of a window, no matter how they overlap."""
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]}
    graph = float_graph([Node("MaxPool", ("x",), ("y",), attributes)], {}, (1, 4, 6))
    module = whole(graph, images(0, 1, 4, 6), 4)
    looked_up = [n.outputs[0] for n in module.graph if n.op == "TableLookup"]
    assert sum(module.graph.value(name).row_size for name in looked_up) == 3 * 6


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@given(n_bits=bits, seed=seeds)
@examples
def test_global_pool(op, n_bits, seed):
    graph = float_graph([Node(op, ("x",), ("y",))], {}, (3, 3, 5))
    module = whole(graph, images(seed, 3, 3, 5), n_bits)
    result, expected = compared(module, graph, images(seed + 1, 3, 3, 5))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    check_ranges(module, seed)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("AveragePool", {"kernel_shape": [2, 3], "pads": [1, 1, 0, 0]}),
        ("MaxPool", {"kernel_shape": [2, 3], "pads": [1, 1, 0, 0]}),
        ("GlobalMaxPool", {}),
        ("ReduceMin", {}),
        ("ReduceMean", {}),
    ],
)
@given(n_bits=bits, seed=seeds)
@examples
def test_behind_other_operators(op, attributes, n_bits, seed):
    """Of a table's results, and of numbers whose offsets differ from place to place."""
    pads = np.array([0, 0, 1, 0, 0, 0, 0, 1])
    nodes = [
        Node("Sigmoid", ("x",), ("s",)),
        Node("Pad", ("s", "pads", "number"), ("p",)),
        Node(op, ("p", "axes") if op.startswith("Reduce") else ("p",), ("y",), attributes),
    ]
    constants = {"pads": pads, "number": np.array(0.41), "axes": np.array([1, 3])}
    graph = float_graph(nodes, constants, (2, 3, 4))
    module = whole(graph, images(seed, 2, 3, 4), n_bits)
    result, expected = compared(module, graph, images(seed, 2, 3, 4))
    # Rounding by the table of the sigmoid, and by offsets, half a step each.
    step = 1 / (2**n_bits - 1)
    assert np.abs(result - expected).max() <= step + 1e-9
    check_ranges(module, seed)
