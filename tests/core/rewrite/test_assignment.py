"""Assignments that treat rows alike are choices; no others are encrypted.

What torch exports is in `test_shapes.py`.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import lookup
from fhe_estimators.core.rewrite._assignment import as_choice
from fhe_estimators.exceptions import UnsupportedOperatorError

ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
WEIGHTS = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25]], np.float32)


def _model(node, indices, updates, rows="n"):
    """Return a model that assigns to what a Gemm makes of three features."""
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["g"]),
        node,
        helper.make_node("MatMul", ["s", "v"], ["y"]),
    ]
    constants = {"w": WEIGHTS, "v": WEIGHTS[:2], "i": indices, "u": updates}
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 2])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)])


def _scatter_nd(**attributes):
    return helper.make_node("ScatterND", ["g", "i", "u"], ["s"], **attributes)


CALIBRATION, OPTIONS = Calibration([ROWS]), Options(BitWidths(4, 4))


@pytest.mark.parametrize(
    ("places", "reduction"),
    [([[0], [1]], "none"), ([[0, 1], [1, 0]], "none"), ([[0, 1], [1, 1]], "add")],
    ids=["two of many rows", "other places in each row", "added up"],
)
def test_what_is_no_choice(places, reduction):
    indices = np.array(places, np.int64)
    updates = np.ones((2, 2) if indices.shape[1] == 1 else 2, np.float32)
    model = _model(_scatter_nd(reduction=reduction), indices, updates)
    with pytest.raises(UnsupportedOperatorError, match=r"join parts with torch\.cat"):
        to_quantized_module(model, CALIBRATION, OPTIONS)


def test_written_rows_are_all_rows():
    updates = np.array([[1, 2], [1, 2]], np.float32)
    model = _model(_scatter_nd(), np.array([[0], [1]]), updates, rows=2)
    module = to_quantized_module(model, CALIBRATION, OPTIONS)
    expected = np.repeat(updates[:1] @ WEIGHTS[:2], 5, 0)
    np.testing.assert_allclose(module.scores(ROWS[:5]), expected)


def test_clear_assignments_are_computed():
    """In clear, at the end of a graph, everything goes."""
    model = _model(
        _scatter_nd(reduction="add"), np.array([[0, 1], [1, 1]]), np.float32([3, 4])
    )
    expected = ROWS[:2] @ WEIGHTS + [[0, 3], [0, 4]]
    found = NumpyModule(model)(ROWS[:2])
    np.testing.assert_allclose(found, expected @ WEIGHTS[:2], rtol=1e-5)


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(-2, 1), st.integers(-3, 2)), min_size=1, max_size=5),
    st.booleans(),
)
def test_choice_is_the_assignment(n_rows, places, by_element):
    """For any places within rows, the last of equal ones counting."""
    generator = np.random.default_rng(n_rows)
    data = generator.normal(size=(n_rows, 2, 3))
    if by_element:
        node = Node("ScatterElements", ("d", "i", "u"), ("s",), {"axis": 2})
        row = np.array([[place for _, place in places]] * 2)
        indices = np.broadcast_to(row, (n_rows, *row.shape))
        if len(places) > 3:  # its updates have no more elements than data
            indices = indices[:, :, :3]
    else:
        node = Node("ScatterND", ("d", "i", "u"), ("s",), {})
        row = np.array(places)
        first = np.broadcast_to(np.arange(n_rows)[:, None, None], (n_rows, len(places), 1))
        indices = np.concatenate([first, np.broadcast_to(row, (n_rows, *row.shape))], 2)
    shape = indices.shape if by_element else indices.shape[:-1]
    arrays = {"d": data, "i": indices, "u": generator.normal(size=shape)}
    operator = lookup(node.op, 16)(node)
    choice = as_choice(node, operator, [arrays])
    assert choice is not None
    for part in choice.nodes:
        given_ = {**arrays, **choice.constants}
        results = lookup(part.op, 16)(part)(*(given_[name] for name in part.inputs))
        arrays[part.outputs[0]] = results
    np.testing.assert_array_equal(arrays["s"], operator(data, indices, arrays["u"]))
