"""Scores of rows that are linear in another one: the largest is that of the nearest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Forms:
    """Scores ``weights @ q + constant`` for integers ``q`` in ``[low, high]``.

    The squared distance of ``x`` to a row ``r`` is ``|x|**2 - 2 r x + |r|**2``: the nearest
    row is the one with the largest ``2 r x - |r|**2``. Of scores that are the same the
    first counts as the larger one.

    Parameters
    ----------
    weights : ndarray of shape (n_rows, n_features)
    constant : ndarray of shape (n_rows,)
    low, high : ndarray of int64 of shape (n_features,)
    """

    weights: np.ndarray
    constant: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(
        cls, rows: np.ndarray, scale: np.ndarray, offset: np.ndarray, *ends: np.ndarray
    ) -> Forms:
        """Return the forms of rows, for numbers ``scale * q + offset``.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
        scale, offset : ndarray of shape (n_features,)
        *ends : ndarray of int64 of shape (n_features,)
            The smallest and the largest integers.
        """
        origin = rows.mean(axis=0)
        centred = rows - origin
        constant = 2 * centred @ (offset - origin) - (centred**2).sum(axis=1)
        return cls(2 * centred * scale, constant, *ends)

    def rounded(self, factor: float) -> Forms:
        """Return it times a number, rounded to integers."""
        weights, constant = (
            np.rint(factor * array).astype(np.int64)
            for array in (self.weights, self.constant)
        )
        return replace(self, weights=weights, constant=constant)

    def of_rows(self, places: np.ndarray) -> Forms:
        """Return the forms of some of the rows."""
        return replace(self, weights=self.weights[places], constant=self.constant[places])

    def __len__(self) -> int:
        return len(self.weights)

    def scores(self, q: np.ndarray) -> np.ndarray:
        """Return the scores of integers, (n_samples, n_rows)."""
        found: np.ndarray = q @ self.weights.T + self.constant
        return found

    def differences(self, first: np.ndarray, second: np.ndarray) -> Forms:
        """Return by how much the scores of some rows are above those of others."""
        return replace(
            self,
            weights=self.weights[first] - self.weights[second],
            constant=self.constant[first] - self.constant[second],
        )

    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the smallest and the largest score of each row, (n_rows,) each."""
        down, up = np.minimum(self.weights, 0), np.maximum(self.weights, 0)
        lowest = up @ self.low + down @ self.high + self.constant
        highest = up @ self.high + down @ self.low + self.constant
        return lowest, highest
