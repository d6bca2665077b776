"""Operators that move, repeat, select and join integers: nothing is lost."""

import numpy as np
import pytest
from hypothesis import given

from fhe_estimators.core.graph import Node
from tests.core.operators.tools import (
    bits,
    check_ranges,
    compared,
    count_tables,
    examples,
    float_graph,
    seeds,
    whole,
)

SHAPE = (3, 4, 5)


def i64(*numbers):
    return np.array(numbers, np.int64)


#: (operator, attributes, clear inputs behind the first)
STEPS = [
    ("Gather", {"axis": 2}, [i64(3, -4, 1)]),
    ("Gather", {"axis": -1}, [i64(4, 2, 0)]),
    ("Gather", {"axis": 1}, [np.array(-1)]),
    ("Gather", {"axis": 3}, [i64(2, 2)]),
    ("Gather", {"axis": 3}, [np.array([[0, 4], [1, 1]])]),
    ("Pad", {}, [i64(0, 0, 1, 2, 0, 1, 0, 0)]),
    ("Pad", {}, [i64(0, 1, 0, -1, 0, 0, -2, 3), np.array(1.75)]),
    ("Slice", {}, [i64(1), i64(3), i64(1)]),
    ("Slice", {}, [i64(-1, 4), i64(-99, 0), i64(2, 3), i64(-1, -2)]),
    ("Tile", {}, [i64(1, 2, 1, 3)]),
]


def graph_of(op, attributes, parameters, *behind):
    names = [f"c{place}" for place in range(len(parameters))]
    nodes = [Node(op, ("x", *names), ("y",), attributes), *behind]
    return float_graph(nodes, dict(zip(names, parameters, strict=True)), SHAPE)


def rows_of(seed):
    """Return rows whose features have ranges of their own."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(30, *SHAPE)) * np.arange(1, 61).reshape(SHAPE)


@pytest.mark.parametrize(("op", "attributes", "parameters"), STEPS)
@given(n_bits=bits, seed=seeds)
@examples
def test_elements_keep_their_numbers(op, attributes, parameters, n_bits, seed):
    graph = graph_of(op, attributes, parameters)
    module = whole(graph, rows_of(seed), n_bits)
    result, expected = compared(module, graph, rows_of(seed + 1))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    assert count_tables(module) == 0
    check_ranges(module, seed)


@pytest.mark.parametrize("inputs", ["c x", "x c", "c c x c", "x c x c"])
@pytest.mark.parametrize("axis", [1, -1])
def test_clear_numbers_beside(inputs, axis):
    """A clear row stands beside each row; it costs no table."""
    shape = (1, 2, 4, 5) if axis == 1 else (1, 3, 4, 1)
    constant = np.linspace(-2, 3, np.prod(shape)).reshape(shape)
    names = tuple(inputs.split())
    graph = float_graph(
        [Node("Concat", names, ("y",), {"axis": axis})], {"c": constant}, SHAPE
    )
    module = whole(graph, rows_of(0), 6)
    result, expected = compared(module, graph, rows_of(1))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    assert count_tables(module) == 0
    check_ranges(module, 0)


@pytest.mark.parametrize(("op", "attributes", "parameters"), STEPS)
def test_table_behind(op, attributes, parameters):
    graph = graph_of(op, attributes, parameters, Node("Sigmoid", ("y",), ("z",)))
    rows = rows_of(0) / 30
    module = whole(graph, rows, 8)
    result, expected = compared(module, graph, rows)
    assert np.abs(result - expected).max() <= module.output_quantizers[0].scale.max() / 2
    assert count_tables(module) == 1


@given(n_bits=bits, seed=seeds)
@examples
def test_parts_joined_in_another_order(n_bits, seed):
    nodes = [
        Node("Split", ("x", "sizes"), ("a", "b", "c"), {"axis": 2}),
        Node("Neg", ("b",), ("d",)),
        Node("Concat", ("c", "d", "a"), ("y",), {"axis": -2}),
    ]
    graph = float_graph(nodes, {"sizes": i64(1, 2, 1)}, SHAPE)
    module = whole(graph, rows_of(seed), n_bits)
    result, expected = compared(module, graph, rows_of(seed + 1))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    assert count_tables(module) == 0
    check_ranges(module, seed)


@given(n_bits=bits, seed=seeds)
@examples
def test_expanded(n_bits, seed):
    """By its own node, and by a constant that has more elements."""
    nodes = [
        Node("Slice", ("x", "zero", "one", "axis"), ("part",)),
        Node("Expand", ("part", "shape"), ("wide",)),
        Node("Mul", ("part", "column"), ("y",)),
    ]
    constants = {
        "zero": i64(0),
        "one": i64(1),
        "axis": i64(2),
        "shape": i64(4, 1),
        "column": np.arange(1.0, 5).reshape(4, 1),
    }
    for last in (2, 3):
        graph = float_graph(
            nodes[:2] if last == 2 else [nodes[0], nodes[2]], constants, SHAPE
        )
        module = whole(graph, rows_of(seed), n_bits)
        result, expected = compared(module, graph, rows_of(seed + 1))
        assert result.shape[1:] == SHAPE
        np.testing.assert_allclose(result, expected, atol=1e-9)
        assert count_tables(module) == 0
        check_ranges(module, seed)


@given(n_bits=bits, seed=seeds)
@examples
def test_equal_parts(n_bits, seed):
    nodes = [
        Node("Split", ("x",), ("a", "b"), {"axis": -2}),
        Node("Concat", ("b", "a"), ("y",), {"axis": 1}),
    ]
    graph = float_graph(nodes, {}, SHAPE)
    module = whole(graph, rows_of(seed), n_bits)
    result, expected = compared(module, graph, rows_of(seed + 1))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    check_ranges(module, seed)


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
