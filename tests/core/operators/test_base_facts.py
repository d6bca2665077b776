"""All passes treat an operator that they have not heard of as its class says.

Each scratch operator is the twin of one that the package has. A graph with twins must
become what the graph with the originals becomes, but for their names.
"""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fhe_estimators.core.circuit import Circuit, is_additive
from fhe_estimators.core.circuit._bounds import extremes
from fhe_estimators.core.engine import ClearEngine
from fhe_estimators.core.frontends.torch import export_trees
from fhe_estimators.core.frontends.trees import TreeArrays
from fhe_estimators.core.graph import ENCRYPTED, FLOAT, Graph, Node, Value, check, show
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import (
    QuantizedOp,
    lookup,
    registry,
    scratch,
    supported,
)
from fhe_estimators.core.operators._base import register
from fhe_estimators.core.quantization import check_finite_rows, quantize
from fhe_estimators.core.quantization._inputs import units_of_input
from fhe_estimators.core.quantized_module import QuantizedModule
from fhe_estimators.core.rewrite import clean, cut, split_prologue
from fhe_estimators.core.trees import leaves, recognize
from fhe_estimators.exceptions import GraphError, UnsupportedOperatorError
from tests.core.operators.scratch_operators import register_all

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(40, 3, 4))
#: Original -> twin, attributes, and what it reads behind its first operand.
TWINS = {
    "Softsign": ("Bent", {}, ()),
    "PRelu": ("Sloped", {}, (np.full((1, 1), 0.25),)),
    "Greater": ("Above", {}, (np.full((1, 1), 0.1),)),
    "Transpose": ("Turned", {"perm": [0, 2, 1]}, ()),
    "ReduceSum": ("Added", {}, (np.array([1], np.int64),)),
    "MatMul": ("Weighed", {}, (RANDOM.normal(size=(4, 4)),)),
}
TWIN_OF = {
    "Shape": "Sizes",
    "Reshape": "Reshaped",
    "Sub": "Taken",
    **{op: twin for op, (twin, *_) in TWINS.items()},
}
EACH = pytest.mark.parametrize("op", TWINS)


@pytest.fixture(autouse=True, scope="module")
def operators():
    """Twins are registered while this module is tested."""
    with scratch():
        register_all()
        yield
    assert "Bent" not in registry()


def network(op, *first):
    """Return a float graph that applies an operator before, between and behind products.

    `first` are nodes from "x" to "start", where it does not start with the input itself.
    """
    _, attributes, parameters = TWINS[op]
    constants = {f"p{place}": array for place, array in enumerate(parameters)}
    names = tuple(constants)
    nodes, last, sizes = list(first), "start" if first else "x", {"x": ROWS.shape[1:]}
    for place, kind in enumerate([op, "MatMul", op, "MatMul", op]):
        result, weights = f"t{place}", f"w{place}"
        if kind == op:
            nodes.append(Node(op, (last, *names), (result,), attributes))
        else:
            shape = sizes.get(last, (4,))[-1], 4
            constants[weights] = np.random.default_rng(place).normal(size=shape)
            nodes.append(Node("MatMul", (last, weights), (result,)))
        last, sizes = result, sizes_of(nodes, constants)
    values = {name: Value(name, (None, *shape)) for name, shape in sizes.items()}
    source = values.pop("x")
    graph = Graph(tuple(nodes), (source,), (values[last],), constants, values)
    return check(graph, FLOAT, supported())


def sizes_of(nodes, constants):
    """Return the shape of a row of each tensor."""
    graph = Graph(tuple(nodes), (Value("x"),), (), constants)
    with np.errstate(all="ignore"):
        found = NumpyModule(graph).intermediates(ROWS)
    return {k: np.shape(v)[1:] for k, v in found.items() if k not in constants}


def with_twins(graph):
    """Return a graph with the twins in place of the originals."""
    twins = tuple(replace(node, op=TWIN_OF.get(node.op, node.op)) for node in graph)
    return replace(graph, nodes=twins)


