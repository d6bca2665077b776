"""What the client does with a quantized module: before it encrypts, and behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fhe_estimators.core.engine import Integers
from fhe_estimators.core.graph import Value
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization._uniform import UniformQuantizer
from fhe_estimators.core.quantized_module.rows import check_rows
from fhe_estimators.core.trees.encoders import BinEncoder
from fhe_estimators.core.validation import check_finite

#: Numbers of a row that is long enough to be computed fast.
_LONG_ROW = 2**11
#: Features that a warning names.
_NAMED = 10
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
            Value(value.name, (None, quantizer.bin_edges.n_features))
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

    def beyond(
        self, prepared: Sequence[np.ndarray], names: Sequence[str] | None
    ) -> str | None:
        """Return in words how many inputs lie beyond the calibrated ranges, or None.

        Parameters
        ----------
        prepared : sequence of ndarray
            What `prepare` returns.
        names : sequence of str, optional
            Of the features.
        """
        pairs = [
            (quantizer, array)
            for quantizer, array in zip(self.input_quantizers, prepared, strict=True)
            if isinstance(quantizer, UniformQuantizer)
        ]
        if not any(
            quantizer.is_beyond(_extremes(array)).any() for quantizer, array in pairs
        ):
            return None
        hits = [
            quantizer.is_beyond(array).reshape(len(array), -1) for quantizer, array in pairs
        ]
        count = sum(np.count_nonzero(hit) for hit in hits)
        message = (
            f"{count / sum(hit.size for hit in hits):.2%} of the numbers lie beyond the "
            "ranges of the rows that the model was fitted on, and are taken as their ends"
        )
        if len(hits) == 1 and self.prologue is None:
            places = np.flatnonzero(hits[0].any(axis=0)).tolist()
            found = [str(place if names is None else names[place]) for place in places]
            more = ", ..." if len(found) > _NAMED else ""
            message += f" (features {', '.join(found[:_NAMED])}{more})"
        return message

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


def _extremes(array: np.ndarray) -> np.ndarray:
    """Return a row of the smallest numbers, and one of the largest."""
    if not array.size:
        return array
    # numpy is fast along long rows: as many rows as fit in are taken as one first.
    joined = max(1, _LONG_ROW // array[0].size)
    if len(array) > 2 * joined and array.flags.c_contiguous:
        whole = len(array) - len(array) % joined
        long = array[:whole].reshape(-1, joined, *array.shape[1:])
        long = np.stack([long.min(axis=0), long.max(axis=0)])
        array = np.concatenate([*long, array[whole:]])
    return np.stack([array.min(axis=0), array.max(axis=0)])
