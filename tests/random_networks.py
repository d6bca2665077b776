"""Random networks of torch: layers, widths, bits and rounding drawn from a seed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from fhe_estimators.torch import compile_torch_model

_ACTIVATIONS = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Hardtanh,
    nn.SiLU,
    nn.ELU,
    nn.Softplus,
)


class Residual(nn.Module):
    """``x + f(x)``."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Joined(nn.Module):
    """The results of two modules side by side."""

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.left(x), self.right(x)], dim=1)


class Case(NamedTuple):
    """A network, rows for it, and how it is compiled."""

    net: nn.Sequential
    X: np.ndarray
    options: dict[str, Any]

    def compiled(self):
        return compile_torch_model(self.net, self.X, p_error=2**-40, **self.options)


class _Draw:
    """Draws the parts of a network."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def one_of(self, options: Any) -> Any:
        return options[self.number(0, len(options) - 1)]

    def activation(self) -> nn.Module:
        # Half of all networks in use have this one.
        kind = nn.ReLU if self.number(0, 1) else self.one_of(_ACTIVATIONS)
        return kind()

    def images(self, n_layers: int) -> tuple[list[nn.Module], tuple[int, ...]]:
        """Return layers from images of one channel to vectors, and the shape of a row."""
        size = self.number(4, 6)
        layers: list[nn.Module] = []
        channels, left = 1, size
        for _ in range(n_layers):
            kernel = self.number(1, min(2, left))
            wide = self.number(1, 2)
            layers += [nn.Conv2d(channels, wide, kernel), self.activation()]
            channels, left = wide, left - kernel + 1
            if left >= 3 and self.number(0, 1):
                layers.append(self.one_of((nn.MaxPool2d, nn.AvgPool2d))(2))
                left //= 2
        layers.append(nn.Flatten())
        return layers, (1, size, size)

    def layer(self, n_inputs: int) -> tuple[list[nn.Module], int]:
        """Return layers from vectors to vectors, and the length of the result."""
        kind = self.number(0, 5)
        if kind == 0:
            inner = nn.Sequential(nn.Linear(n_inputs, n_inputs), self.activation())
            return [Residual(inner)], n_inputs
        if kind == 1:
            sizes = self.number(1, 2), self.number(2, 3)
            parts = [
                nn.Sequential(nn.Linear(n_inputs, size), self.activation())
                for size in sizes
            ]
            return [Joined(*parts)], sum(sizes)
        n_outputs = self.number(2, 4)
        layers: list[nn.Module] = [nn.Linear(n_inputs, n_outputs), self.activation()]
        if kind == 2:
            layers.insert(1, nn.BatchNorm1d(n_outputs))
        return layers, n_outputs


def random_case(seed: int, *, rounding: str | None = "any") -> Case:
    """Return the case of a seed.

    Parameters
    ----------
    seed : int
    rounding : {'exact', 'approximate', 'any'} or None, default='any'
        ``"any"`` draws one of the others.
    """
    draw = _Draw(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        depth = draw.number(1, 6)
        n_images = draw.number(0, min(2, depth - 1)) if draw.number(0, 2) == 0 else 0
        if n_images:
            layers, shape = draw.images(n_images)
        else:
            layers, shape = [], (draw.number(2, 4),)
        X = draw.random.normal(size=(60, *shape)).astype(np.float32)
        with torch.no_grad():
            size = nn.Sequential(*layers)(torch.from_numpy(X)).shape[1]
        for _ in range(depth - n_images - 1):
            more, size = draw.layer(size)
            layers += more
        layers.append(nn.Linear(size, draw.number(1, 3)))
        net = nn.Sequential(*layers).eval()
        for parameter in net.parameters():
            # Of freshly drawn weights the signal dies away in a few layers.
            parameter.data *= 2
    options = {
        "n_bits": draw.number(2, 8),
        "rounding": draw.one_of((None, "exact", "exact", "approximate")),
        "rounding_bits": draw.one_of(("auto", 3, 4, 5)),
        "calibration": draw.one_of(("least_error", "minmax")),
    }
    if rounding != "any":
        options["rounding"] = rounding
    return Case(net, X, options)
