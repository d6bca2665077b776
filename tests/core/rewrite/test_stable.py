"""Functions that overflow on the way, and what stays infinite on a calibration row."""

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn
from torch.nn import functional as F

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import registry
from fhe_estimators.core.operators.univariate import Univariate
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.core.rewrite import clean
from fhe_estimators.exceptions import GraphError

#: Both signs, from tiny to 10,000.
FAR = np.concatenate([-np.logspace(-6, 4, 60)[::-1], [0.0], np.logspace(-6, 4, 60)])

#: Function -> operators that it is computed with, for some.
FUNCTIONS = {
    "logsigmoid": (F.logsigmoid, ["Neg", "Softplus", "Neg"]),
    "log of sigmoid": (lambda x: torch.log(torch.sigmoid(x)), ["Neg", "Softplus", "Neg"]),
    "log of 1 - sigmoid": (lambda x: torch.log(1 - torch.sigmoid(x)), ["Softplus", "Neg"]),
    "log of 1 + exp": (lambda x: torch.log(1 + torch.exp(x)), ["Softplus"]),
    "log of exp + 1": (lambda x: torch.log(torch.exp(x) + 1), ["Softplus"]),
    "log1p of exp": (lambda x: torch.log1p(torch.exp(x)), ["Softplus"]),
    "exp / (1 + exp)": (lambda x: torch.exp(x) / (1 + torch.exp(x)), ["Sigmoid"]),
    "log of softmax": (lambda x: torch.log(torch.softmax(x, dim=1)), ["LogSoftmax"]),
    "log_softmax": (lambda x: F.log_softmax(x, dim=1), ["LogSoftmax"]),
    "softplus": (F.softplus, ["Softplus"]),
    "softplus, beta": (lambda x: F.softplus(x, beta=2.0), None),
    "gelu": (F.gelu, None),
    "gelu, tanh": (lambda x: F.gelu(x, approximate="tanh"), None),
    "celu": (lambda x: F.celu(x, 0.5), None),
    "elu": (F.elu, None),
    "selu": (F.selu, None),
    "mish": (F.mish, None),
    "silu": (F.silu, None),
    "silu by hand": (lambda x: x / (1 + torch.exp(-x)), None),
    "tanhshrink": (F.tanhshrink, None),
    "hardswish": (F.hardswish, None),
    "softsign": (F.softsign, None),
}


def softplus(x):
    """Return ``log(1 + exp(x))``, which torch's own function only approximates."""
    return torch.logaddexp(x, torch.zeros_like(x))


#: What is meant where a function is infinite as it is written out, or not exact.
MEANT = {
    "log of sigmoid": F.logsigmoid,
    "log of 1 - sigmoid": lambda x: F.logsigmoid(-x),
    "log of 1 + exp": softplus,
    "log of exp + 1": softplus,
    "log1p of exp": softplus,
    "softplus": softplus,
    "softplus, beta": lambda x: softplus(2 * x) / 2,
    "exp / (1 + exp)": torch.sigmoid,
    "log of softmax": lambda x: F.log_softmax(x, dim=1),
}


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_finite(name, dtype):
    function, operators = FUNCTIONS[name]
    rows = np.c_[FAR, FAR[::-1]].astype(dtype)
    graph = clean(NumpyModule(export_torch(Lambda(function), [rows[:2]])).graph)
    if operators is not None:
        assert [node.op for node in graph] == operators
    meant = MEANT.get(name, function)(torch.from_numpy(rows).double()).numpy()
    with np.errstate(over="ignore"):
        found = NumpyModule(graph)(rows)
    assert np.isfinite(found).all()
    # torch exports celu in single precision.
    eps = np.finfo(np.float32 if name == "celu" else dtype).eps
    np.testing.assert_allclose(found, meant, rtol=8 * eps, atol=4 * eps)


