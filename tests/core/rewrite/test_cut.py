"""Where encryption ends, and what shapes are known before anything is computed."""

import numpy as np
import pytest

from fhe_estimators.core.graph import FLOAT, Graph, Node, Value, check
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import supported
from fhe_estimators.core.rewrite import clean, cut, split_prologue

ROWS = np.random.default_rng(0).normal(size=(5, 3))
W = np.random.default_rng(1).normal(size=(3, 4))


def graph_of(nodes, constants, shape=(3,), shapes=None):
    """Return a legal graph from "x" to the result of the last node."""
    values = {k: Value(k, (None, *v)) for k, v in (shapes or {}).items()}
    graph = Graph(
        tuple(Node(op, tuple(i.split()), tuple(o.split()), a) for op, i, o, a in nodes),
        (Value("x", (None, *shape)),),
        (values.get(nodes[-1][2], Value(nodes[-1][2])),),
        constants,
        values,
    )
    return check(graph, FLOAT, supported())


def ops(graph):
    return [node.op for node in graph]


def check_parts(graph, rows=ROWS):
    """Check that one part after the other gives what the graph gives."""
    before, behind = (check(part, FLOAT, supported()) for part in cut(graph))
    result = NumpyModule(behind).outputs(*NumpyModule(before).outputs(rows))
    for array, expected in zip(result, NumpyModule(graph).outputs(rows), strict=True):
        np.testing.assert_array_equal(array, expected)
    return before, behind


def test_softmax_written_out_is_not_encrypted():
    """Its sum is one number, but what it divides would have to be decrypted, too."""
    graph = graph_of(
        [
            ("MatMul", "x w", "a", {}),
            ("Exp", "a", "e", {}),
            ("ReduceSum", "e last", "s", {}),
            ("Div", "e s", "y", {}),
        ],
        {"w": W, "last": np.array([1])},
        shapes={"a": (4,), "e": (4,), "s": (1,)},
    )
    before, behind = check_parts(graph)
    assert ops(before) == ["MatMul"]
    assert ops(behind) == ["Exp", "ReduceSum", "Div"]


@pytest.mark.parametrize("between", ["Neg", "Exp"])
def test_sum_at_the_end(between):
    """Of a vector: encrypted if it is free."""
    graph = graph_of(
        [
            ("MatMul", "x w", "a", {}),
            (between, "a", "e", {}),
            ("ReduceSum", "e last", "y", {}),
        ],
        {"w": W, "last": np.array([1])},
        shapes={"a": (4,), "e": (4,), "y": (1,)},
    )
    before, behind = check_parts(graph)
    if between == "Neg":
        assert ops(before) == ["MatMul", "Neg", "ReduceSum"]
        assert ops(behind) == []
    else:
        assert ops(before) == ["MatMul"]


@pytest.mark.parametrize(
    ("between", "free"),
    [
        (("Pad", "a pads", "e", {}), True),
        (("Div", "a two", "e", {}), True),
        (("Div", "two a", "e", {}), False),
    ],
)
def test_what_is_free_in_front_of_a_sum(between, free):
    graph = graph_of(
        [
            ("MatMul", "x w", "a", {}),
            between,
            ("ReduceSum", "e last", "y", {}),
        ],
        {
            "w": W,
            "last": np.array([1]),
            "pads": np.array([0, 1, 0, 0]),
            "two": np.array([[2.0]]),
        },
        shapes={"a": (4,), "e": (5 if between[0] == "Pad" else 4,), "y": (1,)},
    )
    before, _ = check_parts(graph)
    assert ops(before) == ["MatMul", *((between[0], "ReduceSum") if free else ())]


def test_sizes_that_are_not_known():
    graph = graph_of(
        [("MatMul", "x w", "a", {}), ("ReduceSum", "a last", "y", {})],
        {"w": W, "last": np.array([1])},
    )
    before, _ = check_parts(graph)
    assert ops(before) == ["MatMul"]


