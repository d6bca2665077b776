"""Small networks of torch: where they are cut, their tables, and what they compute."""

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import quantize
from fhe_estimators.core.rewrite import clean, cut, split_prologue
from fhe_estimators.quantization import QuantizedModule
from tests.core.operators.tools import check_ranges


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 5)
        self.last = nn.Linear(5, 3)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.last(torch.relu(x + self.second(x)))


class ResidualConvolution(nn.Module):
    """A block as in ResNet, with a convolution on the short way, too."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 2), nn.Conv2d(2, 2, 1)
        self.short = nn.Conv2d(1, 2, 2)
        self.last = nn.Conv2d(2, 1, 5)

    def forward(self, x):
        short = self.short(x)
        y = self.second(torch.relu(self.first(x)))
        return self.last(torch.relu(y + short)).flatten(1)


class Branches(nn.Module):
    """Their results are joined."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(6, 3), nn.Linear(6, 2)
        self.last = nn.Linear(5, 3)

    def forward(self, x):
        joined = torch.cat([torch.tanh(self.left(x)), torch.relu(self.right(x))], dim=1)
        return self.last(joined)


class Gated(nn.Module):
    """A gated linear unit: one half of a product opens the other."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(4, 2)

    def forward(self, x):
        a, b = self.first(x).chunk(2, dim=1)
        return self.last(a * torch.sigmoid(b))


class Shapes(nn.Module):
    """Shapes that are computed from those of other tensors."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv1d(1, 2, 3), nn.Linear(8, 2)

    def forward(self, x):
        x = torch.relu(self.first(x.view(x.size(0), 1, -1)))
        return self.last(x.reshape(x.shape[0], x.shape[1] * x.shape[2]))


class Attention(nn.Module):
    """Without a softmax, whose sum has no encrypted form."""

    def __init__(self):
        super().__init__()
        self.queries, self.keys = nn.Linear(3, 2), nn.Linear(3, 2)
        self.last = nn.Linear(4, 2)

    def forward(self, x):
        x = x.view(-1, 2, 3)
        scores = self.queries(x) @ self.keys(x).transpose(1, 2)
        return self.last(torch.sigmoid(scores).flatten(1))


IMAGE, VECTOR = (1, 6, 6), (6,)


def block(channels):
    return (nn.Conv2d(1, channels, 3, bias=False), nn.BatchNorm2d(channels), nn.ReLU())


#: (network, shape of a row, operators of the integer graph less those that move integers,
#: what the client computes before and behind).
NETWORKS = {
    "multilayer perceptron": (
        lambda: nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2), nn.Softmax(1)),
        VECTOR,
        ["MatMul", "TableLookup", "MatMul"],
        ([], ["Softmax"]),
    ),
    "convolution, average pool": (
        lambda: nn.Sequential(*block(2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)),
        IMAGE,
        ["Conv", "TableLookup", "Add", "Add", "MatMul"],
        ([], []),
    ),
    "convolution, max pool": (
        lambda: nn.Sequential(*block(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)),
        IMAGE,
        ["Conv", "TableLookup", *2 * ["Sub", "TableLookup", "Add"], "MatMul"],
        ([], []),
    ),
    "pool of the input": (
        lambda: nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 2, 2), nn.Flatten()),
        IMAGE,
        ["Conv"],
        (["MaxPool"], ["Flatten"]),
    ),
    "global pool at the end": (
        lambda: nn.Sequential(*block(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        IMAGE,
        ["Conv", "TableLookup", "ReduceSum"],
        ([], ["Flatten"]),
    ),
    "mean of features at the end": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(4), nn.Sigmoid()),
        IMAGE,
        ["Conv", *6 * ["Add"]],
        ([], ["Sigmoid"]),
    ),
    "residual": (
        Residual,
        VECTOR,
        # The scale of the second product divides that of the activation it is added to.
        ["MatMul", "TableLookup", "MatMul", "Mul", "Add", "TableLookup", "MatMul"],
        ([], []),
    ),
    "residual convolution": (
        ResidualConvolution,
        IMAGE,
        ["Conv", "Conv", "TableLookup", "Conv", "Add", "TableLookup", "Conv"],
        ([], ["Flatten"]),
    ),
    "branches": (
        Branches,
        VECTOR,
        ["MatMul", "MatMul", "TableLookup", "TableLookup", "MatMul"],
        ([], []),
    ),
    "gated": (
        Gated,
        VECTOR,
        [
            "MatMul",
            "TableLookup",
            "TableLookup",
            "Add",
            "Sub",
            "TableLookup",
            "TableLookup",
            "Sub",
            "MatMul",
        ],
        ([], []),
    ),
    "shapes": (
        Shapes,
        VECTOR,
        ["Conv", "TableLookup", "MatMul"],
        ([], []),
    ),
    "attention": (
        Attention,
        VECTOR,
        [
            "MatMul",
            "MatMul",
            "TableLookup",
            "TableLookup",
            "Add",
            "Sub",
            "TableLookup",
            "TableLookup",
            "Sub",
            "ReduceSum",
            "TableLookup",
            "MatMul",
        ],
        ([], []),
    ),
}
MOVES = {
    "Concat",
    "Flatten",
    "Pad",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name):
    make, shape, operators, (before, behind) = NETWORKS[name]
    torch.manual_seed(0)
    network = make().double()
    rows = np.random.default_rng(0).normal(size=(200, *shape))
    network.train()(torch.from_numpy(rows))  # statistics of batches
    graph = clean(NumpyModule(export_torch(network, [rows[:2]])).graph)
    encrypted, clear = cut(graph)
    prologue, encrypted = split_prologue(encrypted)
    start, end = NumpyModule(prologue), NumpyModule(clear)
    integers = quantize(encrypted, start.outputs(rows), BitWidths(7, 6))
    module = QuantizedModule(*integers, end, prologue=start if prologue.nodes else None)

    assert [node.op for node in prologue] == before
    assert [node.op for node in clear] == behind
    # Ranges that lie apart are aligned in front of a table.
    nodes = [node for node in module.graph if not node.name.endswith(".index")]
    assert [node.op for node in nodes if node.op not in MOVES] == operators
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(rows)).numpy()
    error = module.forward(rows) - expected
    assert np.sqrt(np.mean(error**2)) <= 0.05 * np.std(expected)
    check_ranges(module, 0)
