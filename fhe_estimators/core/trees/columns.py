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
        self._of_source: dict[int, tuple[int, int]] = {}

    def accepts(self, term: Term, width: float, noise: float) -> bool:
        """Add a term if the sum stays within so many bits and so much noise."""
        old = new = term.low, term.high
        if term.source is not None:
            old = self._of_source.get(term.source, (0, 0))
            new = min(old[0], term.low), max(old[1], term.high)
            low, high = self.low + new[0] - old[0], self.high + new[1] - old[1]
        else:
            low, high = self.low + term.low, self.high + term.high
        total, movable = self.noise + term.noise, self.movable or term.movable
        if self.terms and (total > noise or _bits(low, high, movable) > width):
            return False
        self.low, self.high, self.noise, self.movable = low, high, total, movable
        self.terms.append(term)
        if term.source is not None:
            self._of_source[term.source] = new
        return True

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
        return _packed(alternatives[0], n_outputs, math.inf, math.inf)
    found: list[tuple[tuple[float, int, float], list[Column]]] = []
    for terms in alternatives:
        least = max((_bits(t.low, t.high, t.movable) for t in terms), default=0)
        for width in range(least, max(least, int(room)) + 1):
            columns = _packed(terms, n_outputs, width, 4.0 ** (room - width))
            noise = max(1, *(column.noise for column in columns))
            needed = max(column.width for column in columns) + math.log2(noise) / 2
            found.append(((max(0.0, needed - room), len(columns), needed), columns))
    return min(found, key=lambda entry: entry[0])[1]


def _packed(
    terms: Sequence[Term], n_outputs: int, width: float, noise: float
) -> list[Column]:
    """Return columns; a term is in one of the last ones if it fits, or in a new one."""
    columns: dict[tuple[int, int], list[Column]] = {}
    for output in set(range(n_outputs)) - {term.output for term in terms}:
        columns[output, 1] = [Column(output)]
    for term in terms:
        last = columns.setdefault((term.output, term.scale), [])
        for column in last[-_OPEN:]:
            if column.accepts(term, width, noise):
                break
        else:
            last.append(Column(term.output, term.scale))
            last[-1].accepts(term, width, noise)
    return [column for entries in columns.values() for column in entries]
