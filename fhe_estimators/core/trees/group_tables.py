"""The tables of a group, and what they add to outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fhe_estimators.core.trees.columns import Term, digits
from fhe_estimators.core.trees.comparisons import Bits
from fhe_estimators.core.trees.groups import Group
from fhe_estimators.core.trees.narrow import additive_part


@dataclass(frozen=True, eq=False)
class GroupTables:
    """What a group adds to outputs: ``values @ weights``, and functions of one feature.

    Parameters
    ----------
    values : ndarray of int64 of shape (states, n_tables)
    weights : ndarray of int64 of shape (n_tables, n_outputs)
    source : int or None
        Tables of one source are never non-zero together.
    functions : dict of int to ndarray of int64 of shape (n_bins, n_outputs)
        By feature.
    """

    values: np.ndarray
    weights: np.ndarray
    source: int | None
    functions: dict[int, np.ndarray]

    def reduced(self) -> GroupTables:
        """Return tables divided by the common divisor of their values; weights take it."""
        factors = np.gcd.reduce(self.values, axis=0)
        weights = factors[:, np.newaxis] * self.weights
        return replace(self, values=self.values // factors, weights=weights)

    def positive(self) -> GroupTables:
        """Return tables of which no value is further below zero than another above."""
        low, high = self.values.min(axis=0), self.values.max(axis=0)
        sign = np.where(-low > high, -1, 1)
        weights = sign[:, np.newaxis] * self.weights
        return replace(self, values=sign * self.values, weights=weights)

    def narrowed(self, group: Group, bits: Bits) -> GroupTables:
        """Return a single table less functions of one feature, if that narrows it."""
        if len(self.weights) != 1:
            return self
        sizes = dict(zip(bits.features, bits.sizes, strict=True))
        values, functions = additive_part(group, self.values[:, 0], sizes)
        if np.ptp(values) >= np.ptp(self.values):
            return self
        return GroupTables(
            values[:, np.newaxis],
            self.weights,
            None,
            {f: np.outer(values, self.weights[0]) for f, values in functions.items()},
        )


def table_terms(
    tables: GroupTables, radix: int | None, rows: np.ndarray, by_sign: bool
) -> Iterator[Term]:
    """Yield the terms of the tables of a group."""
    # A constant can be added to a table that has one place to go to.
    own = np.abs(tables.weights).sum() == 1
    sign = -1 if own and by_sign and tables.weights.sum() < 0 else 1
    for scale, digit in digits(sign * tables.weights, radix):
        sums, noise = tables.values @ digit, (digit**2).sum(axis=0)
        movable = bool(own and digit.sum() > 0)
        for output in np.flatnonzero(digit.any(axis=0)).tolist():
            yield Term(
                output,
                sign * scale,
                min(0, int(sums[:, output].min())),
                max(0, int(sums[:, output].max())),
                int(noise[output]),
                tables.source,
                movable,
                rows,
                digit[:, output],
            )


def function_terms(
    values: np.ndarray, radix: int | None, rows: np.ndarray, source: int | None
) -> Iterator[Term]:
    """Yield the terms of functions of a bin, of shape (n_bins, n_outputs).

    A function `h` that is zero for the last bin is ``sum_j (h(j) - h(j + 1)) [bin <= j]``.
    """
    for scale, digit in digits(values, radix):
        weights = -np.diff(digit, axis=0)
        for output in np.flatnonzero(digit.any(axis=0)).tolist():
            yield Term(
                output,
                scale,
                int(digit[:, output].min()),
                int(digit[:, output].max()),
                0,
                source,
                False,
                rows,
                weights[:, output],
            )
