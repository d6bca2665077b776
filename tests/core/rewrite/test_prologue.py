"""The part of a graph before its first product: what moves, and that nothing changes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.graph import FLOAT, Graph, Node, Value, check
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import supported
from fhe_estimators.core.quantization import InputRange, quantize
from fhe_estimators.core.rewrite import clean, cut, split_prologue
from fhe_estimators.exceptions import UnsupportedOperatorError
from fhe_estimators.quantization import QuantizedModule

ROWS = np.random.default_rng(0).normal(size=(40, 3))
#: Operators of one tensor `x` that keep three features, or as many as they read.
STEPS = {
    "Tanh": ("x",),
    "Mul": ("x", "x"),
    "Add": ("x", "ones"),
    "Cast": ("x",),
    "Flatten": ("x",),
    "Identity": ("x",),
}
ATTRIBUTES = {"Cast": {"to": 11}}


def graph_of(*nodes, outputs=None, **constants):
    """Return a legal graph from "x", rows of three features."""
    nodes = tuple(Node(op, tuple(i.split()), (o,), a) for op, i, o, a in nodes)
    names = outputs or [nodes[-1].outputs[0]]
    values = tuple(Value(name) for name in names)
    constants = {"ones": np.ones(1), "w": np.ones((3, 2)), **constants}
    return check(
        Graph(nodes, (Value("x", (None, 3)),), values, constants), FLOAT, supported()
    )


def module_of(graph, rows):
    prologue, rest = split_prologue(graph)
    start, (_, clear) = NumpyModule(prologue), cut(graph)
    integers = quantize(rest, start.outputs(rows), BitWidths(8, 8))
    return QuantizedModule(*integers, NumpyModule(clear), prologue=start)


def ops(graph):
    return [node.op for node in graph]


def check_meaning(graph, rows=ROWS):
    """Check that the parts are legal and give, one after the other, what `graph` gives."""
    prologue, rest = (check(part, FLOAT, supported()) for part in split_prologue(graph))
    between = NumpyModule(prologue).outputs(rows)
    result = NumpyModule(rest).outputs(*between)
    for array, expected in zip(result, NumpyModule(graph).outputs(rows), strict=True):
        np.testing.assert_array_equal(array, expected)
    return prologue, rest


@st.composite
def graphs(draw):
    """Steps that may join what came before, a product, a step, a product."""
    nodes, widths = [], {"x": 3}
    for place in range(draw(st.integers(0, 6))):
        source = draw(st.sampled_from(sorted(widths)))
        result = f"t{place}"
        if draw(st.booleans()):
            op = draw(st.sampled_from(sorted(STEPS)))
            inputs = " ".join(STEPS[op]).replace("x", source)
            nodes.append((op, inputs, result, ATTRIBUTES.get(op, {})))
            widths[result] = widths[source]
        else:
            other = draw(st.sampled_from(sorted(widths)))
            nodes.append(("Concat", f"{source} {other}", result, {"axis": 1}))
            widths[result] = widths[source] + widths[other]
    source = draw(st.sampled_from(sorted(widths)))
    weights = np.random.default_rng(0).normal(size=(widths[source], 2))
    nodes += [
        ("MatMul", f"{source} first", "a", {}),
        ("Relu", "a", "r", {}),
        ("MatMul", "r second", "y", {}),
    ]
    outputs = ["y", *draw(st.lists(st.sampled_from(sorted(widths)), max_size=1))]
    return clean(graph_of(*nodes, outputs=outputs, first=weights, second=np.eye(2)))


@given(graphs())
def test_one_after_the_other_they_are_the_graph(graph):
    prologue, rest = check_meaning(graph)
    assert "MatMul" not in ops(prologue)
    assert ops(rest).count("MatMul") == 2
    if not prologue.nodes:
        assert rest is graph
        assert prologue.outputs == graph.inputs


@pytest.mark.parametrize(
    "nodes",
    [
        [("Tanh", "x", "t", {}), ("Mul", "t t", "y", {})],
        [("MatMul", "x w", "a", {}), ("Tanh", "a", "y", {})],
        [("Flatten", "x", "f", {}), ("MatMul", "f w", "y", {})],
        [
            ("Identity", "x", "i", {}),
            ("Cast", "i", "c", {"to": 11}),
            ("MatMul", "c w", "y", {}),
        ],
    ],
    ids=["no product", "nothing before it", "layout only", "free operators only"],
)
def test_nothing_to_move(nodes):
    graph = graph_of(*nodes)
    prologue, rest = check_meaning(graph)
    assert rest is graph
    assert not prologue.nodes


def test_free_operators_at_the_end_stay():
    graph = graph_of(
        ("Identity", "x", "i", {}),
        ("Greater", "i ones", "g", {}),
        ("Cast", "g", "c", {"to": 11}),
        ("MatMul", "c w", "y", {}),
    )
    prologue, rest = check_meaning(graph)
    assert ops(prologue) == ["Identity", "Greater"]
    assert ops(rest) == ["Cast", "MatMul"]


def test_products_of_the_input_and_of_a_function_of_it():
    graph = graph_of(
        ("Tanh", "x", "t", {}),
        ("MatMul", "x w", "a", {}),
        ("MatMul", "t w", "b", {}),
        outputs=["a", "b"],
    )
    prologue, rest = check_meaning(graph)
    assert [value.name for value in rest.inputs] == ["x", "t"]
    assert ops(prologue) == ["Tanh"]


@pytest.mark.parametrize(
    "mixing",
    [("Transpose", "t", "m", {"perm": [1, 0]}), ("Concat", "t t", "m", {"axis": 0})],
    ids=lambda node: node[0],
)
def test_what_mixes_rows_does_not_move(mixing):
    graph = graph_of(
        ("Tanh", "x", "t", {}), mixing, ("Tanh", "m", "u", {}), ("MatMul", "u w", "y", {})
    )
    prologue, rest = check_meaning(graph, ROWS[:3])
    assert ops(prologue) == ["Tanh"]
    assert ops(rest) == [mixing[0], "Tanh", "MatMul"]


# In a module -----------------------------------------------------------------------------


class Squares(torch.nn.Module):
    """A layer behind features, their squares and whether they are positive."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(9, 2, dtype=torch.float64)

    def forward(self, x):
        return self.layer(torch.cat([x, x * x, (x > 0).double()], dim=1))


