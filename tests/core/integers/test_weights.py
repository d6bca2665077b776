"""Integer weights that are fitted to rows."""

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.quantized_module import RoundingOptions, deviation

NETS = {
    "products": lambda: (nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(4, 2)),
    "convolution": lambda: (
        nn.Conv2d(1, 3, 3),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(27, 2),
    ),
}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("kind", NETS)
def test_layers_without_a_table_between_them_have_weights_at_any_bits(kind):
    """Integers of one layer are results of another: of 30 bits and more."""
    net = nn.Sequential(*NETS[kind]())
    shape = (300, 6) if kind == "products" else (300, 1, 8, 8)
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with torch.no_grad():
        meant = net(torch.from_numpy(X)).numpy()
    model = export_torch(net, [X[:2]])
    errors = [
        deviation(
            to_quantized_module(
                model,
                Calibration([X]),
                Options(BitWidths(b, b), rounding=RoundingOptions(None)),
            )(X),
            meant,
        )
        for b in (4, 8, 12)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 2e-3


def test_a_product_that_was_computed_before_is_no_obstacle():
    """Columns that are sums of others leave the system singular but for rounding."""
    net = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 1))
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    with torch.no_grad():
        net[0].weight[4:] = net[0].weight[:4]
        meant = net(torch.from_numpy(X)).numpy()
    for bits in (10, 14):
        module = to_quantized_module(
            export_torch(net, [X[:2]]),
            Calibration([X]),
            Options(BitWidths(bits, bits), rounding=RoundingOptions(None)),
        )
        assert deviation(module(X), meant) < 0.01
