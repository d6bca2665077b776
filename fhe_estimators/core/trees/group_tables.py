"""The tables of a group, and what they add to outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

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

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest value of each table."""
        if self.values.shape[1] == 1:
            # Of few numbers, lists tell sooner.
            values = self.values.ravel().tolist()
            return np.array([min(values)]), np.array([max(values)])
        return self.values.min(axis=0), self.values.max(axis=0)

    def reduced(self) -> GroupTables:
        """Return tables divided by the common divisor of their values; weights take it."""
        factors = np.gcd.reduce(self.values, axis=0)
        weights = factors[:, np.newaxis] * self.weights
        return replace(self, values=self.values // factors, weights=weights)

    def positive(self) -> GroupTables:
        """Return tables of which no value is further below zero than another above."""
        low, high = self.ends
        if (-low <= high).all():
            return self
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
    used = [(output, w) for output, w in enumerate(tables.weights.ravel().tolist()) if w]
    if len(tables.weights) == len(used) == 1 and abs(used[0][1]) == 1:
        # In each radix, it is the only digit of its weight.
        yield _own_term(tables, *used[0], rows, by_sign)
        return
    for scale, digit in digits(tables.weights, radix):
        sums, noise = tables.values @ digit, (digit**2).sum(axis=0)
        for output in np.flatnonzero(digit.any(axis=0)).tolist():
            yield Term(
                output,
                scale,
                min(0, int(sums[:, output].min())),
                max(0, int(sums[:, output].max())),
                int(noise[output]),
                tables.source,
                False,
                rows,
                digit[:, output],
            )


def _own_term(
    tables: GroupTables, output: int, weight: int, rows: np.ndarray, by_sign: bool
) -> Term:
    """Return the term of a single table that counts once, or -1 times, in one output."""
    scale = weight if by_sign else 1
    digit = scale * weight
    ends = 0, *(digit * int(end[0]) for end in tables.ends)
    # A constant can be added to a table that has one place to go to.
    movable = digit == 1
    digits_of_row = np.array([digit])
    return Term(
        output, scale, min(ends), max(ends), 1, tables.source, movable, rows, digits_of_row
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
