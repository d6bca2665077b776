"""What cannot be served is refused early, by name, with what would help."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import lookup
from fhe_estimators.core.quantization import quantize
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.exceptions import BitWidthError, GraphError, UnsupportedOperatorError

WEIGHTS = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25]], np.float32)
SQUARE = WEIGHTS[:2]
ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def model_of(*nodes, opset=17, constants=None, domain=""):
    """Return a model from "x", rows of three features, to the last node's result."""
    constants = {"w": WEIGHTS, "v": SQUARE, **(constants or {})}
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    # The checker wants a shape; how long a result is does not matter here.
    model.graph.output[0].type.tensor_type.shape.SetInParent()
    return model


def layer(op, inputs, output, name="", **attributes):
    return helper.make_node(op, inputs, [output], name=name, **attributes)


def lowered(*nodes, bits=(4, 4), rows=ROWS, constants=None, **options):
    model = model_of(*nodes, constants=constants)
    return to_quantized_module(
        model, Calibration([rows]), Options(BitWidths(*bits), **options)
    )


def test_unsupported_operator():
    with pytest.raises(UnsupportedOperatorError) as error:
        NumpyModule(model_of(layer("Det", ["x"], "y", "last")))
    message = str(error.value)
    assert "Det 'last' (x) -> y" in message
    assert "Gemm, GlobalAveragePool" in message  # the list of what is supported


def test_unsupported_attribute():
    gemm = Node("Gemm", ("x", "w"), ("y",), {"alpha": 1.0, "gamma": 2}, "first")
    with pytest.raises(UnsupportedOperatorError) as error:
        NumpyModule(Graph((gemm,), (Value("x"),), (Value("y"),), {"w": WEIGHTS}))
    message = str(error.value)
    assert "Gemm 'first' (x, w) -> y: attribute gamma=2 is not supported" in message
    assert "Supported: alpha, beta, transA, transB." in message


def test_refused_attribute_comes_with_the_reason():
    node = Node("Constant", (), ("c",), {"value_string": "text"})
    with pytest.raises(UnsupportedOperatorError, match="only tensors and numbers"):
        lookup("Constant", 17)(node)


@pytest.mark.parametrize(
    ("op", "attributes", "outputs", "message"),
    [
        ("BatchNormalization", {"training_mode": 1}, ("y",), "in training mode"),
        ("MaxPool", {}, ("y", "indices"), "its second result"),
    ],
)
def test_refused_node(op, attributes, outputs, message):
    with pytest.raises(UnsupportedOperatorError, match=message) as error:
        lookup(op, 17)(Node(op, ("x",), outputs, attributes, "mine"))
    assert f"Node {op} 'mine' (x) -> y" in str(error.value)


def test_operator_newer_than_the_opset():
    graph = Graph((Node("HardSwish", ("x",), ("y",)),), (Value("x"),), (Value("y"),))
    NumpyModule(graph)
    with pytest.raises(
        UnsupportedOperatorError, match="from opset 14 on, the model has 13"
    ):
        NumpyModule(Graph(graph.nodes, graph.inputs, graph.outputs, opset=13))


def test_unknown_domain():
    node = layer("Relu", ["x"], "y", "mine", domain="example")
    with pytest.raises(UnsupportedOperatorError) as error:
        NumpyModule(model_of(node, domain="example"))
    assert "'mine' uses Relu of the domain 'example'" in str(error.value)


