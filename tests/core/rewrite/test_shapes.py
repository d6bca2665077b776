"""Models of torch for any number of rows: as exported, with rows open or written in."""

import io
import warnings
from itertools import product

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, load_model_from_string
from torch import nn
from torch.nn import functional as F

from fhe_estimators.core.frontends.onnx import read_onnx, with_sizes
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.core.rewrite import clean
from fhe_estimators.exceptions import GraphError, UnsupportedOperatorError

IMAGES = np.random.default_rng(0).normal(size=(12, 2, 4, 4)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(size=(12, 2, 6)).astype(np.float32)

#: From images of shape (n_samples, 2, 4, 4) to (n_samples, 32).
FLATTENS = {
    "flatten": lambda x: x.flatten(1),
    "flatten twice": lambda x: x.flatten(2).flatten(1, 2),
    "nn.Flatten": nn.Flatten(),
    "shape[0], -1": lambda x: x.view(x.shape[0], -1),
    "size(0), -1": lambda x: x.view(x.size(0), -1),
    "len, -1": lambda x: x.view(len(x), -1),
    "len, 32": lambda x: x.reshape(len(x), 32),
    "int, -1": lambda x: x.reshape(int(x.shape[0]), -1),
    "-1, 32": lambda x: x.view(-1, 32),
    "*shape": lambda x: x.view(*x.shape[:1], -1),
    "product": lambda x: x.view(x.shape[0], x.shape[1] * x.shape[2] * x.shape[3]),
    "numel": lambda x: x.view(-1, x[0].numel()),
    "size / rows": lambda x: x.view(x.shape[0], x.numel() // x.shape[0]),
    "in two steps": lambda x: x.view(x.shape[0], 2, -1).view(x.shape[0], -1),
    "rows in between": lambda x: x.reshape(x.shape[0] * 2, -1).reshape(x.shape[0], -1),
    "all in between": lambda x: x.reshape(-1).reshape(len(x), -1),
    "transposed": lambda x: x.flatten(1).t().t(),
    "permuted": lambda x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1),
    "squeezed": lambda x: x.unsqueeze(1).squeeze().reshape(x.shape[0], -1),
    "joined": lambda x: torch.cat([x[:, i].flatten(1) for i in range(2)], 1),
    "expanded": lambda x: x.expand(x.shape[0], 2, 4, 4).reshape(x.shape[0], -1),
    "sliced": lambda x: x[: len(x)].flatten(1),
}

#: From rows of shape (n_samples, 2, 6) to the same shape.
SIZES = {
    "zeros_like": lambda x: x + torch.zeros_like(x),
    "ones_like": lambda x: x * torch.ones_like(x),
    "full": lambda x: x + torch.full(x.shape, 2.0),
    "where": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "arange": lambda x: x + torch.arange(x.shape[2]),
    "arange, divided": lambda x: x * (torch.arange(x.shape[-1]) / x.shape[-1]),
    "expand": lambda x: x + torch.arange(6.0).view(1, 1, 6).expand(x.shape[0], 2, -1),
    "expand_as": lambda x: x + torch.arange(2.0)[None, :, None].expand_as(x),
    "repeat rows": lambda x: x + torch.ones(1, 1, 6).repeat(x.shape[0], 1, 1),
    "repeat": lambda x: x.repeat(1, 1, 2)[:, :, : x.shape[2]],
    "halves": lambda x: torch.cat(
        [x[:, :, x.shape[2] // 2 :], x[:, :, : x.shape[2] // 2]], 2
    ),
    "scale": lambda x: x / (x.shape[1] * x.shape[2]) ** 0.5,
    "other shape": lambda x: x.reshape(x.size(0), x.size(1) * 2, 3).reshape(-1, 2, 6),
    "numel": lambda x: x * (x.numel() / x.shape[0]),
    "product": lambda x: x * torch.tensor(x.shape[1:]).prod(),
    "pad": lambda x: F.pad(x, (0, x.shape[1]))[:, :, 1:7],
    "all rows": lambda x: x[: x.shape[0]],
    "reversed": lambda x: x[:, :, torch.arange(x.shape[2] - 1, -1, -1)],
    "broadcast": lambda x: x.mean(2, keepdim=True).broadcast_to(x.shape),
    "zeros beside": lambda x: torch.cat([x, torch.zeros(x.shape[0], 1, 6)], 1)[:, 1:],
    "token in front": lambda x: torch.cat(
        [torch.arange(6.0).view(1, 1, 6).expand(x.shape[0], -1, -1), x], 1
    )[:, :2],
}


def assigned(change):
    """Return a function that changes a copy of its rows."""

    def function(x):
        y = x.clone()
        change(y, x)
        return y

    return function


def _set(part, value):
    def change(y, x):
        y[part] = value(x)

    return change


ALL = slice(None)
SIZES |= {
    "assign a number": assigned(_set((ALL, 0), lambda x: 0.5)),
    "assign a slice": assigned(_set((ALL, ALL, slice(1, 3)), lambda x: x[:, :, :2].relu())),
    "assign every other": assigned(
        _set((..., slice(None, None, 2)), lambda x: x[..., 1::2])
    ),
    "assign by list": assigned(_set((ALL, ALL, [4, 0, 1]), lambda x: x[:, :, :3])),
    "assign a row of numbers": assigned(_set((ALL, 1), lambda x: torch.arange(6.0))),
    "assign to zeros": lambda x: (
        _set((ALL, ALL, slice(0, 2)), lambda y: x[:, :, 2:4])(y := torch.zeros_like(x), x)
        or y
    ),
    "assign twice": assigned(
        lambda y, x: (
            _set((ALL, 0), lambda x: x[:, 1])(y, x),
            _set((ALL, ALL, 0), lambda x: 2 * x[:, :, 1])(y, x),
        )
    ),
    "masked": assigned(lambda y, x: y.masked_fill_(x < 0, 0)),
    "scatter": lambda x: x.scatter(
        2, torch.zeros(1, 1, 1, dtype=int).expand(x.shape[0], 2, 1), x[:, :, 3:4]
    ),
    "index_fill": lambda x: x.index_fill(2, torch.tensor([1, 4]), 0.25),
    "index_copy": lambda x: x.index_copy(2, torch.tensor([5, 1]), x[:, :, :2]),
}


class Before(nn.Module):
    """A function between two layers."""

    def __init__(self, function, first, n_inputs):
        super().__init__()
        self.first, self.function = first, function
        self.last = nn.Linear(n_inputs, 3)

    def forward(self, x):
        return self.last(self.function(torch.relu(self.first(x))).flatten(1))


def exported(net, rows, opset, open_axes=()):
    """Return a model as users export it themselves."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Of sizes that become numbers.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.from_numpy(rows),),
            file,
            opset_version=opset,
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {axis: f"d{axis}" for axis in open_axes}},
        )
    return load_model_from_string(file.getvalue())


def check_any_number_of_rows(net, model, rows):
    with torch.no_grad():
        expected = net(torch.from_numpy(rows)).numpy()
    graph = clean(NumpyModule(with_sizes(model, [rows.shape])).graph)
    assert not any(node.op in ("Shape", "Size") for node in graph)
    module = NumpyModule(graph)
    for n_rows in (1, 2, 5, len(rows)):
        np.testing.assert_allclose(module(rows[:n_rows]), expected[:n_rows], atol=1e-5)
    options = RoundingOptions(None)
    lowered = to_quantized_module(
        with_sizes(model, [rows.shape]),
        Calibration([rows]),
        Options(BitWidths(7, 7), rounding=options),
    )
    found = lowered(rows)
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.1 * np.std(expected)
    np.testing.assert_allclose(lowered(rows[:1]), found[:1])


@pytest.mark.parametrize("name", FLATTENS)
@pytest.mark.parametrize("n_rows", [1, 4, 5])
def test_rows_that_are_written_in(name, n_rows):
    """Without dynamic axes torch writes the number of rows of the example."""
    torch.manual_seed(0)
    net = Before(FLATTENS[name], nn.Conv2d(2, 2, 1), 32)
    model = exported(net, IMAGES[:n_rows], 17)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == n_rows
    check_any_number_of_rows(net, model, IMAGES)


#: Versions of the operator set and axes of any size: each of them with one of the others,
#: and, at night, with all of them.
EXPORTS = [(17, ()), (17, (0,)), (17, (0, 1, 2)), (11, (0,)), (13, (0, 1, 2)), (18, ())]
EXPORTS += [
    pytest.param(*case, marks=pytest.mark.nightly)
    for case in product((11, 13, 17, 18), ((), (0,), (0, 1, 2)))
    if case not in EXPORTS
]


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize(("opset", "open_axes"), EXPORTS)
def test_sizes_that_are_computed(name, opset, open_axes):
    torch.manual_seed(0)
    net = Before(SIZES[name], nn.Linear(6, 6), 12)
    model = exported(net, ROWS[:5], opset, open_axes)
    check_any_number_of_rows(net, model, ROWS)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.flatten(), "does not take tensors of shapes"),
        (lambda x: x.squeeze(0).flatten(), "Node Squeeze.* does not take"),
        (lambda x: x[0].flatten(), "is not that of 1 at a time"),
    ],
    ids=["flat", "squeezed", "first"],
)
def test_model_for_one_row(function, message):
    """The axis of rows is gone."""
    net = nn.Sequential(Lambda(function), nn.Linear(32, 3))
    model = exported(net, IMAGES[:1], 17)
    with pytest.raises(GraphError, match=f"exported with 1 row, .*{message}") as error:
        to_quantized_module(model, Calibration([IMAGES]), Options(BitWidths(4, 4)))
    assert "dynamic_axes={'input': {0: 'n_samples'}}" in str(error.value)


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_batch_that_is_mixed():
    """What differs from row to row of the example cannot be computed for other rows."""
    net = nn.Sequential(Lambda(lambda x: x + torch.arange(5.0)[:, None]), nn.Linear(6, 2))
    model = exported(net, ROWS[:5, 0], 17)
    with pytest.raises(GraphError, match="exported with 5 rows, and it cannot"):
        to_quantized_module(model, Calibration([ROWS[:, 0]]), Options(BitWidths(4, 4)))


def test_rows_that_are_left_out():
    """Two rows and three stay the same: a probe of few rows does not tell."""
    net = nn.Sequential(
        nn.Linear(6, 6), nn.ReLU(), Lambda(lambda x: x[:5]), nn.Linear(6, 2)
    )
    model = exported(net, ROWS[:7, 0], 17, (0,))
    with pytest.raises(UnsupportedOperatorError, match="moves the axis of the rows"):
        to_quantized_module(model, Calibration([ROWS[:, 0]]), Options(BitWidths(4, 4)))


def test_different_numbers_of_rows():
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("a", [2, 3]), ("b", [4, 3]), ("y", None))
    ]
    node = helper.make_node("Concat", ["a", "b"], ["y"], axis=0)
    values[2].type.tensor_type.shape.SetInParent()
    graph = helper.make_graph([node], "joined", values[:2], values[2:])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    with pytest.raises(GraphError, match=r"different first sizes, \[2, 4\]"):
        clean(read_onnx(model))


def test_sizes_of_rows_must_be_those_of_the_model():
    model = exported(nn.Linear(6, 2), ROWS[:5, 0], 17)
    with pytest.raises(ValueError, match=r"'x' .* shape \(6,\), .* got .* \(4,\)"):
        with_sizes(model, [(9, 4)])
    with pytest.raises(ValueError, match=r"has 1 inputs \(x\); got rows of 2"):
        with_sizes(model, [(9, 6), (9, 6)])
