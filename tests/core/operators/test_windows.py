"""Convolutions and pools against onnxruntime, whatever their attributes."""

import numpy as np
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from fhe_estimators.core.numpy_module import NumpyModule

examples = settings(max_examples=60, deadline=None, derandomize=True)


def runtime(model):
    """Return onnxruntime's function of a model; it says nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda **feeds: session.run(None, feeds)[0]


@st.composite
def geometries(draw, *, pool):
    """Return attributes of windows, with the sizes of the spatial axes."""
    rank = draw(st.integers(1, 3))

    def numbers(low, high, count=rank):
        return draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    kernel = numbers(1, 3)
    attributes = {"kernel_shape": kernel, "strides": numbers(1, 3)}
    dilations = [1] * rank
    if pool != "AveragePool" and draw(st.booleans()):
        attributes["dilations"] = dilations = numbers(1, 2)
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    sizes = [extent + more for extent, more in zip(extents, numbers(0, 4), strict=True)]
    modes = ["NOTSET", "VALID"]
    reaching = all(s <= k for s, k in zip(attributes["strides"], kernel, strict=True))
    # onnxruntime takes no other ones.
    if dilations == [1] * rank and (not pool or reaching):
        modes += ["SAME_UPPER", "SAME_LOWER"]
    attributes["auto_pad"] = mode = draw(st.sampled_from(modes))
    if mode == "NOTSET":
        # A window of a pool holds one element of the tensor at least.
        pads = numbers(0, 3, 2 * rank)
        attributes["pads"] = [
            min(pad, kernel[place % rank] - 1) if pool else pad
            for place, pad in enumerate(pads)
        ]
    if pool and mode == "NOTSET":
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    if pool == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    return attributes, sizes


def model_of(op, attributes, *inputs):
    names = [f"x{place}" for place in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        op,
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
            for name, array in zip(names, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * inputs[0].ndim)],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), names


def check(op, attributes, *inputs):
    model, names = model_of(op, attributes, *inputs)
    expected = runtime(model)(**dict(zip(names, inputs, strict=True)))
    result = NumpyModule(model)(*inputs)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@given(geometries(pool=""), st.integers(1, 2), st.data())
@examples
def test_conv(geometry, group, data):
    attributes, sizes = geometry
    channels, filters = (group * data.draw(st.integers(1, 2)) for _ in range(2))
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, channels, *sizes)).astype(np.float32)
    kernel = attributes["kernel_shape"]
    w = generator.normal(size=(filters, channels // group, *kernel)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32)
    check("Conv", {**attributes, "group": group}, x, w, b)


@given(geometries(pool="MaxPool"))
@examples
def test_max_pool(geometry):
    attributes, sizes = geometry
    x = np.random.default_rng(0).normal(size=(2, 3, *sizes)).astype(np.float32)
    check("MaxPool", attributes, x)


@given(geometries(pool="AveragePool"))
@examples
def test_average_pool(geometry):
    attributes, sizes = geometry
    x = np.random.default_rng(0).normal(size=(2, 3, *sizes)).astype(np.float32)
    check("AveragePool", attributes, x)