def test_invalid_model():
    with pytest.raises(onnx.checker.ValidationError):
        NumpyModule(model_of(layer("Relu", ["nothing"], "y")))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        pytest.param(
            [layer("Transpose", ["x"], "t", "turn"), layer("MatMul", ["t", "w"], "y")],
            "it moves the axis of the rows",
            id="transposed rows",
        ),
        pytest.param(
            [
                layer("Flatten", ["x"], "f", "flat", axis=0),
                layer("MatMul", ["f", "wide"], "y"),
            ],
            "it moves the axis of the rows",
            id="rows in one",
        ),
        pytest.param(
            [
                layer("Relu", ["x"], "r"),
                layer("Tanh", ["x"], "t"),
                layer("MatMul", ["r", "t"], "y", "squares"),
            ],
            "served are matrices for each row",
            id="product",
        ),
        pytest.param(
            [layer("MatMul", ["row", "x"], "y", "scores")],
            "served are matrices and stacks of them",
            id="weights of rows",
        ),
        pytest.param(
            [
                layer("Unsqueeze", ["x", "two"], "u"),
                layer("MatMul", ["u", "each"], "y", "m"),
            ],
            "its weights differ along the axis of the rows",
            id="weights for each row",
        ),
        pytest.param(
            [layer("Concat", ["x", "r3"], "y", "joined", axis=1)],
            "'r3' is clear, and has no rows",
            id="clear rows",
        ),
        pytest.param(
            [layer("Tanh", ["x"], "t"), layer("Concat", ["x", "t"], "y", "all", axis=-2)],
            "it joins along the first axis",
            id="joined rows",
        ),
        pytest.param(
            [layer("Pad", ["x", "row_pads"], "y", "more")],
            "it pads the first axis",
            id="padded rows",
        ),
        pytest.param(
            [layer("ReduceMax", ["x"], "y", "top", axes=[0])],
            "it reduces the first axis",
            id="reduced rows",
        ),
        pytest.param(
            [layer("Slice", ["x", "one", "two"], "y", "second")],
            "it moves the axis of the rows",
            id="sliced rows",
        ),
        pytest.param(
            [layer("OneHot", ["x", "three", "r3_pair"], "y", "codes", axis=0)],
            "its new axis comes before that of the rows",
            id="codes in front",
        ),
        pytest.param(
            [
                layer("Unsqueeze", ["x", "axes"], "image"),
                layer("Conv", ["image", "kernel"], "y", "four"),
            ],
            "x has 4 spatial axes; served are one, two and three",
            id="spatial axes",
        ),
        pytest.param(
            [
                layer("Unsqueeze", ["x", "one"], "image"),
                layer("Conv", ["image", "image"], "y", "self"),
            ],
            "x must be encrypted and w clear",
            id="convolution",
        ),
        pytest.param(
            [
                layer("Relu", ["x"], "r"),
                layer("Gemm", ["r", "w"], "y", "turned", transA=1),
            ],
            "an encrypted A cannot be transposed",
            id="transA",
        ),
        pytest.param(
            [
                layer("Unsqueeze", ["x", "one"], "u"),
                layer("Add", ["u", "x"], "y", "crossed"),
            ],
            "the first axis holds rows",
            id="sum",
        ),
        pytest.param(
            [
                layer("MatMul", ["x", "w"], "a"),
                layer("Clip", ["a", "zero", "a"], "c", "saturation"),
                layer("MatMul", ["c", "v"], "y"),
            ],
            "its parameters are encrypted",
            id="parameter",
        ),
        pytest.param(
            [
                layer("Tanh", ["x"], "t"),
                layer("Add", ["t", "ones"], "a", "wider"),
                layer("MatMul", ["a", "w"], "y"),
            ],
            "it broadcasts an encrypted tensor of shape (1, 3) against (3, 1)",
            id="broadcast",
        ),
    ],
)
def test_no_encrypted_form_for_such_operands(nodes, message):
    constants = {
        "wide": np.ones((9, 2), np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array([1]),
        "two": np.array([2]),
        "ones": np.ones((3, 1), np.float32),
        "three": np.array(3),
        "axes": np.arange(2, 6),
        "kernel": np.ones((1, 3, 1, 1, 1, 1), np.float32),
        "row": np.ones((1, 3), np.float32),
        "each": np.ones((3, 1, 2), np.float32),
        "r3": np.ones((3, 2), np.float32),
        "r3_pair": np.ones(2, np.float32),
        "pads": np.array([0, 1, 0, 1]),
        "row_pads": np.array([1, 0, 0, 0]),
    }
    (name,) = (node.name for node in nodes if node.name)
    with pytest.raises(UnsupportedOperatorError) as error:
        lowered(*nodes, rows=ROWS[:3], constants=constants)
    assert message in str(error.value)
    assert f"'{name}'" in str(error.value)
    assert "Operators with an encrypted form: Abs, Acos" in str(error.value)


def test_clear_operator_between_products():
    nodes = [
        layer("MatMul", ["x", "w"], "a"),
        layer("Hardmax", ["a"], "s", "middle"),
        layer("MatMul", ["s", "v"], "y"),
    ]
    with pytest.raises(UnsupportedOperatorError) as error:
        lowered(*nodes)
    assert "Hardmax 'middle' (a) -> s" in str(error.value)
    assert "ArgMax" not in str(error.value)  # it has no encrypted form either


def test_dropout_in_training():
    nodes = (layer("Dropout", ["x", "", "on"], "d"), layer("MatMul", ["d", "w"], "y"))
    with pytest.raises(UnsupportedOperatorError, match="export the model for inference"):
        lowered(*nodes, constants={"on": np.array(True)})


def test_output_without_an_input():
    graph = Graph((), (Value("x"),), (Value("c"),), {"c": WEIGHTS})
    with pytest.raises(UnsupportedOperatorError, match="'c' does not depend on an encr"):
        quantize(graph, [ROWS], BitWidths(4, 4))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_constants_that_are_not_finite(bad):
    weights = WEIGHTS.copy()
    weights[1, 1] = bad
    with pytest.raises(GraphError, match="constant 'w' holds nan or infinity"):
        to_quantized_module(
            model_of(layer("MatMul", ["x", "w"], "y"), constants={"w": weights}),
            Calibration([ROWS]),
            Options(BitWidths(4, 4)),
        )


def test_function_that_is_defined_nowhere():
    nodes = (layer("Acosh", ["x"], "a"), layer("MatMul", ["a", "w"], "y"))
    graph = NumpyModule(model_of(*nodes)).graph
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(GraphError, match=r"Acosh \(x\) -> a gives nan for row 0 of"),
    ):
        quantize(graph, [-np.abs(ROWS)], BitWidths(4, 4))


def test_accumulator_too_wide_for_a_table():
    nodes = [
        layer("MatMul", ["x", "w"], "accumulator"),
        layer("Relu", ["accumulator"], "activation"),
        layer("MatMul", ["activation", "v"], "y"),
    ]
    with pytest.raises(BitWidthError) as error:
        lowered(*nodes, bits=(10, 8), rounding=RoundingOptions(None))
    message = str(error.value)
    assert "'activation'" in message
    assert "reads 18 bits of 'accumulator'; the limit is 16" in message
    assert "smaller n_bits" in message
    assert lowered(*nodes, bits=(8, 6)).bit_widths()["accumulator"] <= 16
    # Rounding comes first.
    assert lowered(*nodes, bits=(10, 8)).bit_widths()["accumulator"] <= 18
