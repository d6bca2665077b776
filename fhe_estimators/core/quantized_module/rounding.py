"""How many bits of the accumulators tables read: as few as accuracy allows."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhe_estimators.core.graph import as_tuple
from fhe_estimators.core.integers import KeptBits
from fhe_estimators.core.quantization import MAXIMUM_N_BITS
from fhe_estimators.core.quantized_module.module import QuantizedModule
from fhe_estimators.exceptions import AccuracyWarning, BitWidthError, CompilationError

logger = logging.getLogger(__name__)

#: Bits that may be kept; tables of more take seconds.
_CANDIDATES = (2, 3, 4, 5, 6, 7, 8)
#: Of the candidates that are accurate enough, so many that have parameters are compared,
#: those of fewest bits: a further bit doubles the cost of a table.
_COMPILED = 3

#: A column that varies by no more of its size is constant, but for single precision.
_CONSTANT = 1e-6

ROUNDINGS = ("exact", "approximate")


@dataclass(frozen=True)
class RoundingOptions:
    """How to round accumulators in front of their tables, as a user asks for it.

    Parameters
    ----------
    method : {'exact', 'approximate'} or None, default='exact'
        None: not at all.
    bits : int, mapping of str to int, or 'auto', default='auto'
        Bits that are kept, of all layers or of each by its name. ``"auto"`` finds them.
    tolerance : float, default=0.1
        What rounding may add to the error of the outputs on the calibration rows, as a part
        of their standard deviation, where ``"auto"`` chooses.

    Raises
    ------
    ValueError
        If a parameter is none of these.
    """

    method: str | None = "exact"
    bits: int | str | Mapping[str, int] = "auto"
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        if self.method is not None and not (
            isinstance(self.method, str) and self.method in ROUNDINGS
        ):
            raise ValueError(
                f"The parameter 'rounding' must be one of {ROUNDINGS} or None; "
                f"got {self.method!r}."
            )
        numbers = self.bits.values() if isinstance(self.bits, Mapping) else [self.bits]
        is_auto = isinstance(self.bits, str) and self.bits == "auto"
        if not is_auto and not all(map(_is_number_of_bits, numbers)):
            raise ValueError(
                "The parameter 'rounding_bits' must be 'auto', an integer from 1 to "
                f"{MAXIMUM_N_BITS}, or a dict of them by layer; got {self.bits!r}."
            )

    def keeping(self, bits: int | Mapping[str, int] | None) -> KeptBits:
        """Return what tables read if so many bits are kept; None: all."""
        approximate = self.method == "approximate"
        if isinstance(bits, Mapping):
            return KeptBits(None, approximate, dict(bits))
        return KeptBits(bits, approximate)


def fewest_bits(
    quantized: Callable[[KeptBits], QuantizedModule],
    options: RoundingOptions,
    error: Callable[[QuantizedModule], float],
    complexity: Callable[[QuantizedModule], float],
) -> QuantizedModule:
    """Quantize with as few bits in front of the tables as accuracy allows.

    Parameters
    ----------
    quantized : callable
        Gives the module whose tables read the bits of a `KeptBits`.
    options : RoundingOptions
    error : callable
        Tells how far a module is from the float model, see `deviation`.
    complexity : callable
        Gives the compiled cost of a module.

    Raises
    ------
    BitWidthError
        If tables would read too wide integers even so.
    ValueError
        If bits are given for a layer that there is not, or that has no table.

    Warns
    -----
    AccuracyWarning
        If nothing that is accurate has cryptographic parameters.
    """
    if options.method is None or options.bits != "auto":
        bits = options.bits if options.method else None
        assert not isinstance(bits, str)
        module = quantized(options.keeping(bits))
        if isinstance(bits, Mapping):
            _check_names(bits, module)
        return module

    whole = _unless_too_wide(quantized, KeptBits())
    widest = _CANDIDATES[-1] + 1
    if whole is not None:
        widest = max((layer.kept_bits for layer in whole.layers if layer.tables), default=0)
    candidates = [
        _unless_too_wide(quantized, options.keeping(bits))
        for bits in _CANDIDATES
        if bits < widest
    ]
    if widest > _CANDIDATES[-1] and any(candidates):
        whole = None
    modules = [module for module in (*candidates, whole) if module is not None]
    if not modules:
        return quantized(options.keeping(_CANDIDATES[-1]))
    if len(modules) == 1:
        return modules[0]
    errors = [error(module) for module in modules]
    # More bits are closer; what even the most cannot reach is not asked of fewer.
    limit = np.hypot(min(errors), options.tolerance)
    close = [place for place in range(len(modules)) if errors[place] <= limit]
    costs: dict[int, float] = {}
    for place in close:
        if len(costs) == _COMPILED:
            break
        cost = _cost(modules[place], complexity)
        if np.isfinite(cost):
            costs[place] = cost
    logger.debug("errors %s, costs %s", errors, costs)
    if costs:
        return modules[min(costs, key=lambda place: costs[place])]
    # None that is accurate has parameters: the most accurate one that has.
    for place in sorted(set(range(len(modules))) - set(close), key=lambda i: errors[i]):
        if np.isfinite(_cost(modules[place], complexity)):
            warnings.warn(
                "Sums have to be rounded so far, to have cryptographic parameters, that "
                f"outputs err by {errors[place]:.2f} of their standard deviation on the "
                f"calibration rows; {min(errors):.2f} without. Use a smaller n_bits, fewer "
                "inputs per neuron, or quantization-aware training.",
                AccuracyWarning,
                stacklevel=2,
            )
            return modules[place]
    # Compiling says why.
    return modules[close[0]]


def _check_names(bits: Mapping[str, int], module: QuantizedModule) -> None:
    """Raise if bits are given of layers that the module does not have."""
    known = [layer.name for layer in module.layers if layer.tables]
    unknown = [name for name in bits if name not in known]
    if unknown:
        raise ValueError(
            f"The parameter 'rounding_bits' names layers without a table, "
            f"{', '.join(map(repr, unknown))}; those with a table are "
            f"{', '.join(map(repr, known)) or 'none'}. See the attribute 'layers'."
        )


def deviation(
    outputs: np.ndarray | Sequence[np.ndarray], exact: np.ndarray | Sequence[np.ndarray]
) -> float:
    """Return the root mean square error of outputs in units of their standard deviation.

    Each column is measured by itself, in its own unit and whatever its offset, and their
    squares are averaged; columns that do not vary do not count. Of several outputs, that of
    the worst.

    Parameters
    ----------
    outputs, exact : ndarray or tuple of ndarray, of shape (n_samples, ...)
        Of a quantized module, and of the float one.
    """
    pairs = zip(as_tuple(outputs), as_tuple(exact), strict=True)
    return float(np.sqrt(max(_squared(found, meant) for found, meant in pairs)))


def _squared(found: np.ndarray, meant: np.ndarray) -> float:
    """Return the squared error divided by the variance, its mean over columns."""
    found, meant = (np.reshape(array, (len(array), -1)) for array in (found, meant))
    error, variance = np.mean((found - meant) ** 2, axis=0), np.var(meant, axis=0)
    varies = variance > (_CONSTANT * np.abs(meant).max(axis=0)) ** 2
    return float(np.mean(error[varies] / variance[varies])) if np.any(varies) else 0.0


def _unless_too_wide(
    quantized: Callable[[KeptBits], QuantizedModule], kept_bits: KeptBits
) -> QuantizedModule | None:
    try:
        return quantized(kept_bits)
    except BitWidthError as error:
        logger.debug("%s", error)
        return None


def _cost(module: QuantizedModule, complexity: Callable[[QuantizedModule], float]) -> float:
    try:
        return complexity(module)
    except CompilationError as error:
        logger.debug("%s", error)
        return float("inf")


def _is_number_of_bits(bits: object) -> bool:
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    return whole and 1 <= bits <= MAXIMUM_N_BITS  # type: ignore[operator]
