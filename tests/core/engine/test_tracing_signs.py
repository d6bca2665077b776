"""Signs are those of declared ranges, also inside of what an operator is made of."""

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators.torch import compile_torch_model
from tests.core.operators.tools import any_integers


class Chain(nn.Module):
    """Convolutions behind a table, with no table between them.

    No example row need make the integers between them negative.
    """

    def __init__(self, kind, kernel, padding=0):
        super().__init__()
        self.first = kind(1, 2, kernel)
        self.second, self.third = kind(2, 2, 1, padding=padding), kind(2, 1, 1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.third(self.second(x)).flatten(1)


@pytest.mark.simulate
@pytest.mark.parametrize("seed", [1, 3, 8])
@pytest.mark.parametrize(
    ("kind", "shape", "padding"),
    [
        (nn.Conv1d, (5,), 0),
        (nn.Conv1d, (3,), 1),
        (nn.Conv2d, (3, 3), 1),
        (nn.Conv3d, (2, 3, 3), 0),
    ],
)
def test_integers_that_no_example_makes_negative(kind, shape, padding, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Chain(kind, 2, padding)
    X = np.random.default_rng(seed).normal(size=(60, 1, *shape)).astype(np.float32)
    module = compile_torch_model(net, X, n_bits=3, rounding=None, p_error=2**-40)
    q = any_integers(module, seed, 40)
    clear = module.quantized_forward(q)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="simulate"), clear)


@pytest.mark.fhe
def test_integers_that_no_example_makes_negative_encrypted():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = Chain(nn.Conv1d, 2)
    X = np.random.default_rng(1).normal(size=(60, 1, 3)).astype(np.float32)
    module = compile_torch_model(net, X, n_bits=3, rounding=None, p_error=2**-40)
    q = any_integers(module, 0, 2)
    clear = module.quantized_forward(q)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="execute"), clear)
