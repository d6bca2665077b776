"""Operators that assign to some elements of a tensor.

They have no encrypted form of their own. Where the elements lie at the same places of every
row, `core.rewrite` writes them as joined and chosen elements, see `as_choice` there.
"""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.exceptions import UnsupportedOperatorError

#: What `reduction` does with an element and its update.
_REDUCTIONS = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


class Scatter(ClearOnly):
    """Family base: elements of `data` at `indices` become `updates`."""

    assigns = True


def _assigned(data, places, updates, reduction="none"):
    """Return `data` with `updates` at `places`, an index of numpy."""
    result = np.array(data, np.result_type(data, updates))
    if reduction == "none":
        result[places] = updates
    elif reduction in _REDUCTIONS:
        _REDUCTIONS[reduction].at(result, places, updates)
    else:
        raise UnsupportedOperatorError(
            f"The reduction {reduction!r} is not known; known are 'none', "
            f"{', '.join(map(repr, _REDUCTIONS))}."
        )
    return result


def _places_along(axis, indices):
    """Return an index of numpy that counts along one axis and stays put along others."""
    places = list(np.indices(indices.shape, sparse=True))
    places[axis] = np.asarray(indices)
    return tuple(places)


@register("ScatterElements", since=11)
class ScatterElements(Scatter):
    """``data[i, indices[i, j], ...] = updates[i, j, ...]``, with indices along `axis`.

    What is there may be combined with the updates.
    """

    @staticmethod
    def f(data, indices, updates, *, axis=0, reduction="none"):
        return _assigned(data, _places_along(axis, indices), updates, reduction)


@register("ScatterND", since=11)
class ScatterND(Scatter):
    """``data[indices[i]] = updates[i]``; ``indices[i]`` is a place along the first axes.

    What is there may be combined with the updates.
    """

    @staticmethod
    def f(data, indices, updates, *, reduction="none"):
        return _assigned(data, tuple(np.moveaxis(indices, -1, 0)), updates, reduction)
