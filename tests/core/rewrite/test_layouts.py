"""Rows that lie along another axis, or along one with other things."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, read, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.core.rewrite._row_axes import (
    WORLDS,
    RowAxis,
    places_in_rows,
    possible_axes,
)
from fhe_estimators.exceptions import GraphError, UnsupportedOperatorError
from fhe_estimators.torch import compile_torch_model

ROWS = np.random.default_rng(0).normal(size=(60, 3, 4)).astype(np.float32)
WEIGHTS = torch.tensor(np.random.default_rng(1).normal(size=(4, 4)), dtype=torch.float32)
OPTIONS = Options(
    BitWidths(8, 8), ranges="least_error", rounding=RoundingOptions("exact", 8)
)

#: From rows, steps and numbers to another layout; back, for a number of rows; last size.
LAYOUTS = {
    "steps, rows": (
        lambda x: x.transpose(0, 1),
        lambda x, n: x.transpose(0, 1),
        4,
    ),
    "numbers, rows": (
        lambda x: x.permute(2, 0, 1),
        lambda x, n: x.permute(1, 2, 0),
        3,
    ),
    "rows with steps": (
        lambda x: x.reshape(-1, 4),
        lambda x, n: x.reshape(n, 3, 4),
        4,
    ),
    "steps with rows": (
        lambda x: x.transpose(0, 1).reshape(-1, 4),
        lambda x, n: x.reshape(3, n, 4).transpose(0, 1),
        4,
    ),
    "steps, rows with heads": (
        lambda x: x.transpose(0, 1).reshape(3, -1, 2),
        lambda x, n: x.reshape(3, n, 4).transpose(0, 1),
        2,
    ),
    "rows with heads": (
        lambda x: x.transpose(0, 1).reshape(3, -1, 2).transpose(0, 1),
        lambda x, n: x.transpose(0, 1).reshape(3, n, 4).transpose(0, 1),
        2,
    ),
    "heads with rows and steps": (
        lambda x: x.reshape(-1, 3, 2, 2).permute(2, 0, 1, 3).reshape(-1, 2),
        lambda x, n: x.reshape(2, n, 3, 2).permute(1, 2, 0, 3).reshape(n, 3, 4),
        2,
    ),
}
#: What keeps the shape of a tensor, given its last size.
FUNCTIONS = {
    "relu": lambda x, size: torch.relu(x),
    "half": lambda x, size: x * 0.5,
    "sigmoid": lambda x, size: torch.sigmoid(x),
    "square": lambda x, size: x * x,
    "less the largest": lambda x, size: x - x.amax(-1, keepdim=True),
    "less the mean": lambda x, size: x - x.mean(x.ndim - 1, keepdim=True),
    "softmax": lambda x, size: torch.softmax(x, x.ndim - 1),
    "layer_norm": lambda x, size: F.layer_norm(x, (size,)),
    "product": lambda x, size: x @ WEIGHTS[:size, :size],
    "linear": lambda x, size: F.linear(x, WEIGHTS[:size, :size], WEIGHTS[0, :size]),
    "vector": lambda x, size: x + WEIGHTS[0, :size],
}


class Wandering(nn.Module):
    """Functions of numbers in another layout, and a layer behind."""

    def __init__(self, layout, functions):
        super().__init__()
        torch.manual_seed(0)
        self.there, self.back, self.size = LAYOUTS[layout]
        self.functions = [FUNCTIONS[name] for name in functions]
        self.first, self.last = nn.Linear(4, 4), nn.Linear(12, 2)

    def forward(self, x):
        y = self.there(self.first(x))
        for function in self.functions:
            y = function(y, self.size)
        return self.last(self.back(y, x.shape[0]).flatten(1))


def outputs(net, rows):
    with torch.no_grad():
        return net(torch.from_numpy(rows)).numpy()


@settings(max_examples=25, deadline=None)
@given(
    layout=st.sampled_from(list(LAYOUTS)),
    functions=st.lists(st.sampled_from(list(FUNCTIONS)), min_size=1, max_size=3),
)
def test_functions_of_tensors_in_other_layouts(layout, functions):
    """The float graph keeps its meaning; with rows first throughout it can be encrypted."""
    net = Wandering(layout, functions)
    model, meant = export_torch(net, (ROWS,)), outputs(net, ROWS)
    graph = read(model)
    found = NumpyModule(graph)(ROWS)
    np.testing.assert_allclose(found, meant, rtol=1e-3, atol=1e-3 * meant.std())
    assert "Shape" not in {node.op for node in graph}
    scores = to_quantized_module(model, Calibration([ROWS]), OPTIONS)(ROWS)
    assert scores.shape == meant.shape


def test_rows_are_put_first_once():
    """What is computed in between is computed there: nothing is left to move."""
    net = Wandering("steps, rows", ["linear", "relu"])
    assert [node.op for node in read(export_torch(net, (ROWS,)))].count("Transpose") == 0


@pytest.mark.parametrize("axis", [RowAxis(0, 3, 1), RowAxis(1, 1, 1), RowAxis(1, 2, 3)])
def test_axis_of_rows(axis):
    size = axis.before * axis.behind
    shapes = [tuple(4 if p != axis.place else size * n for p in (0, 1)) for n in WORLDS]
    arrays = [np.arange(a * b).reshape(a, b) for a, b in shapes]
    first = axis.first(arrays)
    assert [len(array) for array in first] == list(WORLDS)
    for back, array in zip(axis.back(first, shapes), arrays, strict=True):
        np.testing.assert_array_equal(back, array)
    assert axis in list(possible_axes(arrays))


def test_no_axis_of_rows():
    assert not list(possible_axes([np.zeros((2, 2)), np.zeros((3, 3))]))
    assert not list(possible_axes([np.zeros((2, 2)), np.zeros(3)]))
    # One more in all, not one more for each row.
    assert not list(possible_axes([np.zeros((3, 2)), np.zeros((4, 2))]))
    mixed = [np.arange(4).reshape(2, 2)[::-1], np.arange(6).reshape(3, 2)]
    assert places_in_rows(mixed, 2) is None


def test_steps_that_meet_other_rows_are_refused():
    """A sum over the axis that holds rows."""
    net = Wandering("steps, rows", ["relu"])
    net.functions = [lambda x, size: x.flip(1)]
    with pytest.raises((GraphError, UnsupportedOperatorError), match=r"rows"):
        compile_torch_model(net, ROWS)


class Itself(nn.Module):
    """Attention to itself, and a layer."""

    def __init__(self, n_heads, need_weights, both=False, size=4, **options):
        super().__init__()
        torch.manual_seed(0)
        options = {"batch_first": True, **options}
        self.attention = nn.MultiheadAttention(size, n_heads, **options)
        self.last, self.both = nn.Linear(size, 2), both
        self.options = {"need_weights": need_weights}

    def forward(self, x, mask=None):
        y, weights = self.attention(x, x, x, key_padding_mask=mask, **self.options)
        return (self.last(y), weights) if self.both else self.last(y)


def error(module, net, *rows):
    """Return the error of each output in standard deviations of it."""
    with torch.no_grad():
        meant = net.eval()(*map(torch.from_numpy, rows))
    meant = meant if isinstance(meant, tuple) else (meant,)
    found = module(*rows)
    found = found if isinstance(found, tuple) else (found,)
    return max(
        float(np.sqrt(np.mean((a - b.numpy()) ** 2)) / b.numpy().std())
        for a, b in zip(found, meant, strict=True)
    )


@pytest.mark.parametrize(
    "net",
    [
        Itself(1, need_weights=True),
        Itself(4, need_weights=False),
        Itself(2, need_weights=True, both=True),
        Itself(2, need_weights=False, bias=False),
        Itself(2, need_weights=False, kdim=4, vdim=4),
        # Weights that need no gradients: torch would take an operator of its own.
        nn.Sequential(
            nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), nn.Linear(4, 2)
        ).requires_grad_(requires_grad=False),
    ],
)
def test_attention_of_torch(net):
    model = export_torch(net.eval(), (ROWS,))
    module = to_quantized_module(model, Calibration([ROWS]), OPTIONS)
    assert error(module, net, ROWS) < 0.15


def test_attention_to_another_input():
    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.last = nn.Linear(4, 2)

        def forward(self, x, y):
            return self.last(self.attention(x, y, y)[0])

    inputs = ROWS, ROWS[::-1].copy()
    net = Other().eval()
    module = to_quantized_module(export_torch(net, inputs), Calibration(inputs), OPTIONS)
    assert error(module, net, *inputs) < 0.15


@pytest.mark.filterwarnings("ignore:ONNX Preprocess")
def test_masks_as_inputs():
    """Numbers to add are served; truth values become minus infinity, which is refused."""
    hidden = np.zeros((60, 3), bool)
    hidden[::2, 2] = True
    net = Itself(2, need_weights=False).eval()
    with pytest.raises(GraphError, match=r"Node Where '/attention/Where' .* 0 or -100"):
        compile_torch_model(net, (ROWS, hidden))
    inputs = ROWS, np.where(hidden, -30, 0).astype(np.float32)
    module = to_quantized_module(export_torch(net, inputs), Calibration(inputs), OPTIONS)
    assert error(module, net, *inputs) < 0.2


def test_steps_first_is_refused():
    """torch takes the rows for steps, and mixes them."""
    net = Itself(2, need_weights=False, batch_first=False).eval()
    with pytest.raises(GraphError, match="batch_first=True"):
        compile_torch_model(net, ROWS)


@pytest.mark.simulate
def test_attention_is_simulated_exactly():
    """Not one row, as each module of the zoo, but all."""
    net, rows = Itself(2, need_weights=False, size=2).eval(), ROWS[:, :2, :2]
    options = {"n_bits": 3, "rounding_bits": 3, "p_error": 2**-20}
    module = compile_torch_model(net, rows, **options)
    simulated = module.forward(rows, fhe="simulate")
    np.testing.assert_array_equal(simulated, module(rows))
