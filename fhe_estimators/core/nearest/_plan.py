"""Which rows are compared to know the classes of the nearest ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fhe_estimators.core.nearest._forms import Forms
from fhe_estimators.core.nearest._regions import on_borders, touching


@dataclass(frozen=True)
class Plan:
    """What is compared, and whose ranks are read.

    Parameters
    ----------
    first, second : ndarray of int64 of shape (n_pairs,)
        Rows that are compared; `first` are before `second`.
    ranked : ndarray of int64 of shape (n_ranked,)
        Rows of which is found how many others are nearer. All of one class are left out:
        the nearest that are not among these are of that class.
    sure : ndarray of int64 of shape (n_ranked,)
        How many rows are nearer than these everywhere.
    rest : int
        The class that is left out.
    """

    first: np.ndarray
    second: np.ndarray
    ranked: np.ndarray
    sure: np.ndarray
    rest: int


def plan(forms: Forms, classes: np.ndarray, n_neighbors: int) -> Plan:
    """Return what has to be compared.

    For one neighbour these are the rows whose regions touch, of those that are on a border
    between classes. For more they are all.

    Parameters
    ----------
    forms : Forms
        Of integers.
    classes : ndarray of int64 of shape (n_rows,)
    n_neighbors : int
    """
    above = _above(forms)
    if n_neighbors == 1:
        # What another row is nearer than everywhere is never the nearest.
        places = np.flatnonzero(~above.any(axis=0))
        touch = touching(forms.of_rows(places))
        border = on_borders(touch, classes[places])
        places, known = places[border], touch[np.ix_(border, border)]
        compared = touching(forms.of_rows(places), known)
        above = np.zeros_like(above)
    else:
        places = np.arange(len(forms))
        compared = ~(above | above.T)
    of = classes[places]

    def pairs(rest: int) -> tuple[np.ndarray, np.ndarray]:
        ranked = of != rest
        needed = compared & (ranked[:, np.newaxis] | ranked)
        first, second = np.nonzero(np.triu(needed, 1))
        return first, second

    rest = min(np.unique(classes).tolist(), key=lambda one: len(pairs(one)[0]))
    first, second = pairs(rest)
    ranked = places[of != rest]
    sure = above.sum(axis=0)[ranked]
    return Plan(places[first], places[second], ranked, sure, rest)


def _above(forms: Forms) -> np.ndarray:
    """Return which rows are nearer than which others everywhere, (n_rows, n_rows)."""
    found = np.zeros((len(forms), len(forms)), bool)
    first, second = np.triu_indices(len(forms), 1)
    lowest, highest = forms.differences(first, second).reach()
    never, always = highest < 0, lowest >= 0
    found[first[always], second[always]] = found[second[never], first[never]] = True
    return found
