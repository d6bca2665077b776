"""How many bits of the accumulators tables read: as few as accuracy allows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhe_estimators.core.graph import as_tuple
from fhe_estimators.core.integers import KeptBits
from fhe_estimators.core.quantization import MAXIMUM_N_BITS
from fhe_estimators.core.quantized_module.module import QuantizedModule

logger = logging.getLogger(__name__)

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
    labels : bool, default=True
        Whether ``"auto"`` keeps labels as well, where rows have two outputs and more: which
        one is the largest may change for a hundredth of the calibration rows.

    Raises
    ------
    ValueError
        If a parameter is none of these.
    """

    method: str | None = "exact"
    bits: int | str | Mapping[str, int] = "auto"
    tolerance: float = 0.1
    labels: bool = True

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

    @property
    def given(self) -> KeptBits | None:
        """What tables read, None if that is to be chosen."""
        if self.method is None:
            return KeptBits()
        return None if isinstance(self.bits, str) else self.keeping(self.bits)

    def checked(self, module: QuantizedModule) -> QuantizedModule:
        """Return the module.

        Raises
        ------
        ValueError
            If bits are given for a layer that it does not have, or that has no table.
        """
        if self.method is None or not isinstance(self.bits, Mapping):
            return module
        known = [layer.name for layer in module.layers if layer.tables]
        unknown = [name for name in self.bits if name not in known]
        if unknown:
            raise ValueError(
                f"The parameter 'rounding_bits' names layers without a table, "
                f"{', '.join(map(repr, unknown))}; those with a table are "
                f"{', '.join(map(repr, known)) or 'none'}. See the attribute 'layers'."
            )
        return module

    def keeping(self, bits: int | Mapping[str, int] | None) -> KeptBits:
        """Return what tables read if so many bits are kept; None: all."""
        approximate = self.method == "approximate"
        if isinstance(bits, Mapping):
            return KeptBits(None, approximate, dict(bits))
        return KeptBits(bits, approximate)


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
    return float(np.sqrt(np.max([_squared(found, meant) for found, meant in pairs])))


def labels_changed(
    outputs: np.ndarray | Sequence[np.ndarray], exact: np.ndarray | Sequence[np.ndarray]
) -> float:
    """Return in what part of the rows another column of outputs is the largest.

    One row more or less tells nothing and does not count. Of several outputs, that of the
    worst; those of one column have no labels.

    Parameters
    ----------
    outputs, exact : ndarray or tuple of ndarray, of shape (n_samples, ...)
        Of a quantized module, and of the float one.
    """
    changed = [0.0]
    for found, meant in zip(as_tuple(outputs), as_tuple(exact), strict=True):
        if meant.ndim == 2 and meant.shape[1] > 1:
            others = np.count_nonzero(found.argmax(axis=1) != meant.argmax(axis=1))
            changed.append(max(others - 1, 0) / len(meant))
    return max(changed)


def _squared(found: np.ndarray, meant: np.ndarray) -> float:
    """Return the squared error divided by the variance, its mean over columns."""
    found, meant = (np.reshape(array, (len(array), -1)) for array in (found, meant))
    # Numbers up to one, by exact powers of two: squares neither overflow nor vanish.
    _, exponent = np.frexp(np.abs(meant).max(axis=0))
    found, meant = np.ldexp(found, -exponent), np.ldexp(meant, -exponent)
    error, variance = np.mean((found - meant) ** 2, axis=0), np.var(meant, axis=0)
    varies = variance > (_CONSTANT * np.abs(meant).max(axis=0)) ** 2
    return float(np.mean(error[varies] / variance[varies])) if np.any(varies) else 0.0


def _is_number_of_bits(bits: object) -> bool:
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    return whole and 1 <= bits <= MAXIMUM_N_BITS  # type: ignore[operator]
