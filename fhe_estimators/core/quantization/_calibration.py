"""Which range of real numbers the integers of an input stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import wrightomega

#: Largest margin, as a part of the range seen: two margins cost one bit at most.
_MOST_MARGIN = 0.5
#: Rows whose tails are looked at.
_TAIL_ROWS = 10_000
#: Numbers that are sorted at a time, as many as a cache holds.
_SORTED = 2**17
#: Rows between the ends of a range that a function of it is looked at on.
_BETWEEN = 33


@dataclass(frozen=True)
class InputRange:
    """The range of each feature.

    Parameters
    ----------
    low, high : ndarray of float64 of shape (n_features,)
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(
        cls, X: np.ndarray, n_bits: int, sample_weight: np.ndarray | None = None
    ) -> InputRange:
        """Choose the range of each feature for `n_bits` bits.

        Numbers beyond the range are clipped, and a wider range has a coarser grid. The
        range that minimizes the expected squared error balances the two: for few bits it
        leaves out the ends of long tails, for many it has a margin for numbers that were
        not seen (see `_margins`).

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            The elements of a row are its features.
        n_bits : int
        sample_weight : ndarray of shape (n_samples,), optional
            Rows of weight zero do not count.

        Raises
        ------
        ValueError
            If a range is wider than floats can be.
        """
        X = _rows_that_count(X, sample_weight)
        low, high = X.min(axis=0), X.max(axis=0)
        tails = X[:: -(-len(X) // _TAIL_ROWS)]
        with np.errstate(over="ignore", invalid="ignore"):
            below, above = _margins(tails, n_bits)
            found = cls(low - below, high + above)
        overflow = (
            ~np.isfinite(found.low + found.high) & np.isfinite(low) & np.isfinite(high)
        )
        if overflow.any():
            (feature, *_) = np.flatnonzero(overflow)
            raise ValueError(
                f"Feature {feature} holds numbers from {low[feature]:.6g} to "
                f"{high[feature]:.6g}: no range of floats has a margin around them. Scale "
                "the features, or leave such rows out."
            )
        return found

    @classmethod
    def of_most(cls, X: np.ndarray, parts: Sequence[float]) -> list[InputRange]:
        """Return ranges of each feature without the ends of its tails.

        Distinct numbers are counted, so that repeated rows change nothing, and few of them
        (flags, categories) all stay. A number that many rows have, as zero in counts, is
        no tail: of the rows, too, no larger part is left out.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
        parts : sequence of float
            Of the distinct numbers: as many lie below the upper end, and above the lower.

        Returns
        -------
        ranges : list of InputRange
            One for each part.
        """
        rows = _rows_that_count(X)
        lows, highs = np.empty((2, len(parts), rows.shape[1]))
        for start, ordered, distinct, m in _distinct(rows):
            ends = np.cumsum(m)
            features = slice(start, start + len(m))
            for low, high, part in zip(lows, highs, parts, strict=True):
                cut = ((1 - part) * m).astype(np.int64)
                of_rows = int((1 - part) * len(rows))
                low[features] = np.minimum(distinct[ends - m + cut], ordered[:, of_rows])
                high[features] = np.maximum(
                    distinct[ends - 1 - cut], ordered[:, -1 - of_rows]
                )
        return [cls(low, high) for low, high in zip(lows, highs, strict=True)]

    @classmethod
    def around(
        cls, X: np.ndarray, margin: float, sample_weight: np.ndarray | None = None
    ) -> InputRange:
        """Return the range of each feature with a margin on either side.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
        margin : float
            As a part of the range.
        sample_weight : ndarray of shape (n_samples,), optional
            Rows of weight zero do not count.
        """
        X = _rows_that_count(X, sample_weight)
        low, high = X.min(axis=0), X.max(axis=0)
        # Each by itself: a difference of large numbers may overflow.
        by = margin * high - margin * low
        return cls(low - by, high + by)

    def clipped(self, X: np.ndarray) -> np.ndarray:
        """Return rows whose numbers lie in the range; truth values stay what they are.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
        """
        if X.dtype == bool:
            return X
        shape = (1, *X.shape[1:])
        ends = self.low.reshape(shape), self.high.reshape(shape)
        # Integers stay integers: the ends are among them, see `of_most`.
        return np.clip(X, *ends).astype(X.dtype, copy=False)

    def union(self, other: InputRange) -> InputRange:
        """Return a range that holds both, for data that comes in batches."""
        return InputRange(
            np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        )


def image(
    function: Callable[..., Sequence[np.ndarray]],
    calibration: Sequence[np.ndarray],
    ranges: Sequence[InputRange],
    sample_weight: np.ndarray | None = None,
) -> list[InputRange]:
    """Return the ranges of the results of a function of several inputs.

    They hold what it makes of the calibration rows, clipped to the ranges of the inputs,
    and of rows on the way from all low ends to all high ends. So they hold the image of the
    ranges of a function that works element by element, whatever rows were seen.

    Parameters
    ----------
    function : callable
        Takes and returns arrays of rows.
    calibration : sequence of ndarray of shape (n_samples, ...)
    ranges : sequence of InputRange
        One for each input.
    sample_weight : ndarray of shape (n_samples,), optional
        Rows of weight zero do not count.
    """
    inputs = []
    for rows, known in zip(calibration, ranges, strict=True):
        seen = np.clip(_rows_that_count(rows, sample_weight), known.low, known.high)
        between = np.linspace(known.low, known.high, _BETWEEN)
        inputs.append(np.concatenate([seen, between]).reshape(-1, *rows.shape[1:]))
    # A margin may lead to where the function is not defined.
    with np.errstate(all="ignore"):
        results = [_rows_that_count(result) for result in function(*inputs)]
    defined = [np.where(np.isfinite(rows), rows, np.nan) for rows in results]
    return [
        InputRange(np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)) for rows in defined
    ]


def _rows_that_count(X: np.ndarray, sample_weight: np.ndarray | None = None) -> np.ndarray:
    """Return the rows of positive weight as a matrix of floats."""
    rows = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    if sample_weight is None or (sample_weight > 0).all():
        return rows
    return rows[sample_weight > 0]


def _margins(tails: np.ndarray, n_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much to move the lower and the upper end of each feature's range.

    Upper ends move up, and lower ends down, by as much; it may be negative. The tail is
    taken as exponential beyond ``u``, the number above which the ``k`` largest of ``m``
    distinct numbers lie (peaks over threshold [1]_): its scale ``b`` is the mean excess
    over ``u``. Clipping at ``c`` then costs ``2 b**2 (k/m) exp(-(c - u) / b)`` in expected
    squared error, rounding on a range of width ``w`` costs ``w**2 4**-n_bits / 12``. The
    derivative of the sum is zero at ``c = u + b ln(12 b (k/m) 4**n_bits / w)``. As `w`
    grows with `c`, that is an equation ``y + ln(y) = z`` for ``y = w / b``, whose solution
    is Wright's omega function.

    Distinct numbers are used so that repeated rows change nothing.

    Parameters
    ----------
    tails : ndarray of float64 of shape (n_rows, n_features)
    n_bits : int

    Returns
    -------
    below, above : ndarray of float64 of shape (n_features,)

    References
    ----------
    .. [1] J. Pickands, "Statistical Inference Using Extreme Order Statistics", Annals of
       Statistics 3, 1975.
    """
    n_features = tails.shape[1]
    below, above = np.zeros(n_features), np.zeros(n_features)
    for start, _, distinct, m in _distinct(tails):
        ends = np.cumsum(m)
        k = np.sqrt(m).astype(np.int64)
        # Fewer are too few numbers for a tail: flags, categories, constants.
        has_tail = k >= 3
        if not has_tail.any():
            continue
        m, k, ends = m[has_tail], k[has_tail], ends[has_tail]
        place = np.arange(k.max())
        nearest = np.minimum(place, k[:, np.newaxis])
        found = np.flatnonzero(has_tail) + start
        for margins, sign, outermost, inwards in (
            (above, 1.0, ends - 1, -1),
            (below, -1.0, ends - m, 1),
        ):
            largest = sign * distinct[outermost[:, np.newaxis] + inwards * nearest]
            u = sign * distinct[outermost + inwards * k]
            excess = np.where(place < k[:, np.newaxis], largest - u[:, np.newaxis], 0.0)
            b = excess.sum(axis=1) / k
            width = distinct[ends - 1] - distinct[ends - m]
            margins[found] = _margin(width, u - largest[:, 0], b, k / m, n_bits)
    return below, above


def _margin(
    width: np.ndarray, u: np.ndarray, b: np.ndarray, share: np.ndarray, n_bits: int
) -> np.ndarray:
    """Return the margins of tails; `u` is given relative to the largest number."""
    # A scale that no float as large as the width tells apart from zero changes nothing.
    least = np.maximum(width * 2.0**-60, np.finfo(np.float64).smallest_subnormal)
    b = np.maximum(b, least)
    exponent = (width + u) / b + np.log(12 * share) + n_bits * np.log(4)
    margin = b * wrightomega(exponent) - width
    return np.asarray(np.clip(margin, u, _MOST_MARGIN * width))


#: See `_distinct`.
_Features = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def _distinct(rows: np.ndarray) -> Iterator[_Features]:
    """Yield the distinct numbers of features in order, some features at a time.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)

    Yields
    ------
    start : int
        The first of the features.
    ordered : ndarray of shape (n_some, n_rows)
    distinct : ndarray
        Of one feature behind the other.
    numbers : ndarray of int
        How many each feature has.
    """
    step = max(1, _SORTED // len(rows))
    for start in range(0, rows.shape[1], step):
        ordered = np.sort(rows[:, start : start + step].T, axis=1)
        is_new = np.ones(ordered.shape, bool)
        np.not_equal(ordered[:, 1:], ordered[:, :-1], out=is_new[:, 1:])
        yield start, ordered, ordered[is_new], is_new.sum(axis=1)
