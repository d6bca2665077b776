"""Integer graphs in clear."""

import numpy as np
import pytest

from fhe_estimators.core.engine import run_clear
from fhe_estimators.core.graph import Graph, Node, Value


@pytest.mark.parametrize(("n_features", "n_outputs"), [(1, 1), (30, 1), (9, 16), (3, 40)])
@pytest.mark.parametrize("n_rows", [0, 1, 299, 301, 20_000])
def test_products_of_many_rows_are_the_whole_product(n_features, n_outputs, n_rows):
    """Held by floats, in pieces that one thread multiplies."""
    random = np.random.default_rng(0)
    rows = random.integers(-128, 128, size=(n_rows, n_features))
    weights = random.integers(-63, 64, size=(n_features, n_outputs))
    bound = 128 * 63 * n_features
    result = Value("y", (None, n_outputs), -bound, bound)
    graph = Graph(
        (Node("MatMul", ("x", "weights"), ("y",)),),
        (Value("x", (None, n_features), -128, 127),),
        (result,),
        {"weights": weights},
        {"y": result},
    )
    for given in (rows, rows.astype(float), np.asfortranarray(rows, float)):
        (found,) = run_clear(graph, [given])
        np.testing.assert_array_equal(found, rows @ weights)
