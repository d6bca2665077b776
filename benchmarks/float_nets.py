"""Networks in floating point that somebody might have trained, without a thought of
encryption: what `trained` quantizes after their training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import zoom
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks import data


class Split(NamedTuple):
    """Rows to train on and rows to be judged by; the target is real or a label."""

    X: np.ndarray
    X_test: np.ndarray
    y: np.ndarray
    y_test: np.ndarray

    @property
    def is_regression(self) -> bool:
        return self.y.dtype.kind == "f"

    def score(self, outputs: np.ndarray) -> float:
        """Return the accuracy of scores of the test rows, or the R2 of predictions."""
        if self.is_regression:
            return float(r2_score(self.y_test, outputs))
        return float(np.mean(outputs.argmax(axis=1) == self.y_test))

    def agreement(self, outputs: np.ndarray, exact: np.ndarray) -> float:
        """Return how many labels are equal, or the R2, of outputs and those in floats."""
        if self.is_regression:
            return float(r2_score(exact, outputs))
        return float(np.mean(outputs.argmax(axis=1) == exact.argmax(axis=1)))


@cache
def split(name: str, seed: int = 0) -> Split:
    """Return a data set, standardized; of digits as pictures where it is one of those."""
    if name in ("pictures", "enlarged"):
        X, y = data.digits()
        X = (X / 16).reshape(-1, 1, 8, 8)
        if name == "enlarged":
            X = zoom(X[:, 0], (1, 3.5, 3.5), order=1).reshape(len(X), -1)
        return Split(*_split(X.astype(np.float32), y, seed))
    X, y = getattr(data, name)()
    X, X_test, y, y_test = _split(X, y, seed)
    scaler = StandardScaler().fit(X)
    rows = (scaler.transform(part).astype(np.float32) for part in (X, X_test))
    if y.dtype.kind == "f":
        mean, deviation = y.mean(), y.std()
        y, y_test = ((part - mean) / deviation for part in (y, y_test))
    return Split(*rows, y, y_test)


def _split(X: np.ndarray, y: np.ndarray, seed: int) -> list[np.ndarray]:
    stratify = None if y.dtype.kind == "f" else y
    parts: list[np.ndarray] = train_test_split(X, y, stratify=stratify, random_state=seed)
    return parts


def mlp(*sizes: int, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    layers: list[nn.Module] = []
    for n_inputs, n_outputs in pairwise(sizes):
        layers += [nn.Linear(n_inputs, n_outputs), activation()]
    return nn.Sequential(*layers[:-1])


def _convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def _vgg() -> nn.Module:
    """Two blocks of two convolutions and a MaxPool."""
    layers: list[nn.Module] = []
    for n_inputs, n_outputs in ((1, 4), (4, 8)):
        for before in (n_inputs, n_outputs):
            layers += [
                nn.Conv2d(before, n_outputs, 3, padding=1),
                nn.BatchNorm2d(n_outputs),
                nn.ReLU(),
            ]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, 10))


class Residual(nn.Module):
    """A convolution, a residual block of two, and a mean over places."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
        )
        self.leave = nn.Linear(8 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.enter(x)
        x = torch.relu(x + self.block(x))
        return self.leave(x.flatten(1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class FloatNet:
    """A network, the data that it is trained on, and what both are drawn with."""

    name: str
    data: str
    make: Callable[[], nn.Module]
    seed: int = 0

    @property
    def rows(self) -> Split:
        """Rows to train on and rows to be judged by."""
        return split(self.data, self.seed)

    def __str__(self) -> str:
        return self.name


NETS = (
    FloatNet("wine 13-16-3", "wine", lambda: mlp(13, 16, 3)),
    FloatNet(
        "wine 13-16-16-3 tanh", "wine", lambda: mlp(13, 16, 16, 3, activation=nn.Tanh)
    ),
    FloatNet("cancer 30-30-2", "breast_cancer", lambda: mlp(30, 30, 2)),
    FloatNet(
        "cancer 30-16-16-2 silu",
        "breast_cancer",
        lambda: mlp(30, 16, 16, 2, activation=nn.SiLU),
    ),
    FloatNet("diabetes 10-16-1", "diabetes", lambda: mlp(10, 16, 1)),
    FloatNet(
        "diabetes 10-16-16-1 tanh",
        "diabetes",
        lambda: mlp(10, 16, 16, 1, activation=nn.Tanh),
    ),
    FloatNet("spam 6-16-16-2 silu", "spam", lambda: mlp(6, 16, 16, 2, activation=nn.SiLU)),
    FloatNet("digits 64-32-10", "digits", lambda: mlp(64, 32, 10)),
    FloatNet("digits 3 x 32", "digits", lambda: mlp(64, 32, 32, 32, 10)),
    FloatNet("digits 5 x 32", "digits", lambda: mlp(64, *[32] * 5, 10)),
    FloatNet("digits 10 x 32", "digits", lambda: mlp(64, *[32] * 10, 10)),
    FloatNet("digits 784-92-92-10", "enlarged", lambda: mlp(784, 92, 92, 10)),
    FloatNet("digits convolutions", "pictures", _convolutions),
    FloatNet("digits VGG", "pictures", _vgg),
    FloatNet("digits residual", "pictures", Residual),
)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Return a context in which sums are computed in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


_EPOCHS, _BATCH, _LR, _DECAY = 60, 64, 5e-3, 1e-3


@cache
def trained(net: FloatNet) -> nn.Module:
    """Return the network after training, the same with any number of threads."""
    rows = net.rows
    X, y = torch.from_numpy(rows.X), torch.from_numpy(np.asarray(rows.y))
    with torch.random.fork_rng(), _one_thread():
        torch.manual_seed(net.seed)
        module = net.make()
        optimizer = torch.optim.AdamW(module.parameters(), lr=_LR, weight_decay=_DECAY)
        steps = -(-len(X) // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, _LR, epochs=_EPOCHS, steps_per_epoch=steps
        )
        for _ in range(_EPOCHS):
            for batch in torch.randperm(len(X)).split(_BATCH):
                optimizer.zero_grad()
                outputs = module(X[batch])
                loss = (
                    nn.functional.mse_loss(outputs[:, 0], y[batch].float())
                    if rows.is_regression
                    else nn.functional.cross_entropy(outputs, y[batch])
                )
                loss.backward()
                optimizer.step()
                schedule.step()
    return module.eval()


def outputs(net: FloatNet, X: np.ndarray) -> np.ndarray:
    """Return what the network computes in floating point."""
    module = trained(net)
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(X)))