def test_product_without_weights():
    """It follows the last product with weights, and needs none of the server's numbers."""
    graph = graph_of(
        [
            ("MatMul", "x w", "a", {}),
            ("Transpose", "a", "t", {"perm": [0, 2, 1]}),
            ("MatMul", "a t", "y", {}),
        ],
        {"w": W},
        (2, 3),
    )
    before, behind = check_parts(graph, np.random.default_rng(0).normal(size=(5, 2, 3)))
    assert ops(before) == ["MatMul"]
    assert ops(behind) == ["Transpose", "MatMul"]


def test_client_normalizes_and_selects():
    graph = graph_of(
        [
            ("LayerNormalization", "x scale", "n", {}),
            ("Softmax", "n", "s", {}),
            ("Slice", "s one three axis", "p", {}),
            ("MatMul", "p w", "y", {}),
        ],
        {
            "scale": np.ones(3),
            "one": np.array([1]),
            "three": np.array([3]),
            "axis": np.array([1]),
            "w": W[:2],
        },
    )
    prologue, rest = split_prologue(graph)
    assert ops(prologue) == ["LayerNormalization", "Softmax", "Slice"]
    assert ops(rest) == ["MatMul"]


@pytest.mark.parametrize(
    "node",
    [
        ("Add", "x each", "m", {}),
        ("Softmax", "x", "m", {"axis": 0}),
        ("Slice", "x backwards far axis backwards", "m", {}),
        ("ReduceMax", "x axis", "m", {}),
    ],
    ids=lambda node: node[0],
)
def test_rows_that_are_mixed(node):
    """A number for each row, a sum over rows, another order of rows."""
    constants = {
        "each": np.ones((3, 1)),
        "backwards": np.array([-1]),
        "far": np.array([-9]),
        "axis": np.array([0]),
        "w": W,
    }
    nodes = [node, ("MatMul", "m w", "y", {})]
    read = {name for _, inputs, _, _ in nodes for name in inputs.split()}
    graph = graph_of(nodes, {k: v for k, v in constants.items() if k in read})
    assert split_prologue(graph)[1] is graph


# Shapes ----------------------------------------------------------------------------------


def sizes_of(*more):
    """Return nodes that write the shape (rows, 3) of `x` to "size"; and some more."""
    return [
        ("Shape", "x", "shape", {}),
        ("Gather", "shape zero", "rows", {}),
        ("Gather", "shape one", "columns", {}),
        *more,
    ]


INDICES = {"zero": np.array([0]), "one": np.array([1]), "two": np.array([2])}


def test_shape_without_rows_is_a_constant():
    graph = graph_of(
        sizes_of(("Mul", "columns two", "double", {}), ("Mul", "x double", "y", {})),
        INDICES,
    )
    folded = clean(graph)
    assert ops(folded) == ["Mul"]
    np.testing.assert_array_equal(folded.constants["double"], [6])


@pytest.mark.parametrize("op", ["Reshape", "Expand"])
def test_shape_that_begins_with_rows(op):
    size = ("Concat", "rows one columns", "size", {"axis": 0})
    nodes = sizes_of(size, (op, "x size" if op == "Reshape" else "u size", "y", {}))
    if op == "Expand":
        nodes.insert(0, ("Unsqueeze", "x one", "u", {}))
        nodes[-2] = ("Concat", "rows two columns", "size", {"axis": 0})
    graph = graph_of(nodes, INDICES)
    folded = clean(graph)
    assert [o for o in ops(folded) if o != "Unsqueeze"] == [op]
    for rows in (ROWS, ROWS[:1]):
        np.testing.assert_array_equal(NumpyModule(folded)(rows), NumpyModule(graph)(rows))


def test_rows_elsewhere_in_a_shape():
    graph = graph_of(
        sizes_of(
            ("Concat", "columns rows", "size", {"axis": 0}), ("Reshape", "x size", "y", {})
        ),
        INDICES,
    )
    folded = clean(graph)
    assert ops(folded) == ["Reshape"]
    np.testing.assert_array_equal(NumpyModule(folded)(ROWS), NumpyModule(graph)(ROWS))


def test_unknown_shape_of_an_input():
    graph = graph_of(sizes_of(("Mul", "x columns", "y", {})), INDICES, (None,))
    assert "Shape" in ops(clean(graph))
