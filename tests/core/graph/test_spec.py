"""What is legal at which stage, and what is told of what is not."""

from dataclasses import replace

import numpy as np
import pytest

from fhe_estimators.core.graph import FLOAT, INTEGER, Graph, Node, Value, check, show
from fhe_estimators.core.operators import supported
from fhe_estimators.exceptions import BitWidthError, GraphError, UnsupportedOperatorError
from tests.core.graph.graphs import BIAS, RELU, WEIGHTS, float_graph, gemm

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
        float_graph(Node("Det", ("x",), ("y",), {}, "last")),
        FLOAT,
        UnsupportedOperatorError,
        r"node Det 'last' \(x\) -> y uses Det; supported at this stage: Abs, ",
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
