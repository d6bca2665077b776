"""Bits of tables, weights and results: as few as accuracy allows."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators._progress import stage
from fhe_estimators.core.engine import Prices
from fhe_estimators.core.integers import BitWidths, KeptBits
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.core.quantized_module.module import QuantizedModule
from fhe_estimators.core.quantized_module.noise import noise_bits
from fhe_estimators.core.quantized_module.rounding import RoundingOptions
from fhe_estimators.exceptions import AccuracyWarning, CompilationError

logger = logging.getLogger(__name__)

#: Bits that tables read at most, where they are chosen: one of more takes seconds.
_MOST_BITS = 7
#: Bits at least, of anything.
_FEWEST = 2
#: Choices that are quantized, and how many of them by laws of errors.
_TRIALS, _BY_LAW = 8, 5
#: What the squared error allowed is multiplied by after a choice that errs too much; the
#: part of the tolerance that is not worth a choice.
_LESS, _LEAST = 0.85, 0.1
#: The tolerance is so large a part of the error with the most bits, at least.
_OF_LEAST = 0.5
#: The part of the rows whose label may change, and that which the most bits may change: if
#: those change more, prices of labels are paid for nothing.
_LABELS, _MOST_LABELS = 0.01, 0.03


class _Knob(NamedTuple):
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
        return max(_FEWEST, self.measured[0] - 1)

    def law(self, bits: int) -> float:
        """Return the squared unit of so many bits, up to a factor."""
        return (
            float((2.0 ** (bits - 1) - 1) ** -2) if self.part == "weights" else 4.0**-bits
        )


_Bits = Mapping[_Knob, int]


@dataclass
class _Table:
    """Look-ups of one layer.

    Parameters
    ----------
    number : int
        Look-ups for a row.
    bits : float
        Of the accumulator.
    exact_to : float
        See `noise_bits`.
    slopes : dict of _Knob to tuple of float
        How many of both are fewer for each bit less.
    """

    number: int
    bits: float
    exact_to: float
    slopes: dict[_Knob, tuple[float, float]] = field(default_factory=dict)


def _tables_of(module: QuantizedModule) -> dict[str, _Table]:
    exact_to = noise_bits(module.graph)
    return {
        layer.name: _Table(layer.tables, layer.input_bits, exact_to.get(layer.name, 0.0))
        for layer in module.layers
        if layer.tables
    }


class BitSearch:
    """Chooses the bits of each table and each product of a graph.

    What a table adds to the squared error of the outputs falls fourfold with each bit that
    it reads or gives, ``c 4**-k``; what weights of `w` bits add, with the square of their
    unit, ``d / (2**(w - 1) - 1)**2`` [1]_. The factors are measured, one by one.

    A table has a price: of the bits that it reads, of each further bit of its accumulator
    that is rounded away, and of what its results have to be exact to. Weights and results
    of fewer bits make accumulators narrower, by as much as is measured, too.

    From the most bits on, those are given up, again and again, which save most for the
    error that they add. The result is quantized, and what is allowed is corrected by what
    it really errs.

    Parameters
    ----------
    quantized : callable
        Gives the module for a `KeptBits`.
    error : callable
        Tells how far a module is from the float model, see `deviation`.
    options : RoundingOptions
    prices : Prices
        Of tables.
    bits : BitWidths
        The most bits of weights and of results of tables.
    changed : callable, optional
        Tells in what part of the rows a module has another label than the float model, see
        `labels_changed`. A hundredth more is allowed than with the most bits, if those
        change at most three hundredths themselves.

    References
    ----------
    .. [1] Y. Zhou, S. Moosavi-Dezfooli, N. Cheung, P. Frossard, "Adaptive Quantization for
       Deep Neural Network", AAAI 2018.
    """

    def __init__(
        self,
        quantized: Callable[[KeptBits], QuantizedModule],
        error: Callable[[QuantizedModule], float],
        options: RoundingOptions,
        prices: Prices,
        bits: BitWidths,
        changed: Callable[[QuantizedModule], float] | None = None,
    ) -> None:
        self._quantized, self._error = quantized, error
        self._changed = changed or (lambda module: 0.0)
        self._options, self._prices, self._bits = options, prices, bits

    def with_most_bits(self, most: int) -> QuantizedModule:
        """Return the module whose tables read `most` bits, where there are as many."""
        return self._quantized(self._options.keeping(most))

    @stage("search of bits")
    def cheapest(
        self, module: QuantizedModule, most: int
    ) -> tuple[QuantizedModule, float, float]:
        """Return a module whose tables read up to `most` bits.

        Parameters
        ----------
        module : QuantizedModule
            That `with_most_bits`.
        most : int

        Returns
        -------
        module : QuantizedModule
        error : float
            Of the module.
        limit : float
            Error that is allowed: what the most bits leave, and the tolerance.
        """
        least, least_changed = self._error(module), self._changed(module)
        tables = _tables_of(module)
        errors: dict[_Knob, dict[int, float]] = {}
        start: dict[_Knob, int] = dict(self._knobs(module, most))
        for knob in list(start):
            errors[knob] = self._measured(knob, start, most, tables, module, least)
            if not errors[knob]:
                del start[knob], errors[knob]

        tolerance, limit = _allowed(least, self._options.tolerance)
        few_labels, most_changed = np.inf, 1.0
        if least_changed <= _MOST_LABELS:
            few_labels, most_changed = _allowed(least_changed, _LABELS)
        allowed = tolerance**2
        chosen, tried = start, [start]
        while len(tried) <= _TRIALS:
            if len(tried) <= _BY_LAW and allowed > (_LEAST * tolerance) ** 2:
                chosen = self._cheapest_by_price(start, errors, tables, allowed)
            else:  # what bits add is not what the laws say: more of all of them
                chosen = {knob: min(bits + 1, start[knob]) for knob, bits in chosen.items()}
                if chosen == start:
                    break
            if chosen in tried:
                allowed *= _LESS
                continue
            tried.append(chosen)
            fewer = self._quantized(self._keeping(chosen, most))
            error = self._error(fewer)
            changed = self._changed(fewer)
            logger.debug(
                "error %.3f of %.3f, labels %.3f of %.3f: %s",
                *(error, limit, changed, most_changed, chosen),
            )
            if error <= limit and changed <= most_changed:
                return fewer, error, limit
            # Labels change as often as outputs err, to the first order: squares add, too.
            added = max(
                (error**2 - least**2) / tolerance**2,
                (changed**2 - least_changed**2) / few_labels**2,
                1.0,
            )
            allowed *= np.clip(1 / added, _LESS**3, _LESS)
        return module, least, limit

    def _knobs(self, module: QuantizedModule, most: int) -> Iterator[tuple[_Knob, int]]:
        """Yield what can be chosen, and its bits now."""
        for layer in module.layers:
            if layer.tables:
                yield _Knob("layers", layer.name), min(layer.kept_bits, most)
                yield _Knob("results", layer.name), self._bits.op_inputs
        kind_of = kinds_of(module.graph)
        for node in module.graph:
            if kind_of(node).is_product and set(node.inputs) & set(module.graph.constants):
                yield _Knob("weights", node.outputs[0]), self._bits.op_weights

    def _keeping(self, bits: _Bits, most: int) -> KeptBits:
        parts: dict[str, Any] = {"layers": {}, "weights": {}, "results": {}}
        for knob, number in bits.items():
            parts[knob.part][knob.name] = number
        return replace(self._options.keeping(most), **parts)

    def _measured(
        self,
        knob: _Knob,
        start: _Bits,
        most: int,
        tables: dict[str, _Table],
        module: QuantizedModule,
        least: float,
    ) -> dict[int, float]:
        """Return what some numbers of bits add to the squared error.

        Nothing where they make no difference. Sets the slopes of tables, too.
        """
        found: dict[int, float] = {}
        for bits in sorted({min(bits, start[knob] - 1) for bits in knob.measured}):
            if bits < _FEWEST:
                continue
            fewer = self._quantized(self._keeping({**start, knob: bits}, most))
            if str(fewer.graph) == str(module.graph):
                continue
            for name, table in _tables_of(fewer).items():
                known = tables.get(name)
                if known is not None:
                    lost = start[knob] - bits
                    known.slopes[knob] = (
                        (known.bits - table.bits) / lost,
                        (known.exact_to - table.exact_to) / lost,
                    )
            found[bits] = max(self._error(fewer) ** 2 - least**2, 0.0)
        return found

    def _cheapest_by_price(
        self,
        start: _Bits,
        errors: Mapping[_Knob, Mapping[int, float]],
        tables: Mapping[str, _Table],
        allowed: float,
    ) -> dict[_Knob, int]:
        """Return bits that add no more than is allowed to the squared error."""
        bits, added = dict(start), 0.0
        while True:
            price = self._price(bits, start, tables)
            best: tuple[float, float, _Knob, int] | None = None
            for knob, known in errors.items():
                now = _added(knob, bits[knob], start[knob], known)
                for fewer in range(min(knob.fewest, start[knob] - 1), bits[knob]):
                    more = _added(knob, fewer, start[knob], known) - now
                    if added + more > allowed:
                        continue
                    saved = price - self._price({**bits, knob: fewer}, start, tables)
                    gain = saved / max(more, 1e-12)
                    if saved > 0 and (best is None or gain > best[0]):
                        best = gain, more, knob, fewer
            if best is None:
                return bits
            _, more, knob, bits[knob] = best
            added += more

    def _price(self, bits: _Bits, start: _Bits, tables: Mapping[str, _Table]) -> float:
        """Return what all tables cost, in operations."""
        fewer = {knob: start[knob] - number for knob, number in bits.items()}
        total = 0.0
        for name, table in tables.items():
            width, exact_to = table.bits, table.exact_to
            for knob, (narrower, coarser) in table.slopes.items():
                width -= narrower * fewer.get(knob, 0)
                exact_to -= coarser * fewer.get(knob, 0)
            kept = min(bits.get(_Knob("layers", name), width), width)
            price = self._prices.operations(int(np.ceil(max(kept, 1))), exact_to)
            if self._options.method == "exact":
                price += max(width - kept, 0) * self._prices.operations(1)
            total += table.number * price
        return total


def _allowed(least: float, tolerance: float) -> tuple[float, float]:
    """Return what may be added to an error, as squares add, and the limit of the sum."""
    tolerance = max(tolerance, _OF_LEAST * least)
    return tolerance, float(np.hypot(least, tolerance))


def _added(knob: _Knob, bits: int, start: int, known: Mapping[int, float]) -> float:
    """Return what bits add to the squared error: as measured, or by the law from there."""
    nearest = max((other for other in known if other <= bits), default=min(known))
    scale = known[nearest] / (knob.law(nearest) - knob.law(start))
    return scale * (knob.law(bits) - knob.law(start))


def fewest_bits(
    search: BitSearch, complexity: Callable[[QuantizedModule], float]
) -> QuantizedModule:
    """Return the cheapest module that is accurate enough and has parameters.

    Parameters
    ----------
    search : BitSearch
    complexity : callable
        Compiles a module and tells what it costs.

    Raises
    ------
    BitWidthError
        If tables would read too wide integers even so.

    Warns
    -----
    AccuracyWarning
        If nothing that is accurate has cryptographic parameters.
    """
    first, allowed = None, np.inf
    for most in range(_MOST_BITS, 0, -1):
        module = search.with_most_bits(most)
        if not any(layer.tables for layer in module.layers):
            return module
        module, error, limit = search.cheapest(module, most)
        first, allowed = first or module, min(limit, allowed)
        try:
            complexity(module)
        except CompilationError as reason:
            logger.debug("%s", reason)
            continue
        if error > allowed:
            warnings.warn(
                "Sums have to be rounded so far, to have cryptographic parameters, that "
                f"outputs err by {error:.2f} of their standard deviation on the "
                f"calibration rows, not by {allowed:.2f}. Use a smaller n_bits, fewer "
                "inputs per neuron, or quantization-aware training.",
                AccuracyWarning,
                stacklevel=2,
            )
        return module
    assert first is not None
    # Compiling says why.
    return first
