"""Operators of tensors that come from different integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers import KeptBits
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import ONNX_OPS_TO_NUMPY_IMPL
from fhe_estimators.exceptions import BitWidthError
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

SPLIT = Node("Split", ("x",), ("a", "b"), {"axis": 1})


def rows_of(seed, n_rows=60):
    generator = np.random.default_rng(seed)
    return generator.uniform(-2, 2, (n_rows, 6)) + generator.normal(size=6) / 4


def check_last_table(module, graph, rows):
    """Check that only the table of the result rounds, to the range seen on `rows`."""
    result, expected = compared(module, graph, rows)
    seen = NumpyModule(graph)(rows)
    error = np.abs(result - np.clip(expected, seen.min(), seen.max()))
    assert error.max() <= module.output_quantizers[0].scale.max() / 2 + 1e-9


def two(op, *between, attributes=None, inputs=("a", "b"), constants=None):
    """Return a graph of an operator of the two halves of `x`."""
    nodes = [SPLIT, *between, Node(op, inputs, ("y",), attributes or {})]
    return float_graph(nodes, constants or {}, (6,))


@pytest.mark.parametrize("op", ["Add", "Sub", "Sum", "Mean"])
@given(n_bits=bits, seed=seeds)
@examples
def test_sums_on_one_scale_need_no_table(op, n_bits, seed):
    graph = two(op)
    module = whole(graph, rows_of(seed), n_bits)
    # `x` has one scale, because a Split reads it.
    assert count_tables(module) == 0
    result, expected = compared(module, graph, rows_of(seed + 1))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["Add", "Sub", "Sum", "Mean", "Max", "Min"])
@given(n_bits=bits, seed=seeds, factor=st.sampled_from([-0.3, 0.7, 5.0, 3.0]))
@examples
def test_two_scales(op, n_bits, seed, factor):
    """Half a step for each operand that is rounded anew, of one grid for both."""
    graph = two(
        op,
        Node("Mul", ("b", "factor"), ("c",)),
        inputs=("a", "c"),
        constants={"factor": np.array(factor)},
    )
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    result, expected = compared(module, graph, rows)
    meant = module.input_quantizers[0].dequant(module.quantize_input(rows))
    both = np.concatenate([meant[:, :3], factor * meant[:, 3:]])
    step = np.ptp(both) / (2**n_bits - 1)
    assert np.abs(result - expected).max() <= step * 1.1 + 1e-9
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["Add", "Max", "Greater"])
def test_whole_multiples_need_no_table_to_meet(op):
    """A coarser scale that is three times the other one: integers are multiplied."""
    graph = two(
        op,
        Node("Mul", ("b", "factor"), ("c",)),
        inputs=("a", "c"),
        constants={"factor": np.array(-3.0)},
    )
    module = whole(graph, rows_of(0), 5)
    # The excess of one over the other, or what the comparison gives.
    assert count_tables(module) == (op != "Add")
    result, expected = compared(module, graph, rows_of(1))
    if op == "Greater":
        assert np.mean(result == expected) == 1
    else:
        np.testing.assert_allclose(result, expected, atol=1e-9)
    check_ranges(module, 0)


def test_table_onto_the_scale_of_the_other():
    """A residual connection: the activation is computed on the scale of the sum."""
    generator = np.random.default_rng(0)
    nodes = [
        Node("MatMul", ("x", "v"), ("h",)),
        Node("Relu", ("h",), ("r",)),
        Node("MatMul", ("x", "w"), ("s",)),
        Node("Add", ("s", "r"), ("y",)),
    ]
    constants = {"v": generator.normal(size=(6, 4)), "w": generator.normal(size=(6, 4))}
    graph = float_graph(nodes, constants, (6,))
    rows = rows_of(0)
    module = whole(graph, rows, 6, 4)
    assert count_tables(module) == 1
    result, expected = module.scores(rows), NumpyModule(graph)(rows)
    assert np.abs(result - expected).max() <= 0.1 * np.abs(expected).max()
    check_ranges(module, 0)


@pytest.mark.parametrize("op", ["Add", "Sub", "Sum"])
@given(n_bits=st.integers(6, 8), seed=seeds, dead=st.booleans())
@examples
def test_sums_of_products_need_no_table(op, n_bits, seed, dead):
    """The second one's scales are chosen so that those of the one divide the other's."""
    generator = np.random.default_rng(seed)
    nodes = [
        Node("MatMul", ("x", "v"), ("a",)),
        Node("MatMul", ("x", "w"), ("b",)),
        Node(op, ("a", "b"), ("y",)),
    ]
    v, w = generator.normal(size=(2, 6, 3)) * [1, 10, 0.3]
    v = v * generator.choice([0.1, 1, 9])
    # Outputs that do not depend on anything.
    (v if dead else w)[:, generator.integers(3)] = 0
    graph = float_graph(nodes, {"v": v, "w": w}, (6,))
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    assert count_tables(module) == 0
    error = np.abs(module.scores(rows) - NumpyModule(graph)(rows))
    size = np.abs(rows) @ (np.abs(v) + np.abs(w))
    assert np.all(error.max(axis=0) <= 4 * size.max(axis=0) / 2**n_bits)
    check_ranges(module, seed)


@pytest.mark.parametrize(
    "op", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"]
)
@given(n_bits=st.integers(2, 6), seed=seeds)
@examples
def test_comparisons_on_one_scale_are_exact(op, n_bits, seed):
    graph = two(op)
    module = whole(graph, rows_of(seed), n_bits)
    q = module.quantize_input(rows_of(seed + 1))
    expected = ONNX_OPS_TO_NUMPY_IMPL[op](q[:, :3], q[:, 3:])
    np.testing.assert_array_equal(module.scores(rows_of(seed + 1)), expected)
    assert count_tables(module) == 1
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_truth_values(op):
    nodes = [Node("Greater", (name, "zero"), (name * 2,)) for name in "ab"]
    graph = two(op, *nodes, inputs=("aa", "bb"), constants={"zero": np.zeros(())})
    rows = rows_of(0)
    module = whole(graph, rows, 5)
    result, expected = compared(module, graph, rows)
    np.testing.assert_array_equal(result, expected)
    # Each comparison, and one of two bits.
    assert count_tables(module) == 3
    assert module.graph.value(module.graph.nodes[-1].inputs[0]).bits == 2
    check_ranges(module, 0)


@given(n_bits=bits, seed=seeds)
@examples
def test_product(n_bits, seed):
    graph = two("Mul")
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    assert count_tables(module) == 2
    result, expected = compared(module, graph, rows)
    meant = module.input_quantizers[0].dequant(module.quantize_input(rows))
    a, b = meant[:, :3], meant[:, 3:]
    step = np.square([a + b, a - b]).max() / 4 / (2**n_bits - 1)
    assert np.abs(result - expected).max() <= step + 1e-9
    check_ranges(module, seed)


@given(n_bits=bits, seed=seeds)
@examples
def test_product_with_a_truth_value_is_one_table(n_bits, seed):
    nodes = [
        Node("Greater", ("a", "zero"), ("m",)),
        Node("Cast", ("m",), ("c",), {"to": 1}),
    ]
    graph = two("Mul", *nodes, inputs=("c", "b"), constants={"zero": np.zeros(())})
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    assert count_tables(module) == 2  # the comparison's own
    check_last_table(module, graph, rows)
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["Div", "Pow", "Mod", "PRelu"])
@given(n_bits=st.integers(2, 5), seed=seeds)
@examples
def test_any_function_of_few_bits(op, n_bits, seed):
    nodes = [Node("Exp", ("b",), ("c",)), Node("Abs", ("a",), ("d",))]
    graph = two(
        op, *nodes, inputs=("d", "c"), attributes={"fmod": 1} if op == "Mod" else {}
    )
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    assert count_tables(module) == 1
    check_last_table(module, graph, rows)
    check_ranges(module, seed)


def test_any_function_of_many_bits():
    with pytest.raises(BitWidthError, match=r"'y' reads 18 bits of .*; the limit is 16"):
        whole(two("Div"), rows_of(0), 9)


@pytest.mark.parametrize("condition", ["encrypted", "clear"])
@given(n_bits=st.integers(3, 7), seed=seeds)
@examples
def test_where(condition, n_bits, seed):
    nodes = [
        Node("Split", ("x",), ("a", "b", "c"), {"axis": 1}),
        Node("Greater", ("c", "zero"), ("m",)),
        Node("Where", ("m" if condition == "encrypted" else "mask", "a", "b"), ("y",)),
    ]
    constants = {"zero": np.zeros(()), "mask": np.array([True, False])}
    graph = float_graph(nodes, constants, (6,))
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    result, expected = compared(module, graph, rows)
    np.testing.assert_allclose(result, expected, atol=1e-9)
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["Max", "Min", "Sum", "Mean"])
@given(n_bits=bits, seed=seeds)
@examples
def test_many_operands(op, n_bits, seed):
    """Three encrypted ones and two clear ones."""
    nodes = [
        Node("Split", ("x",), ("a", "b", "c"), {"axis": 1}),
        Node(op, ("one", "a", "b", "row", "c"), ("y",)),
    ]
    constants = {"one": np.array(0.3), "row": np.array([[0.9, -0.4]])}
    graph = float_graph(nodes, constants, (6,))
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    if op in ("Max", "Min"):
        check_last_table(module, graph, rows)
    else:
        result, expected = compared(module, graph, rows)
        np.testing.assert_allclose(result, expected, atol=1e-9)
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["Sub", "Max", "Min", "Mul", "Div", "Greater"])
@given(n_bits=st.integers(3, 5), seed=seeds)
@examples
def test_broadcasting(op, n_bits, seed):
    """A column of one and a row of the other."""
    nodes = [
        SPLIT,
        Node("Unsqueeze", ("a", "last"), ("column",)),
        Node("Unsqueeze", ("b", "middle"), ("row",)),
        Node(op, ("column", "row"), ("y",)),
    ]
    constants = {"last": np.array([2]), "middle": np.array([1])}
    graph = float_graph(nodes, constants, (6,))
    rows = 3.5 + rows_of(seed)
    module = whole(graph, rows, n_bits)
    result, expected = compared(module, graph, rows)
    assert result.shape[1:] == (3, 3)
    if op == "Mul":
        # One step of the largest square of half a sum, and a range that is exceeded.
        bound = 1.1 * np.square(rows).max() / (2**n_bits - 1)
    elif op == "Div":
        bound = module.output_quantizers[0].scale.max() / 2
        expected = np.clip(expected, *np.quantile(NumpyModule(graph)(rows), [0, 1]))
    else:
        bound = 0.0
    assert np.abs(result - expected).max() <= bound + 1e-9
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["Sum", "Max"])
@given(n_bits=bits, seed=seeds)
@examples
def test_clear_operand_of_more_elements(op, n_bits, seed):
    nodes = [
        SPLIT,
        Node("Unsqueeze", ("a", "middle"), ("c",)),
        Node("Unsqueeze", ("b", "middle"), ("d",)),
        Node(op, ("c", "d", "column"), ("y",)),
    ]
    constants = {"middle": np.array([1]), "column": np.array([[0.1], [0.7]])}
    graph = float_graph(nodes, constants, (6,))
    rows = rows_of(seed)
    module = whole(graph, rows, n_bits)
    assert module.scores(rows).shape[1:] == (2, 3)
    if op == "Sum":
        np.testing.assert_allclose(*compared(module, graph, rows), atol=1e-9)
    else:
        check_last_table(module, graph, rows)
    check_ranges(module, seed)


@pytest.mark.parametrize("op", ["Max", "Div"])
def test_no_bit_of_an_index_is_rounded_away(op):
    """Nor of a difference that is added again."""
    graph = two(op, Node("Exp", ("b",), ("c",)), inputs=("a", "c" if op == "Div" else "b"))
    rows = rows_of(0)
    plain = whole(graph, rows, 5)
    rounded = whole(graph, rows, 5, kept_bits=KeptBits(bits=2))
    np.testing.assert_array_equal(rounded.scores(rows), plain.scores(rows))
    check_ranges(rounded, 0)
