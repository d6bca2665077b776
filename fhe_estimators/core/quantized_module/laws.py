"""What fewer bits save, and what they add to the error: measured, and laws from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fhe_estimators.core.engine import Prices
from fhe_estimators.core.quantized_module.module import QuantizedModule
from fhe_estimators.core.quantized_module.noise import noise_bits

#: Bits at least, of anything.
FEWEST = 2
#: Bytes of the keys of a circuit for each byte of the keys of its sizes of tables: those
#: that lead from one size to another, and to bits, come on top. (Of networks with one to
#: three sizes, 1.7 to 2.5.)
_KEYS = 2.0


class Knob(NamedTuple):
    """Bits that can be chosen.

    Parameters
    ----------
    part : {'layers', 'weights', 'results'}
        Of `KeptBits`: bits that a table reads, of weights, or of what a table gives.
    name : str
        Of the result of the table or product.
    """

    part: str
    name: str

    @property
    def measured(self) -> tuple[int, ...]:
        """Bits at which it is measured what they add to the error."""
        return {"layers": (5,), "weights": (2, 3), "results": (4,)}[self.part]

    @property
    def fewest(self) -> int:
        """Bits at least: at one less than where it is measured the law may hold."""
        return max(FEWEST, self.measured[0] - 1)

    def law(self, bits: int) -> float:
        """Return the squared unit of so many bits, up to a factor."""
        return (
            float((2.0 ** (bits - 1) - 1) ** -2) if self.part == "weights" else 4.0**-bits
        )


Bits = Mapping[Knob, int]


@dataclass
class Table:
    """Look-ups of one layer.

    Parameters
    ----------
    number : int
        Look-ups for a row.
    bits : float
        Of the accumulator.
    exact_to : float
        See `noise_bits`.
    slopes : dict of Knob to tuple of float
        How many of both are fewer for each bit less.
    """

    number: int
    bits: float
    exact_to: float
    slopes: dict[Knob, tuple[float, float]] = field(default_factory=dict)

    def narrowed(self, knob: Knob, lost: int, table: Table) -> None:
        """Keep what the table is like where `lost` bits of a knob are given up."""
        self.slopes[knob] = (
            (self.bits - table.bits) / lost,
            (self.exact_to - table.exact_to) / lost,
        )


def tables_of(module: QuantizedModule) -> dict[str, Table]:
    """Return the look-ups of a module by the names of their results."""
    exact_to = noise_bits(module.graph)
    return {
        layer.name: Table(layer.tables, layer.input_bits, exact_to.get(layer.name, 0.0))
        for layer in module.layers
        if layer.tables
    }


class Step(NamedTuple):
    """Fewer bits of one knob: what they add to the squared error, and operations saved."""

    knob: Knob
    bits: int
    added: float
    saved: float

    @property
    def gain(self) -> float:
        """What is saved for the error."""
        return self.saved / max(self.added, 1e-12)


class Laws:
    """What bits cost, and what they add to the squared error of the outputs.

    Of a table the error falls fourfold with each bit that it reads or gives, ``c 4**-k``;
    of weights of `w` bits with the square of their unit, ``d / (2**(w - 1) - 1)**2`` [1]_.

    A table has a price: of the bits that it reads, of each further bit of its accumulator
    that is rounded away, and of what its results have to be exact to. Weights and results
    of fewer bits make accumulators narrower, by as much as was measured, too. Each size of
    tables has keys, which a server makes ready for each call.

    Parameters
    ----------
    start : dict of Knob to int
        The most bits.
    errors : dict of Knob to dict of int to float
        What some numbers of bits were measured to add.
    tables : dict of str to Table
    prices : Prices
    bit_by_bit : bool
        Whether each bit that is rounded away takes a look-up of its own.

    References
    ----------
    .. [1] Y. Zhou, S. Moosavi-Dezfooli, N. Cheung, P. Frossard, "Adaptive Quantization for
       Deep Neural Network", AAAI 2018.
    """

    def __init__(
        self,
        start: Bits,
        errors: Mapping[Knob, Mapping[int, float]],
        tables: Mapping[str, Table],
        prices: Prices,
        *,
        bit_by_bit: bool,
    ) -> None:
        self.start, self._errors, self._tables = start, errors, tables
        self._prices, self._bit_by_bit = prices, bit_by_bit

    def cheapest(self, allowed: float) -> dict[Knob, int]:
        """Return bits that add no more than is allowed to the squared error."""
        bits, added = dict(self.start), 0.0
        while True:
            steps = [step for step in self.steps(bits) if added + step.added <= allowed]
            if not steps:
                return bits
            best = max(steps, key=lambda step: step.gain)
            bits[best.knob] = best.bits
            added += best.added

    def steps(self, bits: Bits) -> Iterator[Step]:
        """Yield what fewer bits of one knob may add and save, if they save anything."""
        price = self.price(bits)
        for knob in self._errors:
            now = self._added(knob, bits[knob])
            for fewer in range(min(knob.fewest, self.start[knob] - 1), bits[knob]):
                saved = price - self.price({**bits, knob: fewer})
                if saved > 0:
                    yield Step(knob, fewer, self._added(knob, fewer) - now, saved)

    def price(self, bits: Bits) -> float:
        """Return what all tables, and to make their keys ready, cost in operations."""
        fewer = {knob: self.start[knob] - number for knob, number in bits.items()}
        total, sizes = 0.0, set()
        for name, table in self._tables.items():
            width, exact_to = table.bits, table.exact_to
            for knob, (narrower, coarser) in table.slopes.items():
                width -= narrower * fewer.get(knob, 0)
                exact_to -= coarser * fewer.get(knob, 0)
            kept = min(bits.get(Knob("layers", name), width), width)
            sizes.add(size := int(np.ceil(max(kept, 1))))
            price = self._prices.operations(size, exact_to)
            if self._bit_by_bit:
                price += max(width - kept, 0) * self._prices.operations(1)
            total += table.number * price
        return total + _KEYS * sum(map(self._prices.key_operations, sizes))

    def _added(self, knob: Knob, bits: int) -> float:
        """Return what bits add to the squared error: as measured, or by the law."""
        known, start = self._errors[knob], self.start[knob]
        nearest = max((other for other in known if other <= bits), default=min(known))
        scale = known[nearest] / (knob.law(nearest) - knob.law(start))
        return scale * (knob.law(bits) - knob.law(start))
