"""Bits of tables, weights and results: as few as accuracy allows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators._progress import stage
from fhe_estimators._warnings import warn
from fhe_estimators.core.engine import Prices
from fhe_estimators.core.integers import BitWidths, KeptBits
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.core.quantized_module.laws import FEWEST, Bits, Knob, Laws, tables_of
from fhe_estimators.core.quantized_module.module import QuantizedModule
from fhe_estimators.core.quantized_module.rounding import RoundingOptions
from fhe_estimators.exceptions import AccuracyWarning, CompilationError

logger = logging.getLogger(__name__)

#: Bits that tables read at most, where they are chosen: one of more takes seconds.
_MOST_BITS = 7
#: Choices that are quantized, and how many of them by laws of errors.
_TRIALS, _BY_LAW = 8, 5
#: Choices, at most, that have a bit less than an accurate one, and the part of the price
#: that each has to save.
_STEPS, _WORTH = 24, 0.005
#: What the squared error allowed is multiplied by after a choice that errs too much; the
#: part of the first one that is not worth a choice.
_LESS, _LEAST = 0.85, 0.01
#: The tolerance is so large a part of the error with the most bits, at least. (With a half
#: a network on long tails keeps tables of seven bits, whose keys take a second a row.)
_OF_LEAST = 0.8
#: The part of the rows whose label may change, and that which the most bits may change: if
#: those change more, prices of labels are paid for nothing.
_LABELS, _MOST_LABELS = 0.01, 0.03


class _Trial(NamedTuple):
    """A choice of bits, its module and error, and the part of labels that change."""

    bits: dict[Knob, int]
    module: QuantizedModule
    error: float
    changed: float


class _Limit(NamedTuple):
    """A figure of the most bits, and the most that it may be with fewer."""

    least: float
    most: float

    def used(self, figure: float) -> float:
        """Return what part of the squares between both a figure takes."""
        return (figure**2 - self.least**2) / (self.most**2 - self.least**2)


class _Limits(NamedTuple):
    """What trials may err, and how many labels they may change."""

    error: _Limit
    changed: _Limit

    @classmethod
    def beside(cls, most: _Trial, tolerance: float) -> _Limits:
        """Return the limits of trials that have fewer bits than one with the most."""
        tolerance = max(tolerance, _OF_LEAST * most.error)
        labels = most.changed + _LABELS if most.changed <= _MOST_LABELS else np.inf
        return cls(
            # Errors of many numbers add up as squares do.
            _Limit(most.error, float(np.hypot(most.error, tolerance))),
            _Limit(most.changed, labels),
        )

    def hold(self, trial: _Trial) -> bool:
        """Tell whether a trial is accurate."""
        return trial.error <= self.error.most and trial.changed <= self.changed.most

    def used(self, trial: _Trial) -> float:
        """Return the part of the squared error allowed that a trial takes.

        Labels change as often as outputs err, to the first order.
        """
        return max(self.error.used(trial.error), self.changed.used(trial.changed))


class BitSearch:
    """Chooses the bits of each table and each product of a graph.

    What bits add to the error is measured, one by one. From the most bits on, those are
    given up, again and again, which save most for the error that they add, see `Laws`.
    The result is quantized, and what is allowed is corrected by what it really errs. From
    the first result that is accurate bits are given up one by one, each result judged by
    what it really errs: laws know nothing of errors that cancel or that add up.

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
        `labels_changed`. A hundredth of the rows more than with the most bits is allowed,
        if those change at most three hundredths themselves.
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
        with_most = self._judged({}, module)
        limits = _Limits.beside(with_most, self._options.tolerance)
        laws = self._laws(with_most, most)
        found = self._first(laws, most, limits)
        found = with_most if found is None else self._refined(found, laws, most, limits)
        return found.module, found.error, limits.error.most

    def _first(self, laws: Laws, most: int, limits: _Limits) -> _Trial | None:
        """Return the first trial by laws that is accurate, None if there is none."""
        allowed = tolerated = limits.error.most**2 - limits.error.least**2
        start = dict(laws.start)
        chosen, tried = start, [start]
        while len(tried) <= _TRIALS:
            if len(tried) <= _BY_LAW and allowed > _LEAST * tolerated:
                chosen = laws.cheapest(allowed)
            else:  # what bits add is not what the laws say: more of all of them
                chosen = {knob: min(bits + 1, start[knob]) for knob, bits in chosen.items()}
                if chosen == start:
                    break
            if chosen in tried:
                allowed *= _LESS
                continue
            tried.append(chosen)
            trial = self._tried(chosen, most)
            if limits.hold(trial):
                return trial
            allowed *= np.clip(1 / max(limits.used(trial), 1.0), _LESS**3, _LESS)
        return None

    def _refined(self, trial: _Trial, laws: Laws, most: int, limits: _Limits) -> _Trial:
        """Return an accurate trial of fewer bits: one by one, what gains most first."""
        failed: set[tuple[Knob, int]] = set()
        for _ in range(_STEPS):
            worth = _WORTH * laws.price(trial.bits)
            steps = [
                step
                for step in laws.steps(trial.bits)
                if step.bits == trial.bits[step.knob] - 1
                and step.saved > worth
                and (step.knob, step.bits) not in failed
            ]
            if not steps:
                break
            best = max(steps, key=lambda step: step.gain)
            fewer = self._tried({**trial.bits, best.knob: best.bits}, most)
            if limits.hold(fewer):
                trial = fewer
            else:
                failed.add((best.knob, best.bits))
        return trial

    def _tried(self, bits: dict[Knob, int], most: int) -> _Trial:
        return self._judged(bits, self._quantized(self._keeping(bits, most)))

    def _judged(self, bits: dict[Knob, int], module: QuantizedModule) -> _Trial:
        trial = _Trial(bits, module, self._error(module), self._changed(module))
        logger.debug("error %.3f, labels %.3f: %s", trial.error, trial.changed, bits)
        return trial

    def _knobs(self, module: QuantizedModule, most: int) -> Iterator[tuple[Knob, int]]:
        """Yield what can be chosen, and its bits now."""
        for layer in module.layers:
            if layer.tables:
                yield Knob("layers", layer.name), min(layer.kept_bits, most)
                yield Knob("results", layer.name), self._bits.op_inputs
        kind_of = kinds_of(module.graph)
        for node in module.graph:
            if kind_of(node).is_product and set(node.inputs) & set(module.graph.constants):
                yield Knob("weights", node.outputs[0]), self._bits.op_weights

    def _keeping(self, bits: Bits, most: int) -> KeptBits:
        parts: dict[str, Any] = {"layers": {}, "weights": {}, "results": {}}
        for knob, number in bits.items():
            parts[knob.part][knob.name] = number
        return replace(self._options.keeping(most), **parts)

    def _laws(self, with_most: _Trial, most: int) -> Laws:
        """Return laws of the bits that make a difference, from modules with fewer."""
        start = dict(self._knobs(with_most.module, most))
        tables = tables_of(with_most.module)
        errors: dict[Knob, dict[int, float]] = {}
        for knob, bits in start.items():
            for fewer in sorted({min(few, bits - 1) for few in knob.measured}):
                if fewer < FEWEST:
                    continue
                module = self._quantized(self._keeping({**start, knob: fewer}, most))
                if str(module.graph) == str(with_most.module.graph):
                    continue
                for name, table in tables_of(module).items():
                    if name in tables:
                        tables[name].narrowed(knob, bits - fewer, table)
                added = self._error(module) ** 2 - with_most.error**2
                errors.setdefault(knob, {})[fewer] = max(added, 0.0)
        return Laws(
            {knob: start[knob] for knob in errors},
            errors,
            tables,
            self._prices,
            bit_by_bit=self._options.method == "exact",
        )


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
            warn(
                "Sums have to be rounded so far, to have cryptographic parameters, that "
                f"outputs err by {error:.2f} of their standard deviation on the "
                f"calibration rows, not by {allowed:.2f}. Use a smaller n_bits, fewer "
                "inputs per neuron, or quantization-aware training.",
                AccuracyWarning,
            )
        return module
    assert first is not None
    # Compiling says why.
    return first
