"""Sums of tables on the engine: simulated, encrypted, several rows a call."""

import math

import numpy as np
import pytest

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.trees import TableSum, evaluate_tree
from tests.core.trees.random_trees import (
    BITS,
    ENCODINGS,
    N_FEATURES,
    encoded,
    small_ensemble,
)


@pytest.mark.simulate
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("n_outputs", [pytest.param(1, marks=pytest.mark.nightly), 3])
def test_simulation_gives_the_sum(n_outputs, encoding):
    trees, bins = small_ensemble(n_outputs)
    expected = sum(evaluate_tree(tree, bins) for tree in trees)
    for table_bits, room in ((3, math.inf), (4, 5)):
        sums = TableSum.of(trees, BITS, table_bits)
        graph, offset, scales = sums.lowered(sums.columns(room), encoding)
        found = Circuit(graph).simulate(encoded(bins, BITS, encoding))
        np.testing.assert_array_equal(found @ scales + offset, expected)


@pytest.mark.fhe
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encrypted_sum(encoding):
    trees, bins = small_ensemble(2)
    sums = TableSum.of(trees, BITS, 4)
    graph, offset, scales = sums.lowered(sums.columns(5), encoding)
    found = Circuit(graph).encrypt_run_decrypt(encoded(bins[:3], BITS, encoding))
    np.testing.assert_array_equal(
        found @ scales + offset, sum(evaluate_tree(tree, bins[:3]) for tree in trees)
    )


def test_circuit_refuses_what_is_no_thermometer_code():
    trees, _ = small_ensemble(1)
    graph, _, _ = TableSum.of(trees, BITS, 4).lowered()
    from fhe_estimators.core.engine import ClearEngine

    bits = np.zeros((1, len(BITS)), np.int64)
    circuit = Circuit(graph, engine=ClearEngine())
    circuit.encrypt(bits)
    bits[0, 0] = 1
    with pytest.raises(ValueError, match="thermometer"):
        circuit.encrypt(bits)


@pytest.mark.simulate
def test_many_rows_of_few_tables_share_calls():
    trees, bins = small_ensemble(1)
    graph, offset, _ = TableSum.of(trees, BITS, 4).lowered()
    circuit = Circuit(graph)
    assert circuit._plan(2).capacity == 1
    assert circuit._plan(99).capacity > 1
    rows = np.resize(bins, (43, N_FEATURES))
    found = circuit.simulate(encoded(rows, BITS, "thermometer")) + offset
    np.testing.assert_array_equal(found, sum(evaluate_tree(tree, rows) for tree in trees))
