"""Quantized files: their integers are used as they are, against onnxruntime."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, read, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.exceptions import UnsupportedOperatorError

GENERATOR = np.random.default_rng(0)
ROWS = GENERATOR.normal(size=(80, 4)).astype(np.float32)
IMAGES = GENERATOR.normal(size=(60, 2, 5, 4)).astype(np.float32)
WEIGHTS = GENERATOR.integers(-7, 8, (4, 3), np.int8)
LAST = GENERATOR.integers(-7, 8, (3, 2), np.int8)
KERNEL = GENERATOR.integers(-7, 8, (3, 2, 2, 2), np.int8)
#: Coarse grids: accumulators that one table reads whole.
CONSTANTS = {
    "s": np.float32(0.05),
    "z": np.uint8(117),
    "w": WEIGHTS,
    "ws": np.float32(0.1),
    "wz": np.int8(0),
    "each": np.array([0.1, 0.3, 0.05], np.float32),
    "zeros": np.zeros(3, np.int8),
    "b": np.array([90, -300, 12], np.int32),
    "bs": np.array([0.005, 0.015, 0.0025], np.float32),
    "hs": np.float32(0.04),
    "hz": np.uint8(0),
    "v": LAST,
    "ys": np.float32(0.06),
    "yz": np.uint8(128),
    "cs": np.float32(0.0831),
    "kernel": KERNEL,
    "low": np.uint8(3),
    "high": np.uint8(200),
}


def model_of(nodes, shape, opset=13, domains=()):
    read = {name for node in nodes for name in node.input}
    (result,) = {name for node in nodes for name in node.output} - read
    graph = helper.make_graph(
        nodes,
        "quantized",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(a, k) for k, a in CONSTANTS.items() if k in read],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


QDQ = [
    node("QuantizeLinear", "x s z", "xq"),
    node("DequantizeLinear", "xq s z", "xd"),
    node("DequantizeLinear", "w each zeros", "wd", axis=1),
    node("DequantizeLinear", "b bs", "bd", axis=0),
    node("Gemm", "xd wd bd", "h"),
    node("Relu", "h", "r"),
    node("QuantizeLinear", "r hs hz", "rq"),
    node("DequantizeLinear", "rq hs hz", "rd"),
    node("DequantizeLinear", "v ws", "vd"),
    node("MatMul", "rd vd", "y"),
]
QOPERATOR = [
    node("QuantizeLinear", "x s z", "xq"),
    node("QLinearMatMul", "xq s z w ws wz hs hz", "hq"),
    node("QLinearMatMul", "hq hs hz v ws wz ys yz", "yq"),
    node("DequantizeLinear", "yq ys yz", "y"),
]
CONVOLUTION = [
    node("QuantizeLinear", "x s z", "xq"),
    node("QLinearConv", "xq s z kernel each zeros hs hz b", "hq"),
    node("MaxPool", "hq", "pq", kernel_shape=[2, 2]),
    node("Clip", "pq low high", "cq"),
    node("Flatten", "cq", "fq"),
    node("QLinearMatMul", "fq hs hz m ws wz ys yz", "yq"),
    node("DequantizeLinear", "yq ys yz", "y"),
]
CONSTANTS["m"] = GENERATOR.integers(-7, 8, (18, 2), np.int8)
INTEGERS = [
    node("QuantizeLinear", "x s z", "xq"),
    node("MatMulInteger", "xq w z wz", "hi"),
    node("Cast", "hi", "hf", to=TensorProto.FLOAT),
    node("Mul", "hf bs", "h"),
    node("Relu", "h", "r"),
    node("DequantizeLinear", "v ws", "vd"),
    node("MatMul", "r vd", "y"),
]
MICROSOFT = [
    node("QuantizeLinear", "x s z", "xq"),
    helper.make_node(
        "QGemm",
        ["xq", "s", "z", "w", "each", "zeros", "b", "hs", "hz"],
        ["hq"],
        domain="com.microsoft",
        transB=0,
    ),
    helper.make_node(
        "QLinearAdd",
        ["hq", "hs", "hz", "hq", "hs", "hz", "cs", "hz"],
        ["aq"],
        domain="com.microsoft",
    ),
    node("QLinearMatMul", "aq cs hz v ws wz ys yz", "yq"),
    node("DequantizeLinear", "yq ys yz", "y"),
]
MODELS = {
    "QDQ": (model_of(QDQ, (4,)), ROWS),
    "QLinear": (model_of(QOPERATOR, (4,)), ROWS),
    "convolution": (model_of(CONVOLUTION, (2, 5, 4)), IMAGES),
    "integers": (model_of(INTEGERS, (4,)), ROWS),
    "onnxruntime": (model_of(MICROSOFT, (4,), domains=["com.microsoft"]), ROWS),
}


def meant(model, rows):
    options = onnxruntime.SessionOptions()
    # Fused operators compute with other integers.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {"x": rows})[0]


def lowered(model, rows, bits=16):
    return to_quantized_module(
        model,
        Calibration([rows]),
        Options(BitWidths(8, 8), rounding=RoundingOptions("exact", bits)),
    )


@pytest.mark.parametrize("name", MODELS)
def test_float_meaning(name):
    model, rows = MODELS[name]
    np.testing.assert_allclose(NumpyModule(model)(rows), meant(model, rows), atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_integers_are_those_of_the_file(name):
    """What is decrypted is what onnxruntime gives, but for sums between two integers."""
    model, rows = MODELS[name]
    module = lowered(model, rows)
    found, expected = module(rows), meant(model, rows)
    scale = np.abs(expected).max()
    # Of "integers", one function stands in floating point.
    allowed = 0.01 if name == "integers" else 1e-5
    assert np.mean(np.abs(found - expected) > allowed * scale) < 0.02
    used = [array for array in module.graph.constants.values() if array.ndim > 1]
    for weights in (WEIGHTS, KERNEL, *([] if name == "integers" else [LAST])):
        if any(a.shape == weights.shape for a in used):
            assert any(np.array_equal(array, weights) for array in used)


@pytest.mark.simulate
def test_simulated():
    model, rows = MODELS["QDQ"]
    module = lowered(model, rows, bits=6)
    module.compile(p_error=2**-20)
    expected = module(rows[:4])
    np.testing.assert_array_equal(module.forward(rows[:4], fhe="simulate"), expected)


def test_no_integers_are_left():
    for model, _ in MODELS.values():
        ops = {node.op for node in read(model)}
        assert not {op for op in ops if "Linear" in op or "Integer" in op or op == "QGemm"}


def test_dynamic_ranges():
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "scale", "zero"]),
        node("MatMulInteger", "xq w zero wz", "hi"),
        node("Cast", "hi", "y", to=TensorProto.FLOAT),
    ]
    with pytest.raises(UnsupportedOperatorError, match="its scale depends on what is encr"):
        NumpyModule(model_of([*nodes, node("Mul", "y scale", "z")], (4,)))


def test_scale_that_is_an_input():
    nodes = [
        node("ReduceMax", "x", "top", keepdims=0),
        node("QuantizeLinear", "x top z", "q"),
        node("DequantizeLinear", "q top z", "y"),
    ]
    with pytest.raises(UnsupportedOperatorError, match="quantize with static ranges"):
        read(model_of(nodes, (4,)))
