"""Functions of one number that are more than a table."""

import numpy as np
from hypothesis import example, given

from fhe_estimators.core.graph import Node
from tests.core.operators.tools import (
    check_ranges,
    compared,
    count_tables,
    examples,
    float_graph,
    seeds,
    whole,
)


@given(seed=seeds)
@example(seed=350)  # three times an integer that stands for zero was zero but for rounding
@examples
def test_one_hot(seed):
    nodes = [
        Node("Mul", ("x", "three"), ("scaled",)),
        Node("Floor", ("scaled",), ("index",)),
        Node("OneHot", ("index", "depth", "values"), ("y",), {"axis": 1}),
    ]
    constants = {
        "three": np.array(3.0),
        "depth": np.array(3),
        "values": np.array([-1.0, 2.0]),
    }
    graph = float_graph(nodes, constants, (4,))
    rows = np.random.default_rng(seed).uniform(-1, 1.3, (40, 4))
    module = whole(graph, rows, 5)
    result, expected = compared(module, graph, rows)
    assert result.shape == (40, 3, 4)
    np.testing.assert_allclose(result, expected, atol=0.05)
    assert count_tables(module) == 1
    check_ranges(module, seed)
