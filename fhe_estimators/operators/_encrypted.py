"""Encrypted tensors while a graph is being quantized, and the builder they go to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fhe_estimators.exceptions import BitWidthError, GraphError
from fhe_estimators.graph import Graph, Node, Value, bits_of_range
from fhe_estimators.graph._spec import MAXIMUM_TABLE_BITS

RealFunction = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Encrypted:
    """A real tensor that is held as encrypted integers ``q``.

    The real tensor is ``function(scale * q + offset)``, where `function` works element
    by element and is not computed yet (None: the identity). Element-wise operators
    extend `function`; it becomes one table when integers are needed again.

    Parameters
    ----------
    name : str
        The integer tensor in the integer graph.
    scale, offset : ndarray of float64 of shape (1, ...)
        One number for each element of a row.
    low, high : ndarray of int64 of shape (1, ...)
        Smallest and largest integer that each element can ever hold.
    function : callable or None
    """

    name: str
    scale: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray
    function: RealFunction | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row, with a leading 1."""
        return self.low.shape

    def apply(self, real: np.ndarray) -> np.ndarray:
        """Apply the pending function."""
        return real if self.function is None else self.function(real)

    def then(self, function: RealFunction) -> Encrypted:
        """Return the tensor with one more function to compute."""
        before = self.function
        after = function if before is None else lambda real: function(before(real))
        return replace(self, function=after)

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Encrypted:
        """Return ``factor * tensor + shift``: free, nothing is computed encrypted."""
        scale = np.broadcast_to(self.scale * factor, self.shape)
        offset = np.broadcast_to(self.offset * factor + shift, self.shape)
        return replace(self, scale=scale, offset=offset)

    def laid_out(self, name: str, layout: Callable[[np.ndarray], np.ndarray]) -> Encrypted:
        """Return the tensor after its elements were moved, not changed."""
        arrays = (self.scale, self.offset, self.low, self.high)
        scale, offset, low, high = map(layout, arrays)
        return Encrypted(name, scale, offset, low, high)


@dataclass(frozen=True)
class BitWidths:
    """Bits of each part of a quantized graph.

    Parameters
    ----------
    op_inputs : int
        Of graph inputs and of the results of tables.
    op_weights : int
        Of weights: integers in ``[-(2**(op_weights - 1) - 1), 2**(op_weights - 1) - 1]``
        (in ``{-1, 0, 1}`` for one bit).
    """

    op_inputs: int = 8
    op_weights: int = 8


class IntegerBuilder:
    """Collects the nodes of an integer graph.

    Parameters
    ----------
    bits : BitWidths
    real : mapping of str to ndarray
        What calibration saw in each float tensor: rows of numbers.
    weights : ndarray of shape (n_rows,)
        How much each of these rows counts.
    compute : callable
        Gives the result of an integer node from arrays.

    Attributes
    ----------
    samples : dict of str to ndarray of int64
        The integers of each integer tensor on the same rows.
    """

    def __init__(
        self,
        bits: BitWidths,
        real: Mapping[str, np.ndarray],
        weights: np.ndarray,
        compute: Callable[..., np.ndarray],
    ) -> None:
        self.bits = bits
        self.real = real
        self.weights = weights
        self.samples: dict[str, np.ndarray] = {}
        self._compute = compute
        self._nodes: list[Node] = []
        self._constants: dict[str, np.ndarray] = {}
        self._values: dict[str, Value] = {}
        self._tables: dict[str, Encrypted] = {}

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add a clear integer tensor and return its name."""
        name = self._unique(name)
        self._constants[name] = np.ascontiguousarray(array)
        return name

    def declare(self, name: str, low: np.ndarray, high: np.ndarray) -> Value:
        """Declare an integer tensor with its range and return it."""
        value = Value(name, (None, *low.shape[1:]), int(low.min()), int(high.max()))
        self._values[name] = value
        return value

    def emit(
        self,
        op: str,
        inputs: tuple[str, ...],
        low: np.ndarray,
        high: np.ndarray,
        *,
        result: str,
        **attributes: Any,
    ) -> str:
        """Add a node and return the name of its result, whose range is given."""
        name = self._unique(result)
        node = Node(op, inputs, (name,), attributes, name)
        self._nodes.append(node)
        self.declare(name, low, high)
        known = {**self._constants, **self.samples, "": None}
        self.samples[name] = self._compute(node, *(known[i] for i in inputs))
        return name

    def materialize(self, tensor: Encrypted, result: str) -> Encrypted:
        """Return `tensor` without a pending function, through one table if it had one.

        Entry ``i`` of the table is ``quantize(function(scale * (low + i) + offset))``,
        where `quantize` rounds to ``2**op_inputs`` levels of the calibrated range of the
        float tensor `result`. The table covers every integer that the tensor can hold.
        Who asks for the same `result` again gets the same table.
        """
        if tensor.function is None:
            return tensor
        if result in self._tables:
            return self._tables[result]
        low, high = int(tensor.low.min()), int(tensor.high.max())
        bits = bits_of_range(low, high)
        if bits > MAXIMUM_TABLE_BITS:
            raise BitWidthError(
                f"The table that computes {result!r} reads {tensor.name!r}, an integer "
                f"of {bits} bits; the limit is {MAXIMUM_TABLE_BITS}. "
                "Use a smaller n_bits, fewer inputs per neuron, or prune weights."
            )
        steps = np.arange(low, high + 1).reshape(-1, *[1] * (len(tensor.shape) - 1))
        seen = np.asarray(self.real[result], float)
        seen = seen[np.isfinite(seen)]
        if not seen.size:
            raise GraphError(f"Calibration gave no finite number for {result!r}.")
        smallest, largest = float(seen.min()), float(seen.max())
        levels = 2**self.bits.op_inputs - 1
        scale = (largest - smallest) / levels or 1.0
        # Some integers of the range stand for numbers that no row gives, where the
        # function may be undefined (a logarithm below zero): any entry is right there.
        with np.errstate(all="ignore"):
            real = tensor.apply(tensor.scale * steps + tensor.offset)
        real = np.nan_to_num(np.asarray(real, float), nan=smallest)
        table = np.rint((np.clip(real, smallest, largest) - smallest) / scale)
        table = table.astype(np.int64)
        columns = table.reshape(len(table), -1)
        uniform = bool((columns == columns[:, :1]).all())
        name = self.emit(
            "TableLookup",
            (
                tensor.name,
                self.constant(f"{result}.table", columns[:, 0] if uniform else table),
            ),
            table.min(axis=0, keepdims=True),
            table.max(axis=0, keepdims=True),
            result=result,
            first=low,
        )
        ones = np.ones(tensor.shape)
        self._tables[result] = Encrypted(
            name,
            scale * ones,
            smallest * ones,
            table.min(axis=0, keepdims=True),
            table.max(axis=0, keepdims=True),
        )
        return self._tables[result]

    def build(self, inputs: tuple[Value, ...], outputs: tuple[str, ...]) -> Graph:
        """Return the integer graph between `inputs` and the tensors named `outputs`."""
        return Graph(
            tuple(self._nodes),
            inputs,
            tuple(self._values[name] for name in outputs),
            self._constants,
            self._values,
        )

    def _unique(self, name: str) -> str:
        taken = self._constants.keys() | self._values.keys()
        if name not in taken:
            return name
        return next(
            candidate
            for number in range(1, len(taken) + 2)
            if (candidate := f"{name}.{number}") not in taken
        )
