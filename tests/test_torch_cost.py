"""Networks tell what they cost before hours are spent, and what calibration is not."""

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators import AccuracyWarning, CompilationError, CostWarning
from fhe_estimators.core import lowering
from fhe_estimators.core.circuit import _cost
from fhe_estimators.core.engine import ConcreteEngine, Prices
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.lowering import Options
from fhe_estimators.core.quantization import one_row, resolve_n_bits
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.inspection import cost
from fhe_estimators.torch import compile_torch_model

ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.simulate
def test_cost_of_a_module():
    module = compile_torch_model(net(), ROWS, n_bits=4)
    report = cost(module)
    assert report == module.fhe_circuit.cost
    assert sum(n for bits, n in report.tables.items() if bits > 1) == 3


@pytest.mark.simulate
@pytest.mark.parametrize(
    ("limit", "expected"), [("SLOW", CostWarning), ("HOPELESS", CompilationError)]
)
def test_too_large_a_network(limit, expected, monkeypatch):
    monkeypatch.setattr(_cost, "SLOW", 0)
    monkeypatch.setattr(_cost, limit, 0)
    message = r"network takes [\d,]+ table look-ups: about .* s .*fewer neurons.*n_bits"
    with (
        pytest.raises(expected, match=message)
        if limit == "HOPELESS"
        else pytest.warns(expected, match=message)
    ):
        compile_torch_model(net(), ROWS, n_bits=4)


def test_hopeless_networks_are_refused_before_anything_is_quantized():
    """A VGG of width 64 for pictures of 32 x 32: from its shapes, in seconds."""
    layers, before = [], 3
    for n_channels in (64, 64, "pool", 128, 128, "pool", 256, 256, "pool"):
        if n_channels == "pool":
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(before, n_channels, 3, padding=1), nn.ReLU()]
        before = n_channels
    vgg = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 16, 10))
    pictures = np.random.default_rng(0).normal(size=(200, 3, 32, 32)).astype(np.float32)
    with pytest.raises(CompilationError, match=r"takes \d{3},\d{3} table look-ups: about"):
        compile_torch_model(vgg, pictures)


@pytest.mark.parametrize(
    ("trained", "n_bits", "rounding_bits", "table_bits"),
    [(False, 6, "auto", 5), (False, 6, 3, 3), (False, 2, "auto", 2), (True, 8, "auto", 1)],
)
def test_what_may_be_cheap_is_not_refused(
    trained, n_bits, rounding_bits, table_bits, monkeypatch
):
    """Networks are priced by the fewest bits that their tables may read."""
    asked = []
    operations = Prices.operations

    def noted(self, bits, exact_to=0.0):
        asked.append(bits)
        return operations(self, bits, exact_to)

    monkeypatch.setattr(Prices, "operations", noted)
    options = Options(
        resolve_n_bits(n_bits), rounding=RoundingOptions("exact", rounding_bits)
    )
    nodes = [Node("Relu", ("x",), ("r",))]
    if trained:
        constants = {"s": np.ones(1), "z": np.zeros(1), "b": np.array(2.0)}
        nodes.append(Node("Quant", ("r", "s", "z", "b"), ("q",), {"signed": 0}))
    else:
        constants = {}
    last = Value(nodes[-1].outputs[0], (None, 4))
    graph = Graph(tuple(nodes), (Value("x", (None, 4)),), (last,), constants)
    prices = ConcreteEngine().prices(2**-40)
    lowering._check_size(graph, one_row(graph, [ROWS]), prices, options)
    assert asked == [table_bits]


@pytest.mark.simulate
def test_calibration_that_is_no_data():
    with pytest.warns(AccuracyWarning, match="are all the same: they tell nothing"):
        compile_torch_model(net(), np.ones((50, 4), np.float32), n_bits=3)


@pytest.mark.simulate
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_integers_and_truth_values_for_a_float_network(dtype):
    rows = np.random.default_rng(0).integers(0, 2 if dtype is bool else 9, (60, 4))
    rows = rows.astype(dtype)
    module = compile_torch_model(net(), rows, n_bits=6)
    exact = net()(torch.from_numpy(rows.astype(np.float32))).detach().numpy()
    found = module.forward(rows[:5])
    assert np.abs(found - exact[:5]).max() < 0.2 * exact.std()
    simulated = module.forward(rows[:5], fhe="simulate")
    np.testing.assert_array_equal(simulated, found)
