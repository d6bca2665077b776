"""Integer operators on the engine: what is compiled gives the same integers."""

import numpy as np
import pytest

from fhe_estimators.core.circuit._bounds import extremes
from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import Node
from fhe_estimators.core.operators import supported
from tests.core.integers.test_arithmetic import SPLIT
from tests.core.operators.test_slicing import STEPS
from tests.core.operators.tools import float_graph, whole


def i64(*numbers):
    return np.array(numbers, np.int64)


def node(op, inputs, **attributes):
    return Node(op, tuple(inputs.split()), ("y",), attributes)


def weights(*shape):
    return np.random.default_rng(0).normal(size=shape)


#: (nodes, constants, shape of a row)
CIRCUITS = {
    "conv 1d": (
        [node("Conv", "x w", strides=[2], pads=[1, 0])],
        {"w": weights(2, 2, 3)},
        (2, 5),
    ),
    "conv 2d": (
        [node("Conv", "x w", strides=[1, 2], dilations=[2, 1], pads=[1, 0, 0, 1])],
        {"w": weights(2, 2, 2, 2)},
        (2, 4, 4),
    ),
    "conv of groups": (
        [node("Conv", "x w", group=2)],
        {"w": weights(4, 1, 2, 3)},
        (2, 3, 3),
    ),
    "conv 3d": (
        [node("Conv", "x w", strides=[2, 1, 1], dilations=[1, 2, 1], group=2)],
        {"w": weights(4, 2, 2, 2, 1)},
        (4, 5, 3, 2),
    ),
    "average pool": (
        [node("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 1], pads=[0, 1, 0, 1])],
        {},
        (2, 4, 3),
    ),
    "max pool": (
        [node("MaxPool", "x", kernel_shape=[2, 2], pads=[0, 1, 0, 0])],
        {},
        (1, 2, 2),
    ),
    "reduce sum": (
        [node("ReduceSum", "x axes", keepdims=0)],
        {"axes": i64(1, 3)},
        (2, 3, 2),
    ),
    "reduce min": (
        [node("ReduceMin", "x axes", keepdims=0)],
        {"axes": i64(1)},
        (3, 2),
    ),
    "stack of matrices": ([node("MatMul", "x w")], {"w": weights(2, 3, 2)}, (2, 2, 3)),
    "matrix on the left": ([node("MatMul", "w x")], {"w": weights(2, 3)}, (3, 2)),
    "both encrypted": (
        [
            Node("Split", ("x",), ("a", "b"), {"axis": 1}),
            Node("Transpose", ("b",), ("c",), {"perm": [0, 2, 1]}),
            node("MatMul", "a c"),
        ],
        {},
        (2, 2),
    ),
    "joined": ([SPLIT, node("Concat", "b a b", axis=1)], {}, (4,)),
    "joined with clear numbers": (
        [SPLIT, node("Concat", "row a row b", axis=1)],
        {"row": weights(1, 2)},
        (4,),
    ),
    "sum": ([SPLIT, node("Sum", "a b row")], {"row": weights(1, 2)}, (4,)),
    "larger": ([SPLIT, node("Max", "a b")], {}, (4,)),
    "product": ([SPLIT, node("Mul", "a b")], {}, (2,)),
    "quotient": ([SPLIT, Node("Exp", ("b",), ("c",)), node("Div", "a c")], {}, (2,)),
    "comparison": ([SPLIT, node("GreaterOrEqual", "a b")], {}, (4,)),
    "choice": (
        [
            SPLIT,
            Node("Neg", ("a",), ("c",)),
            Node("Greater", ("a", "b"), ("m",)),
            node("Where", "m b c"),
        ],
        {},
        (2,),
    ),
    "one hot": (
        [Node("Round", ("x",), ("r",)), node("OneHot", "r three values", axis=1)],
        {"three": np.array(3), "values": np.array([0.0, 1.0])},
        (2,),
    ),
    "expanded": (
        [Node("Unsqueeze", ("x", "axes"), ("u",)), node("Mul", "u row")],
        {"axes": i64(2), "row": weights(1, 1, 3)},
        (2,),
    ),
    "flat": ([node("Flatten", "x")], {}, (2, 3)),
    "blocks of an image": ([node("DepthToSpace", "x", blocksize=2)], {}, (4, 1, 2)),
    "blocks of channels": ([node("SpaceToDepth", "x", blocksize=2)], {}, (1, 2, 4)),
    "reshaped": ([node("Reshape", "x shape")], {"shape": i64(0, 3, -1)}, (2, 3)),
    **{
        f"{op} {place}": (
            [
                Node(
                    op,
                    ("x", *(f"c{k}" for k in range(len(parameters)))),
                    ("y",),
                    attributes,
                )
            ],
            {f"c{k}": array for k, array in enumerate(parameters)},
            (3, 4, 5),
        )
        for place, (op, attributes, parameters) in enumerate(STEPS)
    },
}


def module_of(name):
    nodes, constants, shape = CIRCUITS[name]
    read = {source for node in nodes for source in node.inputs}
    graph = float_graph(nodes, {k: v for k, v in constants.items() if k in read}, shape)
    rows = np.random.default_rng(1).normal(size=(40, *shape))
    module = whole(graph, rows, 3)
    return module, module.quantize_input(rows)


def test_every_integer_operator_is_compiled_below():
    used = {node.op for name in CIRCUITS for node in module_of(name)[0].graph}
    # The bits of sums of trees are tested with trees.
    assert used == set(supported(integer=True)) - {"ExtractBits"}


@pytest.mark.simulate
@pytest.mark.parametrize("name", CIRCUITS)
def test_simulated(name):
    """Two rows at a time."""
    module, q = module_of(name)
    corners = extremes(module.graph)
    program = ConcreteEngine().compile(module.graph, 2, corners, p_error=2**-20)
    (result,) = program.simulate(q[:2])
    np.testing.assert_array_equal(result, module.quantized_forward(q[:2]))


@pytest.mark.fhe
@pytest.mark.parametrize("name", ["conv 2d", "max pool"])
def test_encrypted(name):
    module, q = module_of(name)
    module.compile(p_error=2**-20)
    expected = module.quantized_forward(q[:1])
    np.testing.assert_array_equal(module.quantized_forward(q[:1], fhe="execute"), expected)
