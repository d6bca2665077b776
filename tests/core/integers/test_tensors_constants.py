"""What is the same on all calibration rows does not cost other weights their bits."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression as Parent
from sklearn.metrics import r2_score
from torch import nn

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.quantized_module import RoundingOptions, deviation
from fhe_estimators.linear_model import LinearRegression

X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
IMAGES = np.random.default_rng(0).normal(size=(100, 2, 4, 4)).astype(np.float32)


def quantized(net, rows, bits=6):
    model = export_torch(net, [rows[:2]])
    return to_quantized_module(
        model,
        Calibration([rows]),
        Options(BitWidths(bits, bits), rounding=RoundingOptions(None)),
    )


def perceptron(dead, weight):
    """A network whose second neuron is 0, or 3, on all rows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 4), nn.ReLU6(), nn.Linear(4, 1))
    with torch.no_grad():
        net[0].weight[1], net[0].bias[1] = 0.001, dead
        net[0].weight[1] *= 0 if dead > 0 else 1
        # What a constant adds belongs into the bias.
        net[2].bias += max(dead, 0) * (net[2].weight[0, 1] - weight)
        net[2].weight[0, 1] = weight
    return net


@pytest.mark.parametrize("dead", [-9.0, 3.0])
@pytest.mark.parametrize("bits", [4, 6, 7])
def test_a_constant_neuron_is_part_of_the_bias(dead, bits):
    found = quantized(perceptron(dead, 0.7), X, bits)(X)
    expected = quantized(perceptron(dead, 0.0), X, bits)(X)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_constant_channel_is_part_of_the_bias():
    def convolutional(weight):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.Conv2d(3, 1, 2))
        with torch.no_grad():
            net[0].bias[2] = -90
            net[2].weight[:, 2] = weight
        return net

    found = quantized(convolutional(0.9), IMAGES)(IMAGES)
    np.testing.assert_allclose(found, quantized(convolutional(0.0), IMAGES)(IMAGES))


@pytest.mark.parametrize("value", [0.0, 7.0, 1e6])
def test_a_constant_feature_is_part_of_the_bias(value):
    def net(weight):
        layer = nn.Linear(5, 2).double()
        with torch.no_grad():
            layer.weight[:] = torch.arange(10.0).double().reshape(2, 5) / 9
            layer.bias[:] = value * (layer.weight[:, 4] - weight)
            layer.weight[:, 4] = weight
        return layer

    rows = np.column_stack([X, np.full(len(X), value)]).astype(np.float64)
    found, expected = (quantized(net(weight), rows)(rows) for weight in (0.0, 1.1))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_bits", [8, 12])
def test_a_column_of_ones_instead_of_an_intercept(diabetes, n_bits):
    X, y = diabetes
    X = np.column_stack([X, np.ones(len(X))])
    parent = Parent(fit_intercept=False).fit(X, y)
    model = LinearRegression(fit_intercept=False, n_bits=n_bits).fit(X, y)
    assert r2_score(parent.predict(X), model.predict(X)) > 0.999


def test_a_constant_element_of_a_sum_has_no_scale():
    """What a dead neuron is added to keeps its precision."""

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner = nn.Linear(4, 4), nn.Linear(4, 4)
            self.last = nn.Linear(4, 1)

        def forward(self, x):
            x = torch.relu(self.first(x))
            return self.last(torch.relu(x + self.inner(x)))

    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = Residual()
    errors = []
    for dead in (False, True):
        with torch.no_grad():
            net.first.bias[2] -= 9 * dead
            meant = net(torch.from_numpy(X)).numpy()
        errors.append(deviation(quantized(net, X, 5)(X), meant))
    assert errors[1] < 1.2 * errors[0] < 0.2