def renamed(text):
    """Return a text with the names of the originals."""
    for original, twin in TWIN_OF.items():
        text = text.replace(twin, original)
    return text


def both(op, what, *first):
    """Return what a pass tells of a graph, and of the one with twins, as text."""
    graph = network(op, *first)
    twins = with_twins(graph)
    assert twins.nodes != graph.nodes
    return renamed(what(graph)), renamed(what(twins))


@EACH
@pytest.mark.parametrize("split", [split_prologue, cut])
def test_split_where_encryption_begins_and_ends(op, split):
    parts, of_twins = both(op, lambda graph: "\n".join(map(show, split(graph))))
    assert parts == of_twins
    # Products are encrypted; of the rest, what ends up with the client.
    outside = split(network(op))[split is cut]
    moved = 0 if op == "MatMul" or (op == "Transpose" and split is not cut) else 1
    assert [node.op for node in outside] == moved * [op]


@pytest.mark.parametrize("op", ["ReduceSum", "Softsign", "Transpose", "PRelu"])
def test_sums_behind_the_last_product(op):
    """They are encrypted, as there is less to decrypt, with what is in front of them."""
    sums = network("ReduceSum")
    between = Node(op, ("t0", *[f"q{k}" for k in range(len(TWINS[op][2]))]), ("t1",))
    between = replace(between, attributes=TWINS[op][1])
    shape = (4, 3) if op == "Transpose" else (3, 4)
    graph = replace(
        sums,
        nodes=(
            Node("MatMul", ("x", "w1"), ("t0",)),
            between,
            Node("ReduceSum", ("t1", "axes"), ("y",), {"keepdims": 0}),
        ),
        outputs=(Value("y", (None, shape[-1])),),
        constants={
            "w1": sums.constants["w1"],
            "axes": np.array([1]),
            **{f"q{place}": array for place, array in enumerate(TWINS[op][2])},
        },
        values={"t0": Value("t0", (None, 3, 4)), "t1": Value("t1", (None, *shape))},
    )
    encrypted, clear = cut(graph)
    assert not clear.nodes
    assert renamed(show(cut(with_twins(graph))[0])) == show(encrypted)


@pytest.mark.parametrize(
    ("op", "attributes", "n_clear"),
    [("Softsign", {}, 2), ("Transpose", {"perm": [0, 1]}, 0)],
)
def test_sums_of_vectors_behind_the_last_product(op, attributes, n_clear):
    """They are encrypted where no table is needed for it."""
    nodes = (
        Node("MatMul", ("x", "w"), ("t0",)),
        Node(op, ("t0",), ("t1",), attributes),
        Node("ReduceSum", ("t1", "axes"), ("y",)),
    )
    constants = {"w": np.ones((4, 6)), "axes": np.array([1])}
    known = {name: Value(name, (None, 6)) for name in ("t0", "t1")}
    source, result = Value("x", (None, 4)), Value("y", (None, 1))
    graph = Graph(nodes, (source,), (result,), constants, known)
    parts, twins = cut(graph), cut(with_twins(graph))
    assert [show(part) for part in parts] == [renamed(show(part)) for part in twins]
    assert len(parts[1].nodes) == n_clear


@EACH
def test_units_of_inputs(op):
    axes, of_twins = both(op, lambda graph: str(units_of_input(graph, "x", 3)))
    assert axes == of_twins
    if op in ("Softsign", "MatMul"):
        assert axes == "(2,)"


@EACH
def test_numbers_without_an_integer(op):
    """What is finite again behind the next function is none."""

    def complaint(graph):
        with np.errstate(all="ignore"):
            tensors = NumpyModule(graph).intermediates(ROWS)
        try:
            check_finite_rows(graph, tensors)
        except GraphError as error:
            return str(error)
        return "fine"

    first = Node("Acosh", ("x",), ("start",))  # nan below one
    found, of_twins = both(op, complaint, first)
    assert found == of_twins
    assert (found == "fine") is (op == "Greater")


