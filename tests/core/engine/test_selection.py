"""A server that reads some of the ciphertexts that a client sends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators import CompilationError
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import ClearEngine
from fhe_estimators.core.engine._selection import Selection
from fhe_estimators.core.graph import Graph, Node, Value

WIDTH, INDICES = 7, np.array([5, 0, 2])


def graph(second="chosen"):
    """Return a graph that adds up some elements with weights, then looks the sum up."""
    nodes = (
        Node("Gather", ("x", "indices"), ("chosen",), {"axis": 1}),
        Node("MatMul", (second, "weights"), ("sums",)),
        Node("TableLookup", ("sums", "table"), ("y",), {"first": 0}),
    )
    weights = np.array([[1, 3], [2, 1], [4, 2]])
    if second == "x":
        weights = np.ones((WIDTH, 2), np.int64)
    return Graph(
        nodes,
        (Value("x", (None, WIDTH), 0, 1),),
        (Value("y", (None, 2), -20, 20),),
        {"indices": INDICES, "weights": weights, "table": np.arange(8) * 5 - 20},
        {
            "chosen": Value("chosen", (None, 3), 0, 1),
            "sums": Value("sums", (None, 2), 0, 7),
            "y": Value("y", (None, 2), -20, 20),
        },
    )


def test_selection_is_the_gather_at_the_input():
    selection, inner = Selection.of(graph())
    assert selection.width == WIDTH
    np.testing.assert_array_equal(selection.indices, INDICES)
    assert [node.op for node in inner] == ["MatMul", "TableLookup"]
    assert inner.inputs[0].shape == (None, 3)
    # Where the input is read elsewhere too, all of it is needed.
    assert Selection.of(graph(second="x"))[0] is None


def test_parts_hold_all_elements():
    selection = Selection(WIDTH, INDICES)
    array = np.arange(2 * WIDTH).reshape(2, WIDTH)
    parts = selection.parts(array)
    assert len(parts) == selection.n_parts == 3
    assert {part.shape for part in parts} == {(2, 3)}
    np.testing.assert_array_equal(np.concatenate(parts, axis=1)[:, :WIDTH], array)
    np.testing.assert_array_equal(selection.chosen(array), array[:, INDICES])


@given(st.integers(1, 300), st.integers(1, 300))
def test_fewer_elements_are_read_only_where_that_is_less_work(width, size):
    size = min(size, width)
    selection = Selection(width, np.arange(size))
    encrypted = sum(part.shape[1] for part in selection.parts(np.zeros((1, width))))
    assert selection.costs_more == (encrypted + size >= 2 * width)


def most_of_all():
    """Return a graph that adds up all elements but one."""
    indices = np.delete(np.arange(WIDTH), 3)
    nodes = (
        Node("Gather", ("x", "indices"), ("chosen",), {"axis": 1}),
        Node("MatMul", ("chosen", "weights"), ("y",)),
    )
    weights = 1 << np.arange(WIDTH - 1)[:, np.newaxis]
    y = Value("y", (None, 1), 0, int(weights.sum()))
    values = {"chosen": Value("chosen", (None, WIDTH - 1), 0, 1), "y": y}
    constants = {"indices": indices, "weights": weights}
    return Graph(nodes, (Value("x", (None, WIDTH), 0, 1),), (y,), constants, values)


@pytest.mark.fhe
def test_what_reads_most_elements_is_sent_each_once():
    assert Selection.of(most_of_all())[0] is None
    rows = np.random.default_rng(0).integers(0, 2, size=(5, WIDTH))
    circuit = Circuit(most_of_all())
    assert circuit.cost.upload_bytes == 24 * WIDTH
    expected = Circuit(most_of_all(), engine=ClearEngine()).encrypt_run_decrypt(rows)
    for found in (circuit.simulate(rows), circuit.encrypt_run_decrypt(rows)):
        np.testing.assert_array_equal(found, expected)
    single = circuit.decrypt(circuit.run(circuit.encrypt(rows[:1])))
    np.testing.assert_array_equal(single[0], expected[:1])


def message(payload):
    """Return a Cap'n Proto message with a list of bytes behind two other words."""
    pointer = (1 << 2 | 1) | (len(payload) << 3 | 2) << 32
    words = [7 << 32, 3, pointer, 99]
    return b"".join(word.to_bytes(8, "little") for word in words) + payload + b"end."


def test_ciphertexts_are_gathered():
    selection = Selection(WIDTH, INDICES)
    cells = np.arange(2 * 9).reshape(2, 9)  # two rows, nine elements of four bytes each
    parts = [
        message(cells[:, start : start + 3].astype("<i4").tobytes()) for start in (0, 3, 6)
    ]
    found = selection.gathered(parts, rows=2, payload_bytes=24)
    assert found == message(cells[:, INDICES].astype("<i4").tobytes())


def test_unknown_form_of_ciphertexts():
    selection = Selection(WIDTH, INDICES)
    with pytest.raises(CompilationError, match="concrete-python"):
        selection.gathered([bytes(100)] * 3, rows=2, payload_bytes=24)


@pytest.mark.fhe
def test_encrypted():
    random = np.random.default_rng(0)
    rows = random.integers(0, 2, size=(40, WIDTH))
    circuit, clear = Circuit(graph()), Circuit(graph(), engine=ClearEngine())
    expected = clear.encrypt_run_decrypt(rows)
    np.testing.assert_array_equal(circuit.simulate(rows), expected)
    # One row a call, and several.
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows[:2]), expected[:2])
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows), expected)
    sent = circuit.encrypt(rows[:1])
    assert circuit.cost.upload_bytes == 9 * 24
    assert circuit.ciphertext_bytes(sent) > 9 * 24
