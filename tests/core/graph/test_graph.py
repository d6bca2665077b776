"""The graph: its text, its rules, its interpreter, and the rewrites of float graphs."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from fhe_estimators.core.graph import (
    FLOAT,
    INTEGER,
    Graph,
    Node,
    Value,
    bits_of_range,
    check,
    evaluate,
    show,
)
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import lookup, supported
from fhe_estimators.core.quantization import quantize
from fhe_estimators.core.rewrite import clean, cut
from fhe_estimators.exceptions import BitWidthError, GraphError, UnsupportedOperatorError

X, Y = Value("x", (None, 2)), Value("y", (None, 2))
WEIGHTS = np.array([[1.0, -2.0], [0.5, 3.0]])
BIAS = np.array([0.25, -1.0])


def implementation(node):
    return lookup(node.op, 17)(node)


def float_graph(*nodes, outputs=("y",), **constants):
    return Graph(tuple(nodes), (X,), tuple(map(Value, outputs)), constants)


def gemm(source, result, weights="w", bias="b"):
    return Node("Gemm", (source, weights, bias), (result,))


# Values and text ----------------------------------------------------------------------


def test_bits_hold_the_range_and_no_less_would():
    for low in range(-40, 41):
        for high in range(low, 41):
            bits = bits_of_range(low, high)
            if low >= 0:
                assert high < 2**bits
                assert bits == 1 or high >= 2 ** (bits - 1)
            else:
                assert -(2 ** (bits - 1)) <= low
                assert high < 2 ** (bits - 1)
                half = 2 ** max(bits - 2, 0)
                assert bits == 1 or low < -half or high >= half


def test_bits_of_a_value():
    assert X.bits is None
    assert Value("q", None, -8, 7).bits == 4


def test_graphs_do_not_change():
    graph = float_graph(Node("Relu", ("x",), ("y",)))
    with pytest.raises(FrozenInstanceError):
        graph.opset = 3
    with pytest.raises(FrozenInstanceError):
        graph.nodes[0].op = "Tanh"


def test_what_is_known_of_values():
    first, second = Node("Relu", ("x",), ("h",)), Node("Relu", ("h",), ("y",))
    graph = Graph((first, second), (X,), (Y,), {}, {"h": Value("h", (None, 2))})
    assert graph.value("x") is X
    assert graph.value("y") is Y
    assert graph.value("h").shape == (None, 2)
    assert graph.value("other") == Value("other")
    assert list(graph) == [first, second]
    assert str(first) == "Relu (x) -> h"


INTEGER_TEXT = """\
inputs   x[n x 2] 3 bits
h[n x 2] 6 bits = MatMul(x, h.weights[2 x 2])
r[n x 2] 3 bits = TableLookup(h, r.table[38 x 2], first=-20)
y[n x 1] 6 bits = MatMul(r, y.weights[2 x 1])
outputs  y[n x 1] 6 bits"""


def test_text_of_an_integer_graph():
    """A table for each of two columns, because their scales differ."""
    graph = float_graph(
        gemm("x", "h"),
        Node("Relu", ("h",), ("r",)),
        gemm("r", "y", "v", "zero"),
        w=WEIGHTS,
        b=BIAS,
        v=np.array([[1.0], [-0.5]]),
        zero=np.zeros(1),
    )
    rows = np.stack(np.meshgrid([-1, -0.5, 0, 1], [0, 0.5, 1, 2]), axis=-1).reshape(-1, 2)
    integers, _, _ = quantize(graph, [rows], BitWidths(3, 3))
    assert show(integers) == INTEGER_TEXT


def test_text_of_a_float_graph():
    graph = float_graph(
        Node("Sub", ("x", "mean"), ("d",)),
        Node("Clip", ("d", "", "top"), ("c",)),
        Node("Elu", ("c",), ("y",), {"alpha": 0.5}),
        mean=BIAS,
        top=np.array(3.0),
    )
    assert show(graph).splitlines() == [
        "inputs   x[n x 2]",
        "d = Sub(x, mean[2])",
        "c = Clip(d, , 3.0)",
        "y = Elu(c, alpha=0.5)",
        "outputs  y",
    ]


# Rules --------------------------------------------------------------------------------

RELU = float_graph(Node("Relu", ("x",), ("y",)))
TABLE = Graph(
    (Node("TableLookup", ("x", "t"), ("y",), {"first": 0}),),
    (Value("x", (None, 2), 0, 7),),
    (Value("y", (None, 2), 0, 1),),
    {"t": np.arange(8) % 2},
)


#: Integer graphs for an engine.
COMPILED = INTEGER.limited(16)


def with_input(**changes):
    return replace(TABLE, inputs=(replace(TABLE.inputs[0], **changes),))


ILLEGAL = [
    pytest.param(
        replace(RELU, constants={"x": BIAS}),
        FLOAT,
        GraphError,
        "an input and a constant share a name",
        id="name",
    ),
    pytest.param(
        float_graph(Node("Relu", ("h",), ("y",)), Node("Relu", ("x",), ("h",))),
        FLOAT,
        GraphError,
        r"node Relu \(h\) -> y reads 'h' before anything wrote it",
        id="order",
    ),
    pytest.param(
        float_graph(Node("Relu", ("x",), ("y",)), Node("Tanh", ("x",), ("y",))),
        FLOAT,
        GraphError,
        r"node Tanh \(x\) -> y writes 'y' a second time",
        id="twice",
    ),
    pytest.param(
        replace(RELU, outputs=(Value("z"),)),
        FLOAT,
        GraphError,
        "nothing writes the output 'z'",
        id="output",
    ),
    pytest.param(
        float_graph(Node("Hardmax", ("x",), ("y",), {}, "last")),
        FLOAT,
        UnsupportedOperatorError,
        r"node Hardmax 'last' \(x\) -> y uses Hardmax; supported at this stage: Abs, ",
        id="operator",
    ),
    pytest.param(
        float_graph(gemm("x", "y"), w=WEIGHTS, b=np.array([1, np.nan])),
        FLOAT,
        GraphError,
        "constant 'b' holds nan or infinity",
        id="nan",
    ),
    pytest.param(
        replace(TABLE, nodes=RELU.nodes),
        INTEGER,
        UnsupportedOperatorError,
        "uses Relu; supported at this stage: Add, Concat, ",
        id="float operator",
    ),
    pytest.param(
        replace(TABLE, constants={"t": np.zeros(8)}),
        INTEGER,
        GraphError,
        "constant 't' is float64, not an integer",
        id="float constant",
    ),
    pytest.param(
        with_input(high=None),
        INTEGER,
        GraphError,
        "the range of 'x' is unknown",
        id="range",
    ),
    pytest.param(
        with_input(low=8), INTEGER, GraphError, "the range of 'x' is empty", id="empty"
    ),
    pytest.param(
        with_input(high=2**62),
        INTEGER,
        BitWidthError,
        "'x' needs 63 bits, .*; use a smaller n_bits",
        id="width",
    ),
    pytest.param(
        replace(TABLE, constants={"t": np.zeros(2**16 + 1, int)}),
        COMPILED,
        BitWidthError,
        r"the table TableLookup \(x, t\) -> y reads 17 bits; the limit is 16",
        id="table",
    ),
]


@pytest.mark.parametrize(("graph", "spec", "error", "message"), ILLEGAL)
def test_rule(graph, spec, error, message):
    with pytest.raises(error, match=message) as caught:
        check(graph, spec, supported(integer=spec is not FLOAT))
    assert str(caught.value).startswith(f"Not a legal {spec.name} graph: ")
    assert show(graph) in str(caught.value)


def test_every_rule_has_been_broken():
    legal = {FLOAT: RELU, COMPILED: TABLE}
    for spec, graph in legal.items():
        operators = supported(integer=spec is COMPILED)
        assert check(graph, spec, operators) is graph
        for rule in spec.rules:
            assert any(
                list(rule(case.values[0], operators))
                for case in ILLEGAL
                if set(case.values[1].rules) <= set(spec.rules) or rule in FLOAT.rules
            ), rule


# The interpreter ----------------------------------------------------------------------


def test_nodes_run_in_order_and_are_observed():
    graph = float_graph(
        Node("Add", ("x", "one"), ("a",)),
        Node("Mul", ("a", "a"), ("m",)),
        Node("Sub", ("m", "x"), ("y",)),
        one=np.ones(1),
    )
    seen = []

    def observe(node, name, result):
        seen.append((node.op, name, result.tolist()))
        return result

    results = evaluate(graph, {"x": np.array([1.0, 2.0])}, implementation, observe)
    assert seen == [("Add", "a", [2, 3]), ("Mul", "m", [4, 9]), ("Sub", "y", [3, 7])]
    assert sorted(results) == ["a", "m", "one", "x", "y"]


def test_what_the_observer_returns_takes_the_place_of_the_result():
    graph = float_graph(Node("Abs", ("x",), ("a",)), Node("Neg", ("a",), ("y",)))
    results = evaluate(
        graph,
        {"x": np.array([3.0])},
        implementation,
        lambda node, name, result: 10 * result,
    )
    assert results["a"] == 30
    assert results["y"] == -300


def test_inputs_left_out_are_none_and_several_results_have_names():
    node = Node("Split", ("x", "", "c"), ("low", "high"))
    graph = float_graph(node, outputs=("low", "high"), c=np.array(2))

    def split(node):
        return lambda x, missing, c: (x[:c], x[c:], missing)[:2]

    results = evaluate(graph, {"x": np.arange(5)}, split)
    assert results["low"].tolist() == [0, 1]
    assert results["high"].tolist() == [2, 3, 4]
    with pytest.raises(ValueError, match="longer than"):
        evaluate(graph, {"x": np.arange(5)}, lambda node: lambda *arrays: arrays)


def test_numpy_module_wants_every_input():
    with pytest.raises(TypeError, match=r"takes 1 inputs \(x\); got 2"):
        NumpyModule(RELU)(BIAS, BIAS)


def test_numpy_module_returns_several_outputs():
    graph = float_graph(
        Node("Relu", ("x",), ("r",)), Node("Neg", ("x",), ("n",)), outputs=("r", "n")
    )
    r, n = NumpyModule(graph)(BIAS)
    assert r.tolist() == [0.25, 0]
    assert n.tolist() == [-0.25, 1]


# Rewrites -----------------------------------------------------------------------------

ROWS = np.random.default_rng(0).normal(size=(6, 2))


def assert_same_meaning(graph, *rewritten):
    """Compare a graph with others that follow one another; all of them are legal."""
    results = (ROWS,)
    for part in rewritten:
        results = NumpyModule(part)(*results)
        results = results if isinstance(results, tuple) else (results,)
    expected = NumpyModule(graph)(ROWS)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for result, real in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, real)


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


def operators_of(graph):
    return [node.op for node in graph]


def names_of(values):
    return [value.name for value in values]


def test_cut_of_a_linear_classifier():
    """The product is encrypted; the link and the decision are not."""
    graph = float_graph(
        Node("Cast", ("x",), ("f",), {"to": 11}),
        gemm("f", "score"),
        Node("Sigmoid", ("score",), ("p",)),
        Node("Sub", ("one", "p"), ("q",)),
        Node("Concat", ("q", "p"), ("y",), {"axis": 1}),
        Node("ArgMax", ("score",), ("class",), {"axis": 1}),
        outputs=("class", "y"),
        w=WEIGHTS,
        b=BIAS,
        one=np.ones(1),
    )
    encrypted, clear = cut(graph)
    assert operators_of(encrypted) == ["Cast", "Gemm"]
    assert operators_of(clear) == ["Sigmoid", "Sub", "Concat", "ArgMax"]
    assert names_of(encrypted.outputs) == names_of(clear.inputs) == ["score"]
    assert sorted(encrypted.constants) == ["b", "w"]
    assert sorted(clear.constants) == ["one"]
    assert_same_meaning(graph, encrypted, clear)


def test_cut_of_a_net():
    """Activations between products are encrypted, the last one is not."""
    graph = float_graph(
        gemm("x", "h"),
        Node("Relu", ("h",), ("r",)),
        gemm("r", "g"),
        Node("Softmax", ("g",), ("y",)),
        w=WEIGHTS,
        b=BIAS,
    )
    encrypted, clear = cut(graph)
    assert operators_of(encrypted) == ["Gemm", "Relu", "Gemm"]
    assert operators_of(clear) == ["Softmax"]
    assert_same_meaning(graph, encrypted, clear)


def test_cut_with_nothing_behind_the_last_product():
    encrypted, clear = cut(float_graph(gemm("x", "y"), w=WEIGHTS, b=BIAS))
    assert operators_of(encrypted) == ["Gemm"]
    assert clear == Graph((), encrypted.outputs, encrypted.outputs)


def test_cut_where_the_end_reads_inputs_and_several_products():
    graph = float_graph(
        gemm("x", "h"),
        Node("Relu", ("h",), ("r",)),
        gemm("r", "g"),
        Node("Add", ("g", "x"), ("s",)),
        Node("Mul", ("s", "h"), ("y",)),
        w=WEIGHTS,
        b=BIAS,
    )
    encrypted, clear = cut(graph)
    assert names_of(encrypted.outputs) == ["x", "h", "g"]
    assert operators_of(clear) == ["Add", "Mul"]
    assert_same_meaning(graph, encrypted, clear)


def test_cut_of_a_graph_without_products():
    graph = float_graph(Node("Tanh", ("x",), ("y",)))
    encrypted, clear = cut(graph)
    assert encrypted is graph
    assert operators_of(clear) == []
    assert names_of(clear.inputs) == names_of(clear.outputs) == ["y"]
    assert_same_meaning(graph, encrypted, clear)
