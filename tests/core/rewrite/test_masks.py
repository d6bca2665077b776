"""Masked scores have no part of a softmax."""

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, read, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.exceptions import GraphError

ROWS = np.random.default_rng(0).normal(size=(60, 3, 4)).astype(np.float32)
OPTIONS = Options(
    BitWidths(8, 8), ranges="least_error", rounding=RoundingOptions("exact", 8)
)
AHEAD = torch.triu(torch.ones(3, 3, dtype=torch.bool), 1)
#: -inf and 0.
CAUSAL = nn.Transformer.generate_square_subsequent_mask(3)
SECOND = torch.tensor([0.0, -torch.inf, 0.0])
#: Near scores count more: not masked at all.
NEAR = -(torch.arange(3.0)[:, None] - torch.arange(3.0)).abs()

MASKS = {
    "minus infinity": lambda s: s + CAUSAL,
    "-1e4": lambda s: s + CAUSAL.clamp(-1e4),
    "added before": lambda s: CAUSAL + s,
    "with a bias": lambda s: s + (CAUSAL + NEAR),
    "filled": lambda s: s.masked_fill(AHEAD, -torch.inf),
    "filled, -1e9": lambda s: s.masked_fill(AHEAD, -1e9),
    "where": lambda s: torch.where(~AHEAD, s, CAUSAL[0, 1]),
    "one step only": lambda s: s + SECOND,
}


class Masked(nn.Module):
    """Attention to itself with a function of its scores."""

    def __init__(self, function, axis=-1):
        super().__init__()
        torch.manual_seed(0)
        self.function, self.axis = function, axis
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        scores = self.first(x) @ x.transpose(1, 2)
        return self.last(torch.softmax(self.function(scores), self.axis) @ x)


def lowered(net):
    model = export_torch(net.eval(), (ROWS,))
    with torch.no_grad():
        meant = net(torch.from_numpy(ROWS)).numpy()
    return model, meant


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("name", MASKS)
def test_softmax_without_masked_scores(name, axis):
    if (name, axis) == ("one step only", 1):
        pytest.skip("nothing is left of a softmax")
    model, meant = lowered(Masked(MASKS[name], axis))
    graph = read(model)
    np.testing.assert_allclose(NumpyModule(graph)(ROWS), meant, rtol=1e-4, atol=1e-5)
    assert "Softmax" not in {node.op for node in graph}
    assert all(np.abs(array).max() < 1e3 for array in graph.constants.values())
    found = to_quantized_module(model, Calibration([ROWS]), OPTIONS)(ROWS)
    assert np.sqrt(np.mean((found - meant) ** 2)) < 0.1 * meant.std()


def test_biases_stay():
    model, _ = lowered(Masked(lambda s: s + NEAR))
    assert "Softmax" in {node.op for node in read(model)}


def test_all_scores_masked():
    """Nothing is left to look at: not a number, as in clear."""
    model, meant = lowered(Masked(lambda s: s + torch.full((3, 3), -torch.inf)))
    assert np.isnan(meant).all()
    with pytest.raises(GraphError, match="holds nan or infinity"):
        to_quantized_module(model, Calibration([ROWS]), OPTIONS)
