"""Old and new versions of the operator set, and types of elements."""

import numpy as np
import pytest
from onnx import TensorProto

from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.exceptions import UnsupportedOperatorError
from tests.core.test_operators_refusals import ROWS, layer, model_of


def test_opset_out_of_range():
    with pytest.raises(UnsupportedOperatorError) as error:
        NumpyModule(model_of(layer("Relu", ["x"], "y"), opset=23))
    message = str(error.value)
    assert "uses opset 23; supported are 1 to 22" in message
    assert "opset_version=20" in message


@pytest.mark.parametrize("opset", [6, 7, 11, 22])
def test_oldest_and_newest_opset(opset):
    module = NumpyModule(model_of(layer("Relu", ["x"], "y"), opset=opset))
    np.testing.assert_array_equal(module(ROWS), np.maximum(ROWS, 0))


def test_operator_too_old():
    with pytest.raises(
        UnsupportedOperatorError, match=r"Add is not supported: .* opset 7 on"
    ):
        NumpyModule(model_of(layer("Add", ["x", "x"], "y"), opset=6))


@pytest.mark.parametrize("name", ["BFLOAT16", "FLOAT8E5M2", "STRING"])
def test_elements_that_numpy_lacks(name):
    model = model_of(layer("Identity", ["x"], "y"), opset=21)
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = getattr(TensorProto, name)
    with pytest.raises(UnsupportedOperatorError, match=f"elements of the type {name}"):
        NumpyModule(model)
