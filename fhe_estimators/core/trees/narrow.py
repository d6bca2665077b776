"""Narrower tables: what they hold of functions of one feature costs nothing elsewhere."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.trees.groups import Group
from fhe_estimators.core.trees.partitions import classes_of, contains, n_classes

#: How often each function is improved in turn.
_ROUNDS = 3


def additive_part(
    group: Group, table: np.ndarray, sizes: dict[int, int]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Take functions of one feature from a table so that its values span less.

    Each function in turn is the middle of the values that rows with that bin find.

    Parameters
    ----------
    group : Group
        What the table is looked up for.
    table : ndarray of int64 of shape (states,)
    sizes : dict of int to int
        Number of edges of each feature.

    Returns
    -------
    table : ndarray of int64 of shape (states,)
        What is left.
    functions : dict of int to ndarray of int64 of shape (n_bins,)
        By feature. With `table` they add up to the table that was given.
    """
    digits = group.digits()
    shape = [len(group.gates) + 1, *(n_classes(part) for _, part, _ in reversed(digits))]
    left = table.reshape(shape).copy()
    functions: dict[int, np.ndarray] = {}
    # How many of several gates hold is no sum of functions.
    axes = range(0 if len(group.gates) == 1 else 1, len(shape))
    for axis in list(axes) * _ROUNDS:
        others = tuple(place for place in range(len(shape)) if place != axis)
        low, high = (find(axis=others, keepdims=True) for find in (left.min, left.max))
        middle = (low + high) >> 1
        left -= middle
        if axis:
            feature, partition, _ = digits[-axis]
            places = classes_of(partition, np.arange(sizes[feature] + 1))
        else:
            ((feature, bounds),) = group.gates
            places = contains(bounds, np.arange(sizes[feature] + 1)).astype(np.int64)
        functions[feature] = functions.get(feature, 0) + middle.ravel()[places]
    return left.ravel(), functions
