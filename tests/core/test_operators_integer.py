"""The integer meaning of operators against the float one, and their declared ranges."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.graph import Node, Value
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import registry
from fhe_estimators.core.operators.elementwise import Elementwise
from fhe_estimators.core.operators.univariate import Univariate
from tests.core.operators.cases import CASES, MATRIX, ROW
from tests.core.operators.tools import (
    bits,
    check_ranges,
    count_tables,
    examples,
    float_graph,
    quantized,
    seeds,
)

#: Range of inputs where a function is undefined, or beyond any table, elsewhere.
DOMAINS = {
    "Acos": (-1, 1),
    "Acosh": (1, 6),
    "Asin": (-1, 1),
    "Atanh": (-0.9, 0.9),
    "Log": (0.2, 5),
    "Pow": (0.2, 5),
    "Sqrt": (0, 5),
    "Tan": (-1.4, 1.4),
}
LOGICAL = ("And", "Not", "Or", "Xor")
FAMILIES = {
    base: sorted(name for name, cls in registry().items() if issubclass(cls, base))
    for base in (Univariate, Elementwise)
}
FAMILIES[Univariate].remove("BatchNormalization")  # of channels
FAMILIES[Univariate].remove("OneHot")  # of indices


def check_against_float(graph, rows, others, n_bits):
    """Check integer results against the float graph on what the integers stand for.

    `rows` calibrate; `others` are further rows, which need not lie in the same range.
    """
    module = quantized(graph, rows, n_bits)
    quantizer, step = module.input_quantizers[0], module.output_quantizers[0].scale
    scale, zero = quantizer.scale, quantizer.zero_point
    everything = np.concatenate([rows, others])
    # Written as the table computes it, for functions that jump.
    meant = scale * quantizer.quant(everything) + -scale * zero
    with np.errstate(all="ignore"):
        expected = np.asarray(NumpyModule(graph)(meant), float)
        seen = NumpyModule(graph)(rows)
        # Both truth values are in range, whether or not they were seen.
        seen = np.array([0.0, 1.0]) if seen.dtype == bool else seen
    result = module.scores(everything)
    defined = np.isfinite(expected)
    error = np.abs(result - np.clip(expected, seen.min(), seen.max()))
    if count_tables(module):
        assert count_tables(module) == 1
        assert module.graph.outputs[0].bits <= n_bits
        bound = step / 2
    else:
        error, bound = np.abs(result - expected), 0
    assert np.all((error <= bound + 1e-9 * (1 + np.abs(expected)))[defined])
    return module


def draw(op, seed, n_rows):
    generator = np.random.default_rng(seed)
    low, high = DOMAINS.get(op, (-3, 3))
    return generator.uniform(low, high, (n_rows, 4))


@pytest.mark.parametrize("op", FAMILIES[Univariate])
@given(n_bits=bits, seed=seeds)
@examples
def test_univariate(op, n_bits, seed):
    attributes, (_, *parameters) = CASES[op]
    names = [f"c{place}" for place in range(len(parameters))]
    graph = float_graph(
        [Node(op, ("x", *names), ("y",), attributes)],
        dict(zip(names, parameters, strict=True)),
        (4,),
    )
    rows, others = draw(op, seed, 40), 2 * draw(op, seed + 1, 10)
    check_ranges(check_against_float(graph, rows, others, n_bits), seed)


@pytest.mark.parametrize("op", FAMILIES[Elementwise])
@given(n_bits=bits, seed=seeds, data=st.data())
@examples
def test_elementwise(op, n_bits, seed, data):
    """One operand is encrypted; it may be any of them."""
    attributes, operands = CASES[op]
    place = data.draw(st.integers(0, len(operands) - 1))
    names = [f"c{number}" for number in range(len(operands))]
    constants = {
        name: np.abs(array[:1]) if op == "Pow" else np.atleast_1d(array)[:1]
        for name, array in zip(names, operands, strict=True)
    }
    del constants[names[place]]
    nodes = []
    if op in LOGICAL or (op, place) == ("Where", 0):
        nodes.append(Node("Greater", ("x", "zero"), (names[place],)))
        constants["zero"] = np.zeros(1)
    else:
        nodes.append(Node("Identity", ("x",), (names[place],)))
    nodes.append(Node(op, tuple(names), ("y",), attributes))
    graph = float_graph(nodes, constants, (4,))
    rows, others = draw(op, seed, 40), 2 * draw(op, seed + 1, 10)
    check_ranges(check_against_float(graph, rows, others, n_bits), seed)


@pytest.mark.parametrize("op", sorted(set(FAMILIES[Elementwise]) - {"Neg", *LOGICAL}))
@given(n_bits=bits, seed=seeds, swap=st.booleans())
@examples
def test_elementwise_of_two_functions_of_one_tensor(op, n_bits, seed, swap):
    operands = ["wave", "line"][:: -1 if swap else 1]
    if op == "Where":
        operands.insert(0, "mask")
    nodes = [
        Node("Sigmoid", ("x",), ("wave",)),
        Node("Mul", ("x", "slope"), ("scaled",)),
        Node("Add", ("scaled", "shift"), ("line",)),
        Node("Less", ("x", "shift"), ("mask",)),
        Node(op, tuple(operands), ("y",)),
    ]
    slope = np.abs(ROW) if op == "Pow" else ROW
    graph = float_graph(nodes, {"slope": slope, "shift": np.array(7.3)}, (4,))
    rows, others = draw(op, seed, 40), 2 * draw(op, seed + 1, 10)
    check_ranges(check_against_float(graph, rows, others, n_bits), seed)


LAYOUTS = [
    ("Flatten", {}, None),
    ("Reshape", {}, [0, 4, 3]),
    ("Reshape", {}, [-1, 2, 6]),
    ("Squeeze", {}, [1]),
    ("Transpose", {"perm": [0, 1, 3, 2]}, None),
    ("Unsqueeze", {}, [-1, 1]),
]


@pytest.mark.parametrize(("op", "attributes", "parameter"), LAYOUTS)
@pytest.mark.parametrize("moved_first", [True, False])
@given(n_bits=bits, seed=seeds)
@examples
def test_layout(op, attributes, parameter, moved_first, n_bits, seed):
    """Integers move with their scales, before a table and behind one."""
    constants = {} if parameter is None else {"parameter": np.array(parameter)}
    steps = [(op, tuple(constants), attributes), ("Tanh", (), {})]
    if not moved_first:
        steps.reverse()
    nodes, name = [], "x"
    for op_type, parameters, settings_of_node in steps:
        nodes.append(Node(op_type, (name, *parameters), (op_type,), settings_of_node))
        name = op_type
    graph = float_graph(nodes, constants, (1, 3, 4))
    generator = np.random.default_rng(seed)
    # Each feature has a range of its own.
    rows, others = generator.normal(size=(2, 30, 1, 3, 4)) * np.arange(1, 13).reshape(3, 4)
    check_ranges(check_against_float(graph, rows, others, n_bits), seed)


@given(n_bits=bits, seed=seeds, to=st.sampled_from([1, 7, 9, 11]))
@examples
def test_cast(n_bits, seed, to):
    graph = float_graph([Node("Cast", ("x",), ("y",), {"to": to})], {}, (4,))
    rows, others = draw("Cast", seed, 40), draw("Cast", seed + 1, 10)
    # A float type is not meant to round further: the integers do.
    if to not in (1, 11):
        check_ranges(check_against_float(graph, rows, others, n_bits), seed)
    else:
        module = quantized(graph, rows, n_bits)
        assert module.graph.nodes == ()


def test_truth_values_cast_to_numbers_are_numbers():
    """Two of them add up to 2, not to true."""
    nodes = [
        Node("Greater", ("x", "zero"), ("above",)),
        Node("Cast", ("above",), ("one",), {"to": 1}),
        Node("Add", ("one", "one"), ("two",)),
    ]
    graph = float_graph(nodes, {"zero": np.zeros(1)}, (4,))
    rows = draw("Add", 0, 40)
    assert set(np.unique(quantized(graph, rows, 4).scores(rows))) == {0, 2}


def gemm(source, result, weights="w"):
    return Node("Gemm", (source, weights, "b"), (result,))


LAYERS = {"w": MATRIX, "v": MATRIX[:2], "b": np.array([0.3, -0.2])}
NUMBERS = {
    "one": np.ones(1),
    "low": np.zeros(()),
    "high": np.full((), 4.0),
    "mean": ROW,
    "deviation": 1 + np.abs(ROW),
}


@pytest.mark.parametrize(
    ("nodes", "n_tables"),
    [
        pytest.param(
            [Node("Sigmoid", ("x",), ("s",)), Node("Mul", ("x", "s"), ("y",))],
            1,
            id="x * sigmoid(x)",
        ),
        pytest.param(
            [
                Node("Sub", ("x", "mean"), ("d",)),
                Node("Div", ("d", "deviation"), ("z",)),
                gemm("z", "y"),
            ],
            0,
            id="scaler in front of a product",
        ),
        pytest.param(
            [gemm("x", "h"), Node("Relu", ("h",), ("r",)), gemm("r", "y", "v")],
            1,
            id="activation between products",
        ),
        pytest.param(
            [
                gemm("x", "h"),
                Node("Relu", ("h",), ("r",)),
                Node("Add", ("r", "one"), ("a",)),
                Node("Clip", ("a", "low", "high"), ("c",)),
                gemm("c", "y", "v"),
            ],
            1,
            id="chain between products",
        ),
        pytest.param(
            [
                gemm("x", "h"),
                Node("Relu", ("h",), ("r",)),
                Node("Sigmoid", ("h",), ("s",)),
                Node("Mul", ("r", "s"), ("m",)),
                Node("Where", ("k", "m", "h"), ("o",)),
                gemm("o", "y", "v"),
            ],
            1,
            id="several functions of one product",
        ),
        pytest.param(
            [
                Node("Neg", ("x",), ("n",)),
                Node("Mul", ("n", "deviation"), ("t",)),
                Node("Cast", ("t",), ("c",), {"to": 1}),
                Node("Identity", ("c",), ("i",)),
                gemm("i", "h"),
                Node("Sub", ("one", "h"), ("u",)),
                gemm("u", "y", "v"),
            ],
            0,
            id="affine maps around products",
        ),
        pytest.param(
            [
                gemm("x", "h"),
                Node("Relu", ("h",), ("r",)),
                gemm("r", "p", "v"),
                gemm("r", "g", "v"),
            ],
            1,
            id="two products of one activation",
        ),
        pytest.param(
            [
                gemm("x", "h"),
                Node("Relu", ("h",), ("r",)),
                gemm("r", "g", "v"),
                Node("Tanh", ("g",), ("t",)),
                gemm("t", "y", "v"),
            ],
            2,
            id="two activations",
        ),
    ],
)
def test_fused_into_tables(nodes, n_tables):
    read = {name for node in nodes for name in node.inputs}
    constants = {**LAYERS, **NUMBERS, "k": np.array([True, False])}
    graph = float_graph(nodes, {k: v for k, v in constants.items() if k in read}, (4,))
    outputs = [name for n in nodes for name in n.outputs if name not in read]
    graph = replace(graph, outputs=tuple(map(Value, outputs)))
    rows = draw("", 0, 60)
    module = quantized(graph, rows, 7)
    assert count_tables(module) == n_tables
    scores, expected = np.array(module.scores(rows)), np.array(NumpyModule(graph)(rows))
    assert np.sqrt(np.mean((scores - expected) ** 2)) <= 0.03 * np.ptp(expected)