@pytest.mark.parametrize("name", ["logsigmoid", "exp / (1 + exp)", "silu by hand", "gelu"])
def test_function_between_layers(name):
    """As the encrypted network computes it, on rows where it overflows when written out."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), Lambda(FUNCTIONS[name][0]), nn.Linear(4, 2))
    rows = np.random.default_rng(0).normal(0, 150, (200, 3)).astype(np.float32)
    meant = nn.Sequential(net[0], Lambda(MEANT.get(name, FUNCTIONS[name][0])), net[2])
    with torch.no_grad():
        expected = meant(torch.from_numpy(rows)).numpy()
    module = to_quantized_module(
        export_torch(net, [rows]),
        Calibration([rows]),
        Options(BitWidths(8, 7), rounding=RoundingOptions(None)),
    )
    error = np.sqrt(np.mean((module(rows) - expected) ** 2))
    # What is nearly a step takes more bits than a table reads.
    assert error < (0.5 if name == "exp / (1 + exp)" else 0.05) * np.std(expected)


# Precision of the operators --------------------------------------------------------------

#: These are infinite, or not defined, for part of the numbers.
UNBOUNDED = {"Acos", "Acosh", "Asin", "Atanh", "Cosh", "Exp", "Log", "Reciprocal", "Sinh"}
UNBOUNDED |= {"Sqrt"}
ONE_NUMBER = sorted(
    name
    for name, cls in registry().items()
    if issubclass(cls, Univariate) and name not in ("BatchNormalization", "OneHot")
)


def exactly(op, x):
    """Return the results for numbers in the widest type of numpy."""
    if op == "Sigmoid":
        return 1 / (1 + np.exp(-x))
    if op == "Gelu":
        return x * special.ndtr(x.astype(float))
    if op == "Erf":  # its tail, by its asymptotic series, is below the precision of doubles
        return np.where(np.abs(x) > 6, np.sign(x), np.nan)
    return registry()[op].f(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", ONE_NUMBER)
def test_operator_far_from_zero(op, dtype):
    x = FAR.astype(dtype)
    with np.errstate(all="ignore" if op in UNBOUNDED else "raise", under="ignore"):
        found = registry()[op].f(x)
    with np.errstate(all="ignore"):
        expected = exactly(op, x.astype(np.longdouble)).astype(float)
    assert found.dtype == (bool if op.startswith("Is") else dtype)
    known = np.isfinite(expected) & np.isfinite(found)
    assert op in UNBOUNDED or np.isfinite(found).all()
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found[known], expected[known], rtol=8 * eps, atol=eps)


# What stays infinite ---------------------------------------------------------------------


def graph_of(*nodes, **constants):
    return Graph(nodes, (Value("x", (None, 2)),), (Value(nodes[-1].outputs[0]),), constants)


W = np.array([[1.0, -2.0], [0.5, 3.0]])
POSITIVE = np.random.default_rng(0).uniform(1, 2, (50, 2))


def test_error_names_node_and_row():
    """The node where numbers stop to be finite, not those that pass them on."""
    net = nn.Sequential(
        nn.Linear(2, 2), Lambda(lambda x: torch.log(x) + 1), nn.Flatten(), nn.Linear(2, 1)
    ).double()
    net[0].weight.data, net[0].bias.data = torch.eye(2).double(), torch.zeros(2).double()
    rows = POSITIVE.copy()
    rows[[17, 30], 1] = 0, -3
    model = export_torch(net, [POSITIVE])
    with pytest.raises(GraphError) as error:
        to_quantized_module(model, Calibration([rows]), Options(BitWidths(6, 6)))
    message = str(error.value)
    assert "Node Log '/1/Log'" in message
    assert "gives -inf for row 17 of the calibration data" in message
    assert "lies from 0 to 1." in message
    assert "torch.clamp" in message


def test_error_in_what_the_client_computes():
    net = nn.Sequential(Lambda(torch.log), nn.Linear(2, 1)).double()
    rows = POSITIVE.copy()
    rows[5, 0] = -1
    with pytest.raises(GraphError, match=r"Node Log .* gives nan for row 5 of the calibr"):
        to_quantized_module(
            export_torch(net, [POSITIVE]), Calibration([rows]), Options(BitWidths(6, 6))
        )


def test_rules_leave_other_functions_alone():
    two = np.array(2.0)
    graph = graph_of(
        Node("Exp", ("x",), ("e",)),
        Node("Add", ("e", "two"), ("sum",)),
        Node("Log", ("sum",), ("log",)),
        Node("Div", ("e", "sum"), ("part",)),
        Node("Sub", ("log", "part"), ("y",)),
        two=two,
    )
    assert [node.op for node in clean(graph)] == ["Exp", "Add", "Log", "Div", "Sub"]
