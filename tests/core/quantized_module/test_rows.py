"""The rows, and the integers, that a quantized module is called with."""

import numpy as np
import pytest
import torch
from torch import nn

import fhe_estimators as fe
from fhe_estimators.torch import compile_torch_model

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    return compile_torch_model(net, X, n_bits=3, rounding=None, p_error=2**-20)


@pytest.mark.simulate
@pytest.mark.parametrize("fhe", ["disable", "simulate"])
def test_whatever_holds_numbers(module, fhe):
    meant = module.forward(X[:3], fhe=fhe)
    tensor = torch.from_numpy(X[:3]).clone().requires_grad_()
    for rows in (tensor, X[:3].tolist(), X[:3].astype(object), X[:3].astype(float)):
        np.testing.assert_array_equal(module.forward(rows, fhe=fhe), meant)
    q = module.quantize_input(tensor)
    for rows in (q, torch.from_numpy(q), q.tolist(), q.astype(np.int8)):
        found = module.quantized_forward(rows, fhe=fhe)
        np.testing.assert_array_equal(found, module.quantized_forward(q))


@pytest.mark.simulate
@pytest.mark.parametrize("fhe", ["disable", "simulate"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (X[0], r"'input' must have the shape \('n_samples', 4\); got .* \(4,\)"),
        (X[:, :3], r"got an array of shape \(60, 3\)"),
        (X[np.newaxis], r"got an array of shape \(1, 60, 4\)"),
        (3.0, r"got an array of shape \(\)"),
        (X[:0], r"0 sample\(s\) \(shape=\(0, 4\)\) while a minimum of 1 is required"),
        (X * 1j, "'input' must hold numbers; got ndarray of complex64"),
        (np.full((2, 4), "a"), "'input' must hold numbers; got ndarray of <U1"),
        (X[:2] * np.nan, "nan or infinity"),
    ],
)
def test_rows_that_are_refused(module, fhe, wrong, message):
    with pytest.raises(ValueError, match=message):
        module.forward(wrong, fhe=fhe)
    with pytest.raises(ValueError, match=message):
        module.quantize_input(wrong)


@pytest.mark.simulate
@pytest.mark.parametrize("fhe", ["disable", "simulate"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q: q.astype(float), "must be an array of integers .*; got float64"),
        (lambda q: q[:, :3], r"of shape \('n_rows', 4\); got int64 of shape \(60, 3\)"),
        (lambda q: q * 1000, r"must lie in \[-4, 3\]; got \[-4000, 3000\]"),
        (lambda q: q > 0, "must be an array of integers .*; got bool"),
    ],
)
def test_integers_that_are_refused(module, fhe, change, message):
    wrong = change(module.quantize_input(X))
    with pytest.raises(ValueError, match=f"{message}.*quantize_input"):
        module.quantized_forward(wrong, fhe=fhe)
    with pytest.raises(TypeError, match="takes 1 inputs; got 2"):
        module.quantized_forward(wrong, wrong, fhe=fhe)


def test_rows_of_trees():
    """Rows have all features, whichever are encrypted."""
    module = fe.DecisionTreeRegressor(n_bits=2).fit(X, X[:, 1]).quantized_module_
    assert len(module.forward(X[:2].tolist())) == 2
    with pytest.raises(ValueError, match=r"'n_samples', 4\); got .* \(60, 3\)"):
        module.forward(X[:, :3])
    with pytest.raises(ValueError, match="must be an array of integers"):
        module.quantized_forward(X[:, :3])
