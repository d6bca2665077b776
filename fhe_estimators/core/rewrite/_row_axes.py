"""Where rows lie in a tensor whose first axis has none, or not rows alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

#: Two numbers of rows: what holds for both holds for any.
WORLDS = (2, 3)
#: An array for each number of rows.
Arrays = Sequence[np.ndarray]


class RowAxis(NamedTuple):
    """An axis along which rows lie, and perhaps other things.

    Parameters
    ----------
    place : int
        Of the axis.
    before, behind : int
        Its size is ``before * n_rows * behind``: it is what three axes become.
    """

    place: int
    before: int
    behind: int

    def first(self, arrays: Arrays) -> tuple[np.ndarray, ...]:
        """Return tensors with an axis of rows in front; what else lay there is left."""
        return tuple(map(self._first, arrays, WORLDS))

    def back(
        self, arrays: Arrays, shapes: Sequence[tuple[int, ...]]
    ) -> tuple[np.ndarray, ...]:
        """Return the tensors of some shapes that `first` makes `arrays` of."""
        numbers = [np.arange(math.prod(shape)).reshape(shape) for shape in shapes]
        return tuple(
            array.ravel()[np.argsort(places.ravel())].reshape(shape)
            for array, places, shape in zip(
                arrays, self.first(numbers), shapes, strict=True
            )
        )

    def _first(self, array: np.ndarray, n_rows: int) -> np.ndarray:
        left, right = array.shape[: self.place], array.shape[self.place + 1 :]
        parts = array.reshape(*left, self.before, n_rows, self.behind, *right)
        rows = np.moveaxis(parts, self.place + 1, 0)
        return rows.reshape(n_rows, *left, self.before * self.behind, *right)


def possible_axes(arrays: Arrays) -> Iterator[RowAxis]:
    """Return the axes that may have rows: they alone are longer if there are more."""
    few, many = (array.shape for array in arrays)
    if len(few) != len(many):
        return
    differ = [axis for axis, size in enumerate(few) if size != many[axis]]
    if len(differ) != 1:
        return
    (place,) = differ
    size, left = divmod(few[place], WORLDS[0])
    if left or many[place] != size * WORLDS[1]:
        return
    for before in range(1, size + 1):
        if size % before == 0:
            yield RowAxis(place, before, size // before)


def places_in_rows(numbers: Arrays, row_size: int) -> np.ndarray | None:
    """Return which elements of its row each row of a tensor has; None if rows are mixed.

    Parameters
    ----------
    numbers : sequence of ndarray
        Numbers of elements, from 0 on, of a tensor whose rows have `row_size` of them.
    row_size : int

    Returns
    -------
    places : ndarray or None
        None, too, if the first axis does not have rows, or for other numbers of rows
        others.
    """
    found = None
    for n_rows, array in zip(WORLDS, numbers, strict=True):
        if array.shape[:1] != (n_rows,) or not array.size:
            return None
        row, place = np.divmod(array.reshape(n_rows, -1), row_size)
        if (row != np.arange(n_rows)[:, None]).any() or (place != place[0]).any():
            return None
        if found is not None and not np.array_equal(found, place[0]):
            return None
        found = place[0]
    return found
