"""Elements that are chosen by index."""

import numpy as np
import pytest

from fhe_estimators.core.graph import Node
from tests.core.operators.tools import float_graph, whole


@pytest.mark.simulate
@pytest.mark.parametrize("indices", [[0, 0], [2, 0, 0], [-1, 0, 0], [2, 1, 0], [1]])
@pytest.mark.parametrize("n_bits", [4, 7])
def test_repeated_elements_of_wide_sums(indices, n_bits):
    random = np.random.default_rng(0)
    constants = {
        "w": random.normal(size=(4, 3)),
        "i": np.array(indices),
        "v": random.normal(size=(len(indices), 2)),
    }
    nodes = [
        Node("MatMul", ("x", "w"), ("a",)),
        Node("Gather", ("a", "i"), ("g",), {"axis": 1}),
        Node("Relu", ("g",), ("r",)),
        Node("MatMul", ("r", "v"), ("y",)),
    ]
    rows = random.normal(size=(60, 4))
    module = whole(float_graph(nodes, constants, (4,)), rows, n_bits)
    module.compile(p_error=2**-40)
    q = module.quantize_input(rows[:10])
    clear = module.quantized_forward(q)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="simulate"), clear)
