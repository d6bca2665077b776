"""Operators that quantize: what quantization-aware training leaves in a graph.

They belong to the operator set of QONNX [1]_, which Brevitas exports.

References
----------
.. [1] A. Pappalardo et al., "QONNX: Representing Arbitrary-Precision Quantized Neural
   Networks", 2022; the specifications of Quant (IntQuant), BipolarQuant and Trunc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.tensors import ClearIntegers, Encrypted, Grid
from fhe_estimators.core.operators._base import Operand, QuantizedOp, as_array, register
from fhe_estimators.exceptions import UnsupportedOperatorError


def _half_up(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def _half_down(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.ceil(np.abs(x) - 0.5)


def _up(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.ceil(np.abs(x))


#: QONNX's rounding modes, in capital letters.
_ROUNDING: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "CEIL": np.ceil,
    "DOWN": np.trunc,
    "FLOOR": np.floor,
    "HALF_DOWN": _half_down,
    "HALF_EVEN": np.rint,
    "HALF_UP": _half_up,
    "ROUND": np.rint,
    "ROUND_TO_ZERO": np.trunc,
    "UP": _up,
}


def _rounding(mode: str) -> Callable[[np.ndarray], np.ndarray]:
    try:
        return _ROUNDING[mode.upper()]
    except KeyError:
        raise UnsupportedOperatorError(
            f"The rounding mode {mode!r} is not supported; supported: "
            f"{', '.join(sorted(_ROUNDING))}."
        ) from None


def _ends(bits: Any, signed: int, narrow: int) -> tuple[float, float]:
    """Return the smallest and the largest integer of so many bits."""
    width = float(np.max(bits))
    if signed:
        return -(2 ** (width - 1)) + bool(narrow), 2 ** (width - 1) - 1
    return 0.0, 2**width - 1 - bool(narrow)


#: The domain of the operators.
DOMAIN = "qonnx.custom_op.general"


class OntoGrid(QuantizedOp):
    """Family base: numbers are rounded to a grid that training has chosen."""

    domain = DOMAIN
    pointwise = True
    trained = True

    def can_fuse(self, operands: Sequence[Operand]) -> bool:
        """Tell whether only the first operand is encrypted."""
        return not any(isinstance(operand, Encrypted) for operand in operands[1:])

    def grid(self, *parameters: np.ndarray) -> Grid:
        """Return the grid for clear parameters of the node."""
        raise NotImplementedError

    def in_clear(self, operands: Sequence[Operand]) -> ClearIntegers | np.ndarray:
        """Return the numbers with the grid that they lie on, if zero is an integer."""
        x, *parameters = map(as_array, operands)
        values = np.asarray(self(x, *parameters), float)
        grid = self.grid(*parameters)
        if np.any(grid.offset):
            return values
        return ClearIntegers(values, np.broadcast_to(grid.scale, values.shape))

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Compute the integers in one table, if they are not there already."""
        x, *parameters = operands
        if not isinstance(x, Encrypted) or not self.can_fuse(operands):
            raise self.unsupported("its parameters are encrypted")
        grid = self.grid(*map(as_array, parameters))
        if _lies_on(x, grid):
            return x
        rounded = x.then(lambda real: self(real, *parameters))
        return builder.materialize(rounded, self.node.outputs[0], grid=grid)


def _lies_on(x: Encrypted, grid: Grid) -> bool:
    """Tell whether the integers stand for numbers of a grid, within its ends."""
    if not x.is_on(grid):
        return False
    shift = (x.offset - grid.offset) / grid.scale
    whole = np.rint(shift)
    inside = (grid.low is None or np.all(x.low + whole >= grid.low)) and (
        grid.high is None or np.all(x.high + whole <= grid.high)
    )
    return bool(inside and np.allclose(shift, whole, rtol=0, atol=1e-6))


def _double(array: Any) -> np.ndarray:
    return np.asarray(array, float)


@register("Quant", since=1)
class Quant(OntoGrid):
    """The nearest of ``scale * (q - zero_point)`` for integers of `bit_width` bits."""

    @staticmethod
    def f(x, scale, zero_point, bit_width, *, signed=1, narrow=0, rounding_mode="ROUND"):
        low, high = _ends(bit_width, signed, narrow)
        q = _rounding(rounding_mode)(_double(x) / scale + zero_point)
        return (np.clip(q, low, high) - zero_point) * _double(scale)

    def grid(self, scale, zero_point, bit_width):
        """Return the grid, whose integers are those of training less the zero point.

        They are those of training where there are several, or one that is no integer.
        """
        attributes = self.attributes
        low, high = _ends(
            bit_width, attributes.get("signed", 1), attributes.get("narrow", 0)
        )
        scale, zero_point = _double(scale), _double(zero_point)
        zero = int(np.max(zero_point))
        if np.any(zero_point != zero):
            return Grid(scale, -scale * zero_point, int(low), int(high))
        return Grid(scale, np.zeros(1), int(low) - zero, int(high) - zero)


@register("IntQuant", since=1)
class IntQuant(Quant):
    """The newer name of `Quant`."""


@register("BipolarQuant", since=1)
class BipolarQuant(OntoGrid):
    """``scale`` where `x` is not negative, else ``-scale``."""

    @staticmethod
    def f(x, scale):
        return np.where(np.asarray(x) >= 0, 1.0, -1.0) * _double(scale)

    def grid(self, scale):
        """Return the grid of -1 and 1."""
        return Grid(_double(scale), np.zeros(1), -1, 1)


@register("Trunc", since=1)
class Trunc(OntoGrid):
    """Integers of a fine grid, divided by a power of two: those of a coarser one."""

    @staticmethod
    def f(
        x,
        scale,
        zero_point,
        in_bit_width,
        out_scale,
        out_bit_width,
        *,
        signed=1,
        narrow=0,
        rounding_mode="FLOOR",
    ):
        fine = np.rint(_double(x) / scale + zero_point)
        ratio = 2.0 ** np.rint(np.log2(_double(out_scale) / scale))
        low, high = _ends(out_bit_width, signed, narrow)
        coarse = np.clip(_rounding(rounding_mode)(fine / ratio), low, high)
        return (coarse - zero_point / ratio) * _double(out_scale)

    def grid(self, scale, zero_point, in_bit_width, out_scale, out_bit_width):
        """Return the coarser grid."""
        attributes = self.attributes
        low, high = _ends(
            out_bit_width, attributes.get("signed", 1), attributes.get("narrow", 0)
        )
        if np.any(zero_point):
            raise self.unsupported("its zero point is not zero")
        return Grid(_double(out_scale), np.zeros(1), int(low), int(high))
