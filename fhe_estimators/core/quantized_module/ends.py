"""What the client does with a quantized module: before it encrypts, and behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fhe_estimators.core.engine import Integers
from fhe_estimators.core.graph import Value
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module.rows import check_rows
from fhe_estimators.core.trees.encoders import BinEncoder
from fhe_estimators.core.validation import check_finite

_LARGEST = np.finfo(np.float64).max


class Quantizer(Protocol):
    """What turns real inputs into integers."""

    def quant(self, values: ArrayLike, dtype: DTypeLike = ...) -> np.ndarray:
        """Return integers that hold the values."""


class Dequantizer(Protocol):
    """What turns integer results into real numbers."""

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return the real numbers that integers stand for."""


class Ends:
    """From real numbers to integers, and from decrypted integers to real numbers.

    Parameters
    ----------
    inputs : sequence of Value
        What is encrypted.
    input_quantizers : sequence of Quantizer
        One for each input.
    output_quantizers : sequence of Dequantizer
        One for each result.
    clear_module : NumpyModule
        What follows in clear on the dequantized results.
    prologue : NumpyModule or None
        What is computed in clear before numbers are quantized.
    """

    def __init__(
        self,
        inputs: Sequence[Value],
        input_quantizers: Sequence[Quantizer],
        output_quantizers: Sequence[Dequantizer],
        clear_module: NumpyModule,
        prologue: NumpyModule | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.input_quantizers = tuple(input_quantizers)
        self.output_quantizers = tuple(output_quantizers)
        self.clear_module, self.prologue = clear_module, prologue

    def prepare(self, inputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Return what the inputs are quantized from.

        Raises
        ------
        TypeError, ValueError
            If something is no array of finite numbers of the shape of its input.
        """
        if self.prologue is None:
            return check_rows(inputs, self._quantized_from)
        # A comparison would hide nan and infinity from the quantizers.
        finite = map(check_finite, check_rows(inputs, self.prologue.graph.inputs))
        with np.errstate(over="ignore"):
            prepared = self.prologue.outputs(*finite)
        # What overflows lies beyond every range, hence is clipped as if it did not.
        return [np.clip(array, -_LARGEST, _LARGEST) for array in prepared]

    @property
    def _quantized_from(self) -> list[Value]:
        """What is quantized: of a bin encoder all features, whichever are encrypted."""
        return [
            Value(value.name, (None, quantizer.grid.n_features))
            if isinstance(quantizer, BinEncoder)
            else value
            for value, quantizer in zip(self.inputs, self.input_quantizers, strict=True)
        ]

    def quantize(self, prepared: Sequence[np.ndarray]) -> Integers:
        """Return the integers that are encrypted, C-contiguous."""
        return tuple(
            np.ascontiguousarray(quantizer.quant(array))
            for quantizer, array in zip(self.input_quantizers, prepared, strict=True)
        )

    def dequantize(self, results: Sequence[np.ndarray]) -> Integers:
        """Return the raw scores that integers stand for.

        Raises
        ------
        TypeError
            If there are more or fewer results than there should be.
        """
        if len(results) != len(self.output_quantizers):
            raise TypeError(
                f"Expected {len(self.output_quantizers)} arrays; got {len(results)}."
            )
        return tuple(
            quantizer.dequant(array)
            for quantizer, array in zip(self.output_quantizers, results, strict=True)
        )
