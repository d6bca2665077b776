"""Columns: what is added up encrypted, and what is left to the client.

How precise parameters must be depends on two things: the bits of a sum, and how much noise
the tables add to it, each that of one look-up times the square of its weight. Where one
sum of all is too much, the client gets several narrower ones, the *columns*, and adds them
up, each as often as it counts: so large weights, and functions of large values, are
written in digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from fhe_estimators.core.graph import bits_of_range

#: What digits count, where they are tried: all there is, or so many times the last one.
RADICES = (None, 17, 5, 3)
#: The columns that a term is offered to: the last ones.
_OPEN = 4


@dataclass(frozen=True, eq=False)
class Term:
    """What a table, or a function of one feature, adds to an output, or a digit of it.

    Parameters
    ----------
    output : int
    scale : int
        How often it counts in the output.
    low, high : int
        Its bounds; zero lies between.
    noise : int
        Sum of the squares of the weights of tables.
    source : int or None
        Terms of one source are never non-zero together.
    movable : bool
        Whether a constant may be added to it: it is a table of its own.
    rows, weights : ndarray of int64 of shape (n_summands,)
        What it is a sum of: numbers of bits and tables, and how often each counts.
    """

    output: int
    scale: int
    low: int
    high: int
    noise: int
    source: int | None
    movable: bool
    rows: np.ndarray
    weights: np.ndarray


class Column:
    """A sum of terms of one output and scale.

    Attributes
    ----------
    output, scale : int
    low, high : int
        Bounds of the sum.
    noise : int
    movable : bool
        Whether a constant may be added to the sum, so that it takes no sign.
    terms : list of Term
    """

    def __init__(self, output: int, scale: int = 1) -> None:
        self.output, self.scale = output, scale
        self.low = self.high = self.noise = 0
        self.movable = False
        self.terms: list[Term] = []
        self._of_source: dict[int | None, tuple[int, int]] = {}

    def accepts(self, term: Term, width: float, noise: float) -> bool:
        """Add a term if the sum stays within so many bits and so much noise."""
        total = self.noise + term.noise
        if total > noise and self.terms:
            return False
        low, high = self.low + term.low, self.high + term.high
        new = term.low, term.high
        if term.source in self._of_source:
            old = self._of_source[term.source]
            new = min(old[0], term.low), max(old[1], term.high)
            low, high = self.low + new[0] - old[0], self.high + new[1] - old[1]
        movable = self.movable or term.movable
        if self.terms and _bits(low, high, movable) > width:
            return False
        self.low, self.high, self.noise, self.movable = low, high, total, movable
        self.terms.append(term)
        if term.source is not None:
            self._of_source[term.source] = new
        return True

    def copy(self) -> Column:
        """Return a column of the same terms, to add others to."""
        other = Column(self.output, self.scale)
        other.__dict__.update(self.__dict__)
        other.terms, other._of_source = self.terms.copy(), self._of_source.copy()
        return other

    @property
    def width(self) -> int:
        """Bits of the sum."""
        return _bits(self.low, self.high, self.movable)

    @property
    def bit_noise(self) -> int:
        """Sum of the squares of the weights of bits."""
        return sum(int((t.weights**2).sum()) for t in self.terms if not t.noise)


def _bits(low: int, high: int, movable: bool) -> int:
    return (high - low).bit_length() if movable else bits_of_range(low, high)


def digits(numbers: np.ndarray, radix: int | None) -> Iterable[tuple[int, np.ndarray]]:
    """Yield scales and arrays of small integers that add up to an array of integers.

    The radix is odd, digits lie around zero: their squares are smallest so, and sums need
    few bits with their sign.
    """
    scale = 1
    while numbers.any():
        if radix is None:
            yield 1, numbers
            return
        middle = radix // 2
        digit = (numbers + middle) % radix - middle
        if digit.any():
            yield scale, digit
        numbers, scale = (numbers - digit) // radix, scale * radix


def divided(
    alternatives: Sequence[Sequence[Term]], n_outputs: int, room: float = math.inf
) -> list[Column]:
    """Divide terms among as few columns as there is room for.

    Parameters
    ----------
    alternatives : sequence of sequence of Term
        Several ways to write the same.
    n_outputs : int
    room : float, default=inf
        Limit of ``width + log2(noise) / 2``, with the width of the widest column and the
        noise of the noisiest. If no columns are that narrow, those that come nearest are
        returned.

    Returns
    -------
    columns : list of Column
        At least one for each output.
    """
    if room == math.inf:
        return _Packed(math.inf, math.inf).with_terms(alternatives[0]).columns(n_outputs)
    # What all begin with is divided once for each width.
    first, *others = alternatives
    together = enumerate(zip(first, *others, strict=False))
    n_least = min(map(len, alternatives))
    n_common = next((n for n, same in together if len({*map(id, same)}) > 1), n_least)
    common = alternatives[0][:n_common]

    @cache
    def of_common(width: int) -> _Packed:
        return _Packed(width, 4.0 ** (room - width)).with_terms(common)

    best: tuple[tuple[float, int, float], list[Column]] = (math.inf, 0, 0.0), []
    for terms in alternatives:
        least = max((_bits(t.low, t.high, t.movable) for t in terms), default=0)
        noises = np.array([t.noise for t in terms], float)
        for width in range(least, max(least, int(room)) + 1):
            limit = 4.0 ** (room - width)
            # A column has no more noise, or one term.
            if best[0] < (0.0, np.minimum(noises / limit, 1).sum()):
                continue
            columns = of_common(width).with_terms(terms[n_common:]).columns(n_outputs)
            noise = max(1, *(column.noise for column in columns))
            needed = max(column.width for column in columns) + math.log2(noise) / 2
            found = max(0.0, needed - room), len(columns), needed
            best = min(best, (found, columns), key=lambda entry: entry[0])
    return best[1]


class _Packed:
    """Columns; a term is in one of the last ones if it fits, or in a new one.

    Parameters
    ----------
    width, noise : float
        Limits of each column.
    """

    def __init__(self, width: float, noise: float) -> None:
        self._width, self._noise = width, noise
        self._columns: dict[tuple[int, int], list[Column]] = {}

    def with_terms(self, terms: Sequence[Term]) -> _Packed:
        """Return what more terms make of these columns, which stay as they are."""
        width, noise = self._width, self._noise
        packed = _Packed(width, noise)
        packed._columns = {
            place: [*columns[:-_OPEN], *(column.copy() for column in columns[-_OPEN:])]
            for place, columns in self._columns.items()
        }
        for term in terms:
            columns = packed._columns.setdefault((term.output, term.scale), [])
            for column in columns[-_OPEN:]:
                if column.accepts(term, width, noise):
                    break
            else:
                columns.append(Column(term.output, term.scale))
                columns[-1].accepts(term, width, noise)
        return packed

    def columns(self, n_outputs: int) -> list[Column]:
        """Return all columns: first those of outputs without a term."""
        outputs = {output for output, _ in self._columns}
        empty = [Column(output) for output in set(range(n_outputs)) - outputs]
        return [*empty, *(column for some in self._columns.values() for column in some)]
