"""Branches and loops of ONNX files, and local functions, are written out when read."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from fhe_estimators.core.frontends.onnx import read_onnx
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.exceptions import UnsupportedOperatorError

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)

LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[n, 3] x) => (float[n, 3] y, float[k, n, 3] all)
<int64 steps = {3}, float two = {2.0}>
{
    on = Constant <value = bool {1}> ()
    y, all = Loop (steps, on, x) <body = body
        (int64 number, bool go, float[n, 3] state)
        => (bool go_on, float[n, 3] next, float[n, 3] seen)
        {
            go_on = Identity (go)
            real = Cast <to = 1> (number)
            more = Mul (state, two)
            next = Add (more, real)
            seen = Neg (next)
        }>
}
"""
IF = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[n, 3] x) => (float[n, 3] y)
<float two = {2.0}, int64 one = {1}, int64 three = {3}>
{
    sizes = Shape (x)
    width = Gather <axis = 0> (sizes, one)
    wide = Equal (width, three)
    y = If (wide) <
        then_branch = a () => (float[n, 3] r) { r = Mul (x, two) },
        else_branch = b () => (float[n, 3] s) { s = Neg (x) }
    >
}
"""
FUNCTION = """
<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
agraph (float[n, 3] x) => (float[n, 3] y)
{
    y = own.twice (x)
}
<domain: "own", opset_import: ["" : 17]>
twice (a) => (b)
{
    b = Add (a, a)
}
"""


@pytest.mark.parametrize("text", [LOOP, FUNCTION], ids=["loop", "function"])
def test_same_as_onnxruntime(text):
    model = parser.parse_model(text)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, {"x": X})
    found = NumpyModule(model).outputs(X)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert not {"If", "Loop", "twice"} & {node.op for node in read_onnx(model)}


def test_names_of_bodies():
    """A body is written several times: what it names is not the same each time."""
    nodes = list(read_onnx(parser.parse_model(LOOP)))
    names = [name for node in nodes for name in node.outputs]
    assert len(names) == len(set(names))
    assert sum(node.op == "Mul" for node in nodes) == 3


@pytest.mark.parametrize("width", [3, None])
def test_condition_on_a_known_size(width):
    model = parser.parse_model(IF)
    if width is None:
        model.graph.input[0].type.tensor_type.shape.dim[1].Clear()
        with pytest.raises(
            UnsupportedOperatorError, match="or on a size that is not known"
        ):
            read_onnx(model)
    else:
        np.testing.assert_allclose(NumpyModule(model)(X), 2 * X)


def test_condition_on_an_input():
    branches = [
        helper.make_graph(
            [helper.make_node(op, ["x"], [f"{op}_result"])],
            op,
            [],
            [helper.make_tensor_value_info(f"{op}_result", TensorProto.FLOAT, None)],
        )
        for op in ("Neg", "Abs")
    ]
    node = helper.make_node(
        "If",
        ["positive"],
        ["y"],
        "choice",
        then_branch=branches[0],
        else_branch=branches[1],
    )
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
            helper.make_node("Greater", ["total", "zero"], ["positive"]),
            node,
        ],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.float32(0), "zero")],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    with pytest.raises(UnsupportedOperatorError, match="choose with Where") as error:
        read_onnx(model)
    assert "If 'choice' (positive) -> y" in str(error.value)


def test_number_of_steps_that_is_an_input():
    model = parser.parse_model(LOOP)
    kept = [t for t in model.graph.initializer if t.name != "steps"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.graph.input.append(helper.make_tensor_value_info("steps", TensorProto.INT64, []))
    with pytest.raises(UnsupportedOperatorError, match="its number of steps, 'steps"):
        read_onnx(model)
