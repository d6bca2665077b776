"""What a server runs: ciphertexts only, and calls of one circuit side by side."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.graph import Graph, Node, Value

pytestmark = pytest.mark.fhe

WEIGHTS = np.random.default_rng(0).integers(-8, 8, (40, 3))


@pytest.fixture(scope="module", params=["whole", "selected"])
def circuit(request):
    """A product with all elements of the input, or with those that are chosen."""
    total = Value("y", (None, 3), -8 * 7 * 40, 7 * 7 * 40)
    node = Node("MatMul", ("x", "weights"), ("y",), {})
    inputs, weights = (Value("x", (None, 40), 0, 7),), WEIGHTS
    nodes, values, constants = (node,), {"y": total}, {"weights": weights}
    if request.param == "selected":
        indices = np.arange(0, 40, 2)
        chosen = Value("chosen", (None, len(indices)), 0, 7)
        gather = Node("Gather", ("x", "indices"), ("chosen",), {"axis": 1})
        nodes = gather, Node("MatMul", ("chosen", "weights"), ("y",), {})
        values = {"chosen": chosen, "y": total}
        constants = {"indices": indices, "weights": weights[indices]}
    return Circuit(Graph(nodes, inputs, (total,), constants, values), p_error=2**-40)


def test_calls_from_several_threads_keep_their_own_inputs(circuit):
    rows = np.random.default_rng(1).integers(0, 8, (16, 1, 40))
    sent = [circuit.encrypt(row) for row in rows]
    weights = circuit.graph.constants["weights"]
    chosen = circuit.graph.constants.get("indices", np.arange(40))
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            results = list(pool.map(circuit.run, sent))
            for row, result in zip(rows, results, strict=True):
                (opened,) = circuit.decrypt(result)
                np.testing.assert_array_equal(opened, row[:, chosen] @ weights)


@pytest.mark.parametrize("wrong", [None, np.zeros((1, 40), np.int64)])
def test_only_ciphertexts_are_run(circuit, wrong):
    sent = circuit.encrypt(np.zeros((1, 40), np.int64))
    with pytest.raises(ValueError, match=rf"ciphertexts\[0\].*{type(wrong).__name__}"):
        circuit.run((wrong, *sent[1:]))