@pytest.fixture(scope="module")
def module():
    model = export_torch(Squares(), [ROWS[:2]])
    return to_quantized_module(model, Calibration([ROWS]), Options(BitWidths(8, 8)))


def test_client_computes_before_it_encrypts(module):
    with torch.no_grad():
        expected = Squares()(torch.from_numpy(ROWS)).numpy()
    assert ops(module.graph) == ["MatMul"]
    assert module.quantize_input(ROWS).shape == (40, 9)
    for result in (module.scores(ROWS), module.forward(ROWS)):
        np.testing.assert_allclose(result, expected, atol=0.05)
    q_scores = module.quantized_forward(module.quantize_input(ROWS))
    np.testing.assert_array_equal(module.dequantize_output(q_scores), module.scores(ROWS))


def test_any_finite_number_is_accepted(module):
    """Squares that overflow are clipped like squares that do not."""
    huge = module.quantize_input(np.full((1, 3), -1e300))
    np.testing.assert_array_equal(huge, module.quantize_input(np.full((1, 3), -1e100)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_other_numbers_are_not(module, wrong):
    """A comparison alone would make a truth value of them."""
    for method in (module.quantize_input, module.scores):
        with pytest.raises(ValueError, match="nan or infinity"):
            method(np.full((1, 3), wrong))


def test_number_of_inputs(module):
    for method in (module.quantize_input, module.scores):
        with pytest.raises(TypeError, match=r"rows of 1 inputs \(.*\); got 2"):
            method(ROWS, ROWS)


def test_ranges_are_those_of_the_raw_inputs():
    """They hold for what the prologue makes of them."""
    ends = InputRange(np.full(3, -10.0), np.full(3, 4.0))
    model = export_torch(Squares(), [ROWS[:2]])
    (quantizer,) = to_quantized_module(
        model, Calibration([ROWS], ranges=[ends]), Options(BitWidths(16, 8))
    ).input_quantizers
    low, high = quantizer.dequant([[quantizer.low]]), quantizer.dequant([[quantizer.high]])
    np.testing.assert_allclose(low[0, :6], [-10] * 3 + [0] * 3, atol=0.01)
    np.testing.assert_allclose(high[0, :6], [4] * 3 + [100] * 3, atol=0.01)


@pytest.mark.parametrize("rows", [ROWS, np.abs(ROWS), -np.abs(ROWS)])
def test_truth_values_take_one_bit(rows):
    """Whether or not calibration saw both."""
    graph = graph_of(
        ("Greater", "x zero", "g", {}),
        ("Cast", "g", "c", {"to": 11}),
        ("MatMul", "c w", "y", {}),
        zero=np.zeros(1),
        w=np.array([[1.0], [1.0], [-1.0]]),
    )
    module = module_of(graph, rows)
    assert module.input_quantizers[0].n_bits == 1
    assert set(np.unique(module.quantize_input(ROWS))) == {-1, 0}
    expected = (ROWS > 0) @ [[1], [1], [-1]]
    np.testing.assert_allclose(module.scores(ROWS), expected, atol=1e-9)


def test_rows_are_not_moved_into_each_other():
    graph = graph_of(
        ("Tanh", "x", "t", {}),
        ("Transpose", "t", "m", {"perm": [1, 0]}),
        ("MatMul", "m w", "y", {}),
    )
    with pytest.raises(UnsupportedOperatorError, match="it moves the axis of the rows"):
        module_of(graph, ROWS[:3])
