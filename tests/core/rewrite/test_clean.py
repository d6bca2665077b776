"""Constants are folded, and what nobody needs is dropped."""

from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import Node, Value
from fhe_estimators.core.rewrite import clean
from tests.core.graph.graphs import BIAS, WEIGHTS, Y, assert_same_meaning, float_graph, gemm


def test_clean_folds_constants_and_drops_what_nobody_needs():
    graph = float_graph(
        Node("Constant", (), ("two",), {"value_float": 2.0}),
        Node("Mul", ("w", "two"), ("ww",)),
        Node("Clip", ("b", "", "two"), ("bb",)),
        gemm("x", "y", "ww", "bb"),
        Node("Tanh", ("x",), ("unread",)),
        w=WEIGHTS,
        b=BIAS,
        unused=BIAS,
    )
    graph = replace(graph, values={"y": Y, "unread": Value("unread", (None, 2))})
    cleaned = clean(graph)
    assert [node.op for node in cleaned] == ["Gemm"]
    assert sorted(cleaned.constants) == ["bb", "ww"]
    np.testing.assert_array_equal(cleaned.constants["ww"], 2 * WEIGHTS)
    assert sorted(cleaned.values) == ["y"]
    assert clean(cleaned) == cleaned
    assert_same_meaning(graph, cleaned)
