"""Checks of what comes from outside."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import fhe_estimators as fe
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import ClearEngine
from fhe_estimators.core.validation import as_numbers, check_p_error

WRONG = [
    *(np.nan, np.inf, -np.inf, 4, -1, 0, 1, 0.0, 1.0, 5e-324, 1 - 2**-53),
    *(None, True, "0.5", [0.5], np.array([0.5]), 0.5j, {}),
]
RIGHT = [2**-64, 0.5, 1e-300, 0.999999, np.float32(0.5), np.float64(0.1), Fraction(1, 4)]


@pytest.fixture(scope="module")
def model():
    X = np.random.default_rng(0).normal(size=(30, 2))
    return fe.LinearRegression(n_bits=3).fit(X, X[:, 0])


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_p_error(model, wrong):
    """One check serves whatever takes the parameter; no engine sees such a number."""
    module = model.quantized_module_
    calls = [
        lambda: check_p_error(wrong, "f"),
        lambda: module.compile(p_error=wrong),
        lambda: Circuit(module.graph, p_error=wrong),
        lambda: fe.Ridge(p_error=wrong).fit([[0.0], [1.0]], [0.0, 1.0]),
        lambda: fe.NeuralNetRegressor(p_error=wrong).fit([[0.0], [1.0]], [0.0, 1.0]),
    ]
    if wrong is not None:
        calls.append(lambda: model.compile(p_error=wrong))
    for call in calls:
        with pytest.raises(ValueError, match=r"'p_error' parameter .* in \(0, 1\)") as info:
            call()
        assert str(wrong) in str(info.value)


@pytest.mark.parametrize("right", RIGHT, ids=repr)
def test_right_p_error(model, right):
    circuit = Circuit(model.quantized_module_.graph, p_error=right, engine=ClearEngine())
    assert circuit.p_error == float(right)
    assert type(circuit.p_error) is float


@pytest.mark.simulate
@pytest.mark.parametrize("extreme", [1e-300, np.finfo(float).tiny, 0.999999, 1 - 2**-52])
def test_extreme_p_error(model, extreme):
    """The engine serves whatever the check lets through."""
    assert model.quantized_module_.compile(p_error=extreme).complexity > 0


def test_numbers():
    numbers = torch.tensor([1.0, 2.0], requires_grad=True)
    np.testing.assert_array_equal(as_numbers(numbers, "x"), [1, 2])
    assert as_numbers([True, 2], "x").dtype == np.int64
    np.testing.assert_array_equal(as_numbers(np.array([1, 2.5], object), "x"), [1, 2.5])
    for wrong in ("8", ["a"], [1j], {}, object, b"1", [[1], [2, "a"]]):
        with pytest.raises(ValueError, match=r"x must hold numbers|inhomogeneous"):
            as_numbers(wrong, "x")
