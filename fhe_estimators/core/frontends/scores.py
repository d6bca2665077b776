"""Scores of whole rows, of products of features and of distances, as ONNX models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from fhe_estimators.core.frontends.torch import LinearScores, QuadraticScores, export_own

if TYPE_CHECKING:
    from onnx import ModelProto


class FormScores(QuadraticScores):
    """`LinearScores` of ``z = (x - mean) / scale`` and of products of any two of them.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
    coef : ndarray of shape (n_outputs, n_features + n_products)
        Coefficients of the numbers, then of their products, in the order of
        ``np.triu_indices(n_features)``.
    intercept, link
        As in `LinearScores`.
    """

    first: Tensor
    second: Tensor

    def __init__(
        self,
        mean: np.ndarray,
        scale: np.ndarray,
        coef: np.ndarray,
        intercept: np.ndarray,
        link: str,
    ) -> None:
        super().__init__(mean, scale, coef, intercept, link)
        first, second = np.triu_indices(len(mean))
        self.register_buffer("first", torch.tensor(first))
        self.register_buffer("second", torch.tensor(second))

    def products(self, z: Tensor) -> Tensor:
        """Return the products of any two numbers, of shape (n_samples, n_products)."""
        return z.index_select(1, self.first) * z.index_select(1, self.second)


def export_form(
    mean: np.ndarray,
    scale: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
    link: str = "identity",
) -> ModelProto:
    """Export quadratic forms as an ONNX model; see `FormScores`."""
    return export_own(FormScores(mean, scale, coef, intercept, link), len(mean))


class NeighborScores(nn.Module):
    """What the nearest of some rows say, on the average.

    The squared distance of `x` to a row `r` is ``|x|**2 - 2 r x + |r|**2``: without
    weights, the term that all rows share is left out.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    said : ndarray of shape (n_rows, n_outputs)
        Ones in the column of their class, or targets.
    n_neighbors : int
    by_distance : bool
        Whether each neighbour counts by the inverse of its distance.
    """

    origin: Tensor
    said: Tensor
    places: Tensor

    def __init__(
        self, rows: np.ndarray, said: np.ndarray, n_neighbors: int, by_distance: bool
    ) -> None:
        super().__init__()
        rows = np.asarray(rows, np.float64)
        origin = rows.mean(axis=0)
        centred = rows - origin
        weights, bias = 2 * centred, -(centred**2).sum(axis=1)
        if by_distance:
            weights = np.hstack([weights, np.full((len(rows), 1), -1.0)])
        self.register_buffer("origin", torch.tensor(origin))
        self.register_buffer("said", torch.tensor(said, dtype=torch.float64))
        self.register_buffer("places", torch.arange(len(rows)))
        self.closeness = LinearScores(weights, bias, "identity")
        self.n_neighbors, self.by_distance = n_neighbors, by_distance

    def forward(self, x: Tensor) -> Tensor:
        """Return means, of shape (n_samples, n_outputs)."""
        z = x - self.origin
        if self.by_distance:
            z = torch.cat([z, (z * z).sum(dim=1, keepdim=True)], dim=1)
        left = self.closeness(z)
        # Of distances that are zero only those rows count.
        smallest = torch.finfo(torch.float64).tiny ** 0.5
        total: Tensor | float = 0.0
        weight: Tensor | float = 0.0
        for _ in range(self.n_neighbors):
            nearest = torch.argmax(left, dim=1, keepdim=True)
            is_nearest = nearest == self.places
            counts = torch.ones_like(left[:, :1])
            if self.by_distance:
                best = left.max(dim=1, keepdim=True)[0]
                counts = 1 / torch.sqrt(torch.clamp(-best, min=smallest))
            total = total + counts * self.said[nearest[:, 0]]
            weight = weight + counts
            left = torch.where(is_nearest, torch.full_like(left, -torch.inf), left)
        mean: Tensor = total / weight  # type: ignore[assignment]
        return mean


def export_neighbors(
    rows: np.ndarray, said: np.ndarray, n_neighbors: int, by_distance: bool
) -> ModelProto:
    """Export the mean of the nearest neighbours; see `NeighborScores`."""
    module = NeighborScores(rows, said, n_neighbors, by_distance)
    return export_own(module, rows.shape[1])