@EACH
def test_infinite_constants(op):
    """Infinity is one more end where numbers are compared, else it is refused."""

    def complaint(graph):
        infinite = {k: np.full_like(v, np.inf, float) for k, v in graph.constants.items()}
        try:
            check(replace(graph, constants=infinite), ENCRYPTED, supported())
        except GraphError as error:
            return str(error)
        return "fine"

    graph = network(op)
    alone = replace(graph, nodes=graph.nodes[:1], outputs=(Value("t0"),))
    found, of_twins = complaint(alone), renamed(complaint(with_twins(alone)))
    assert found == of_twins
    if op in ("Greater", "PRelu"):
        assert (found == "fine") is (op == "Greater")


def integers(graph):
    """Return the quantized module of all of a graph."""
    parts = quantize(graph, [ROWS], BitWidths(4, 3))
    last = replace(graph, nodes=(), inputs=graph.outputs, constants={}, values={})
    return QuantizedModule(*parts, NumpyModule(last))


@EACH
def test_integers_bounds_and_layers(op):
    """The integer graph, its ranges, its extremes, and what is reported of it."""

    def facts(graph):
        module = integers(graph)
        rows = [array.tolist() for row in extremes(module.graph) for array in row]
        circuit = Circuit(module.graph, engine=ClearEngine())
        q = module.quantize_input(ROWS)
        found = circuit.encrypt_run_decrypt(q)  # leaves no declared range
        about = is_additive(module.graph), rows, found.tolist(), circuit.cost
        return "\n".join([show(module.graph), str(module.layers), *map(str, about)])

    meant, of_twins = both(op, facts)
    # Columns of the report are as wide as names.
    assert meant.split() == of_twins.split()


def test_a_constant_for_each_row_is_no_constant():
    graph = network("PRelu")
    slopes = {**graph.constants, "p0": np.full((5, 1, 1), 0.5)}
    graph = replace(graph, constants=slopes)
    assert not split_prologue(graph)[0].nodes
    assert not split_prologue(with_twins(graph))[0].nodes


@pytest.mark.parametrize(("op", "additive"), [("Transpose", True), ("Softsign", False)])
def test_several_rows_share_a_ciphertext(op, additive):
    """Those of additive graphs."""
    graph = network(op)
    graph = replace(graph, nodes=graph.nodes[:2], outputs=(Value("t1"),))
    for each in (graph, with_twins(graph)):
        assert is_additive(integers(each).graph) is additive


def test_sums_of_products_need_one_scale():
    """The weights of one product are rounded to the steps of the other."""
    nodes = (
        Node("MatMul", ("x", "v"), ("a",)),
        Node("MatMul", ("x", "w"), ("b",)),
        Node("Sub", ("a", "b"), ("y",)),
    )
    weights = {name: RANDOM.normal(size=(4, 4)) for name in "vw"}
    graph = Graph(nodes, (Value("x", (None, 3, 4)),), (Value("y"),), weights)
    found = show(integers(graph).graph)
    assert renamed(show(integers(with_twins(graph)).graph)) == found
    assert "TableLookup" not in found


def test_trees_are_recognized():
    tree = TreeArrays(
        np.array([0, 1, -1, -1, -1]),
        np.array([0.5, 0.25, 0.0, 0.0, 0.0]),
        np.array([1, 2, -1, -1, -1]),
        np.array([4, 3, -1, -1, -1]),
        np.arange(10.0).reshape(5, 2),
    )
    graph = clean(NumpyModule(export_trees([tree, tree], 3, np.ones(2))).graph)
    # Products and comparisons are what an ensemble is recognized by.
    kept = {node.outputs: node for node in graph if node.op in ("MatMul", "Greater")}
    nodes = tuple(kept.get(node.outputs, node) for node in with_twins(graph))
    twins = replace(graph, nodes=nodes)
    assert any(node.op == "Reshaped" for node in twins)
    (ensemble, rest), (of_twins, rest_of_twins) = recognize(graph), recognize(twins)
    assert show(rest) == show(rest_of_twins)
    for one, other in zip(ensemble.trees, of_twins.trees, strict=True):
        for a, b in zip(leaves(one), leaves(other), strict=True):
            np.testing.assert_array_equal(a.value, b.value)


