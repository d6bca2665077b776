"""Where the integers that share an entry of a table begin and end."""

from __future__ import annotations

import numpy as np

#: Part of the weight of all rows that integers get which no row gave.
_UNSEEN = 1e-3
#: Shifts that are tried.
_SHIFTS = 32


def align(
    exact: np.ndarray,
    samples: np.ndarray,
    weights: np.ndarray,
    lsbs: int,
    first: int,
    most: int,
    spare: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose what is added to integers before their lowest bits are rounded away.

    Behind the rounding, integers ``x`` with the same ``(x + shift + half - first) >> lsbs``
    share one entry. The shift moves the borders between them. The best entry is the mean of
    the exact ones, over the rows; the best shift leaves the least squared error. Where a
    function jumps, borders come to lie on its jumps.

    Parameters
    ----------
    exact : ndarray of int64 of shape (n_integers, n_elements)
        The entry of each integer ``0, 1, ...`` for each element of a row.
    samples : ndarray of int64 of shape (n_rows, n_elements)
        Integers of calibration rows.
    weights : ndarray of shape (n_rows,)
        How much each row counts.
    lsbs : int
    first : int
        Not positive.
    most : int
        The largest shift; not negative.
    spare : int
        Entries behind the last one that an integer has.

    Returns
    -------
    shift : ndarray of int64 of shape (n_elements,)
    table : ndarray of int64 of shape (n_entries, n_elements)
    """
    # By their bytes: numpy's unique sorts columns as records with thousands of fields.
    known: dict[bytes, int] = {}
    function_of = np.array(
        [known.setdefault(column.tobytes(), len(known)) for column in exact.T]
    )
    functions = np.stack([np.frombuffer(column, exact.dtype) for column in known], axis=1)
    n_integers, n_functions = functions.shape
    counts = np.bincount(
        (samples * n_functions + function_of).ravel(),
        np.repeat(weights.astype(float), samples.shape[1]),
        n_integers * n_functions,
    ).reshape(functions.shape)
    counts += np.maximum(counts.sum(axis=0), 1) * _UNSEEN / n_integers

    # Sums over all integers below one: of weights, of entries, and of their squares. Those
    # over integers that share an entry are differences of two of them.
    zeros = np.zeros((1, n_functions))
    below = [
        np.concatenate([zeros, np.cumsum(counts * functions**power, axis=0)])
        for power in range(3)
    ]
    # What differences of these sums are exact to.
    noise = below[2][-1] * 1e-12

    unit = 1 << lsbs
    front = np.arange(most + 1) + (unit >> 1) - first
    n_entries = (n_integers - 1 + int(front[-1]) >> lsbs) + 1 + spare
    best = np.full(n_functions, np.inf)
    shift, table = np.zeros(n_functions, int), np.zeros((n_entries, n_functions), int)
    for place in np.unique(np.linspace(0, most, _SHIFTS).astype(int)).tolist():
        borders = np.clip(np.arange(n_entries + 1) * unit - front[place], 0, n_integers)
        weight, total, squares = (np.diff(sums[borders], axis=0) for sums in below)
        empty = np.diff(borders) == 0
        mean = total / np.where(empty[:, np.newaxis], 1, weight)
        error = (squares - weight * mean**2).sum(axis=0)
        entries = np.rint(mean).astype(np.int64)
        # In front of the first integer and behind the last one nothing is ever looked up
        # but what approximate rounding strays to.
        middle = n_entries // 2
        entries[:middle][empty[:middle]] = functions[0]
        entries[middle:][empty[middle:]] = functions[-1]
        better = error < best - noise
        best = np.where(better, error, best)
        shift[better], table[:, better] = place, entries[:, better]
    return shift[function_of], table[:, function_of]