def test_sizes_are_folded():
    def folded(op):
        nodes = (
            Node(op, ("x",), ("sizes",)),
            Node("Gather", ("sizes", "first"), ("n",)),
            Node("Concat", ("n", "rest"), ("shape",), {"axis": 0}),
            Node("Reshape", ("x", "shape"), ("y",)),
        )
        constants = {"first": np.array([0]), "rest": np.array([-1])}
        graph = Graph(nodes, (Value("x", (None, 3, 4)),), (Value("y"),), constants)
        return show(clean(graph))

    assert folded("Sizes") == folded("Shape")
    assert "Sizes" not in folded("Sizes")


def onnx_model(graph):
    """Return a graph as a model whose twins are of a domain of their own."""

    def domain(op):
        return "scratch" if op in TWIN_OF.values() else ""

    def info(value):
        shape = ["n", *value.shape[1:]]
        return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node(n.op, n.inputs, n.outputs, domain=domain(n.op), **n.attributes)
        for n in graph
    ]
    constants = [
        numpy_helper.from_array(
            array.astype(np.float32) if array.dtype.kind == "f" else array, name
        )
        for name, array in graph.constants.items()
    ]
    inner = [v for name, v in graph.values.items() if name != graph.outputs[0].name]
    ends = [list(map(info, values)) for values in (graph.inputs, graph.outputs)]
    body = helper.make_graph(nodes, "twins", *ends, constants, value_info=map(info, inner))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("scratch", 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("op", sorted(TWINS.keys() - {"Greater"}))  # types are not inferred
def test_lowered(op):
    """From a model to integers: the whole page."""
    rows = ROWS.astype(np.float32)

    def lowered(graph):
        model = onnx_model(graph)
        onnx.checker.check_model(model)
        return to_quantized_module(model, Calibration([rows]), Options(BitWidths(4, 3)))

    graph = network(op)
    module, twin = lowered(graph), lowered(with_twins(graph))
    assert show(module.graph) == renamed(show(twin.graph))
    np.testing.assert_array_equal(module(rows), twin(rows))
    assert (module.prologue is None) == (twin.prologue is None)


@pytest.mark.simulate
def test_compiled():
    """An integer operator that the engine has not heard of computes with its arrays."""
    module = integers(with_twins(network("Transpose")))
    assert any(node.op == "Turned" for node in module.graph)
    module.compile(p_error=2**-40)
    q = module.quantize_input(ROWS[:2])
    expected = module.quantized_forward(q)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="simulate"), expected)


def test_a_registration_ends_with_its_context():
    assert "Bent" in supported()
    with scratch():
        register("Brief", since=1)(type("Brief", (QuantizedOp,), {"f": staticmethod(abs)}))
        assert "Brief" in supported()
    assert "Brief" not in supported()
    with pytest.raises(UnsupportedOperatorError, match="Brief is not supported"):
        lookup("Brief", 17)
    with scratch(), pytest.raises(TypeError, match=r"Brief\.f .*staticmethod"):
        register("Brief", since=1)(type("Brief", (QuantizedOp,), {"f": lambda x: x}))


FACTS = [
    name for name, kind in QuantizedOp.__annotations__.items() if kind == "ClassVar[bool]"
]


@pytest.mark.parametrize("fact", FACTS)
def test_every_fact_tells_operators_apart(fact):
    assert {getattr(cls, fact) for cls in registry().values()} == {True, False}
