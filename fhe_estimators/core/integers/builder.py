"""The builder that operators append the nodes of an integer graph to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.graph._spec import MAXIMUM_TABLE_BITS
from fhe_estimators.core.integers.alignment import align
from fhe_estimators.core.integers.tensors import Encrypted, Grid
from fhe_estimators.exceptions import BitWidthError, GraphError

#: Gives the ends of the range that integers of so many levels should cover, from numbers
#: of shape (n_numbers, n_grids).
RangeOf = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]

#: Tables that are larger, before rounding, are not aligned with their functions.
_MOST_ENTRIES = 2**25


@dataclass(frozen=True)
class BitWidths:
    """Bits of each part of a quantized graph.

    Parameters
    ----------
    op_inputs : int
        Of the results of tables.
    op_weights : int
        Of weights: integers in ``[-(2**(op_weights - 1) - 1), 2**(op_weights - 1) - 1]``
        (in ``{-1, 0, 1}`` for one bit).
    model_inputs, model_outputs : int, optional
        Of the inputs of the graph, and of its outputs where they are results of tables; as
        `op_inputs` by default.
    """

    op_inputs: int = 8
    op_weights: int = 8
    model_inputs: int | None = None
    model_outputs: int | None = None

    @property
    def of_inputs(self) -> int:
        """Bits of the inputs of the graph."""
        return self.op_inputs if self.model_inputs is None else self.model_inputs

    @property
    def of_outputs(self) -> int:
        """Bits of the outputs of the graph that are results of tables."""
        return self.op_inputs if self.model_outputs is None else self.model_outputs


@dataclass(frozen=True)
class Rounding:
    """How integers are rounded in front of their tables.

    A table of `n` bits costs twice as much as one of ``n - 1`` bits. So the lowest bits of
    a wide integer are removed first: exactly, with a bootstrap of one bit for each, or
    approximately, at no cost, where an integer near the border between two multiples may
    go to either.

    Parameters
    ----------
    bits : int or None
        Bits that are kept, at most; None: all. Approximate rounding keeps two at least.
    approximate : bool, default=False
    layers : mapping of str to int
        Bits that are kept of the integers behind the float tensors of these names.
    """

    bits: int | None = None
    approximate: bool = False
    layers: Mapping[str, int] = field(default_factory=dict)

    def index(self, low: int, high: int, layer: str) -> tuple[int, int, int]:
        """Return how integers become indices of a table: ``(x - first + half) >> lsbs``.

        Parameters
        ----------
        low, high : int
            The range of the integers ``x``.
        layer : str

        Returns
        -------
        first : int
        lsbs : int
            How many of the lowest bits are removed; ``half`` is half of their weight.
        size : int
            Entries of the table. With approximate rounding an index may be off by one, so
            there is an entry to spare at either end.
        """
        kept = self.layers.get(layer, self.bits)
        if kept is not None and self.approximate:
            kept = max(kept, 2)
        lsbs = 0
        while True:
            half, spare = (1 << lsbs) >> 1, (1 << lsbs) * (self.approximate and lsbs > 0)
            first = low - spare
            size = ((high + spare - first + half) >> lsbs) + 1
            if kept is None or (size - 1).bit_length() <= kept:
                return first, lsbs, size
            lsbs += 1


class Step(NamedTuple):
    """What one integer more stands for.

    Parameters
    ----------
    scale : ndarray of float64 of shape (1, ...)
        Zero where there is but one integer: its scale does not matter.
    of_weights : bool, default=False
        Whether weights were rounded to multiples of it: something that is added does not
        have to be finer. The results of tables are multiplied by weights; they were rounded
        only once.
    """

    scale: np.ndarray
    of_weights: bool = False

    @classmethod
    def of(cls, tensor: Encrypted) -> Step:
        """Return the step of what a table gave or a client encrypts."""
        return cls(np.where(tensor.is_constant, 0.0, tensor.scale))


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
    readers : mapping of str to int, optional
        How many nodes and outputs read each float tensor.
    range_of : callable, optional
        Gives the range that integers should cover; from the smallest to the largest number
        by default.
    rounding : Rounding, optional
    summed_with : mapping of str to sequence of str, optional
        Float tensors that each float tensor is added to.

    Attributes
    ----------
    samples : dict of str to ndarray of int64
        The integers of each integer tensor on the same rows.
    compute : callable
        As given.
    steps : dict of str to Step
        Of the integers that stand for a float tensor, where they are known.
    """

    def __init__(
        self,
        bits: BitWidths,
        real: Mapping[str, np.ndarray],
        weights: np.ndarray,
        compute: Callable[..., np.ndarray],
        readers: Mapping[str, int] | None = None,
        range_of: RangeOf | None = None,
        rounding: Rounding = Rounding(),
        summed_with: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.bits = bits
        self.real = real
        self.weights = weights
        self.samples: dict[str, np.ndarray] = {}
        self.steps: dict[str, Step] = {}
        self.compute = compute
        self._readers = readers or {}
        self._range_of = range_of or extent
        self._rounding = rounding
        self._summed_with = summed_with or {}
        self._nodes: list[Node] = []
        self._constants: dict[str, np.ndarray] = {}
        self._values: dict[str, Value] = {}
        self._tables: dict[str, list[tuple[Grid | None, Encrypted]]] = {}

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
        self.samples[name] = self.compute(node, *(known[i] for i in inputs))
        return name

    # Tables --------------------------------------------------------------------------

    def materialize(
        self,
        tensor: Encrypted,
        result: str,
        units_along: tuple[int, ...] | None = None,
        grid: Grid | None = None,
    ) -> Encrypted:
        """Return `tensor` without a pending function, through one table if need be.

        The table covers every integer that the tensor can hold. Who asks for the same
        `result` again gets the same table.

        Parameters
        ----------
        tensor : Encrypted
        result : str
            The float tensor that the result stands for.
        units_along : tuple of int, optional
            Axes along which scales of the result may differ: other scales than these would
            not factor out of the sums that the caller makes. Any by default.
        grid : Grid, optional
            Where the result has to lie; its integers may be shifted. `calibrated` on its
            own numbers by default.

        Raises
        ------
        BitWidthError
            If the table would read more bits than the encryption scheme can.
        """
        if grid is not None:
            if tensor.is_on(grid):
                return tensor
        elif tensor.function is None and (
            units_along is None or tensor.has_units_along(units_along)
        ):
            return tensor
        for lies_on, made in self._tables.get(result, []):
            if lies_on is grid if grid is not None else _serves(made, units_along):
                return made
        # Who else reads the tensor may not be able to use more than one scale.
        apart = units_along if self._readers.get(result, 1) == 1 else None
        chosen = grid or self.calibrated([result], axes=apart or ())
        made = self._table(tensor, result, chosen)
        self._tables.setdefault(result, []).append((grid, made))
        self.steps.setdefault(result, Step.of(made))
        return made

    def computed(self, tensor: Encrypted, result: str) -> Encrypted:
        """Return what the narrowest table gave for a float tensor, else `tensor`."""
        tables = [made for _, made in self._tables.get(result, [])]
        return min(tables, key=lambda x: int((x.high - x.low).max()), default=tensor)

    def step_of(self, result: str) -> Step | None:
        """Return the step of what a float tensor is added to, if it is known by now."""
        others = self._summed_with.get(result, ())
        return next((self.steps[name] for name in others if name in self.steps), None)

    def calibrated(
        self,
        names: Sequence[str],
        n_bits: int | None = None,
        axes: tuple[int, ...] = (),
    ) -> Grid:
        """Return a grid for what calibration saw in float tensors.

        Where that is one number the grid has one integer. Any other grid would give it a
        unit that has nothing to do with the data, beside which weights of others are lost.

        Parameters
        ----------
        names : sequence of str
            They share the grid.
        n_bits : int, optional
            ``op_inputs`` by default.
        axes : tuple of int
            Axes along which the scale differs: each slice across has its own.
        """
        n_bits = self.bits.op_inputs if n_bits is None else n_bits
        first = np.asarray(self.real[names[0]])
        kept = sorted(axis % first.ndim for axis in axes)
        columns, shape = [], [1] * first.ndim
        for axis in kept:
            shape[axis] = first.shape[axis]
        for name in names:
            seen = np.moveaxis(self.real[name], kept, range(-len(kept), 0))
            columns.append(seen.reshape(-1, math.prod(shape)))
        if first.dtype == bool:
            # Both are in range, whether or not calibration saw them.
            return Grid(np.ones(shape), np.zeros(shape), 0, 1)
        numbers = np.concatenate(columns).astype(float)
        finite = np.isfinite(numbers)
        if not finite.any(axis=0).all():
            raise GraphError(f"Calibration gave no finite number for {names[0]!r}.")
        numbers = np.where(finite, numbers, np.nan)
        low, high = extent(numbers, 0)
        levels = 2**n_bits - 1
        whole = numbers[finite]
        if np.array_equal(whole, np.rint(whole)) and (high - low).max() <= levels:
            # Signs, rounded numbers.
            levels, scale = int((high - low).max()), np.ones(len(low))
        else:
            low, high = self._range_of(numbers, levels)
            scale = np.where(high > low, (high - low) / levels, 1.0)
        top = np.where(high > low, levels, 0)
        same = np.all(top == top[0])
        return Grid(
            scale.reshape(shape),
            low.reshape(shape),
            0,
            int(top[0]) if same else top.reshape(shape),
        )

    def _table(self, tensor: Encrypted, result: str, grid: Grid) -> Encrypted:
        """Append the table that computes the pending function.

        The entry for the integers around ``x`` is
        ``grid.integers(function(scale * x + offset))``.
        """
        start = _starts(tensor)
        # The function of integers that are counted from there.
        counted = replace(
            tensor,
            offset=tensor.offset + tensor.scale * start,
            low=tensor.low - start,
            high=tensor.high - start,
        )
        low, high = int(counted.low.min()), int(counted.high.max())
        rounding = Rounding() if tensor.whole else self._rounding
        first, lsbs, size = rounding.index(low, high, result)
        kept = (size - 1).bit_length()
        if kept > MAXIMUM_TABLE_BITS:
            raise BitWidthError(
                f"The table that computes {result!r} reads {kept} bits of {tensor.name!r}; "
                f"the limit is {MAXIMUM_TABLE_BITS}. Round sums to fewer bits, use a "
                "smaller n_bits, fewer inputs per neuron, or prune weights."
            )
        shift = np.zeros_like(start)
        width, n_elements = high - low + 1, start.size
        if lsbs and width * n_elements <= _MOST_ENTRIES:
            # The last index may be as large as its bits allow.
            spare = int(rounding.approximate)
            room = (
                (1 << kept + lsbs) - 1 - (high - first) - (1 << lsbs >> 1) - (spare << lsbs)
            )
            seen = self.samples[tensor.name] - start - low
            shift, table = align(
                _entries(counted, grid, np.arange(low, high + 1)).reshape(width, -1),
                seen.reshape(-1, n_elements).astype(np.int64),
                self.weights,
                lsbs,
                first - low,
                min(room, (1 << lsbs) - 1),
                spare,
            )
            table = table.reshape(len(table), *tensor.shape[1:])
            shift = shift.reshape(tensor.shape)
        else:
            # The middle of the integers that share an index.
            middle = first + (np.arange(size) << lsbs) - 0.5 * (lsbs > 0)
            table = _entries(counted, grid, np.clip(middle, low, high))
        name = self._moved(tensor, shift - start, result)
        ends = table.min(axis=0, keepdims=True), table.max(axis=0, keepdims=True)
        attributes: dict[str, Any] = {"first": first}
        if lsbs:
            attributes |= {"lsbs": lsbs, "approximate": int(rounding.approximate)}
        name = self.emit(
            "TableLookup",
            (
                name,
                self.constant(f"{result}.table", _compact(table)),
            ),
            *ends,
            result=result,
            **attributes,
        )
        return Encrypted(
            name,
            np.broadcast_to(grid.scale, tensor.shape),
            np.broadcast_to(grid.offset, tensor.shape),
            *ends,
        )

    def _moved(self, tensor: Encrypted, by: np.ndarray, result: str) -> str:
        """Return the name of integers of `tensor` with clear ones added."""
        if not by.any():
            return tensor.name
        constant = self.constant(f"{result}.shift", by)
        ends = tensor.low + by, tensor.high + by
        return self.emit("Add", (tensor.name, constant), *ends, result=f"{result}.index")

    # The result ----------------------------------------------------------------------

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


def _compact(table: np.ndarray) -> np.ndarray:
    """Return a table with one element along axes whose elements share their tables."""
    for axis in range(1, table.ndim):
        one = table.take([0], axis)
        table = one if np.array_equal(np.broadcast_to(one, table.shape), table) else table
    return table if table[0].size > 1 else table.ravel()


def _starts(tensor: Encrypted) -> np.ndarray:
    """Return from where the integers of each element are counted in front of a table.

    From their smallest one, if one table then takes fewer bits: ranges of elements may lie
    apart.
    """
    together = int(tensor.high.max() - tensor.low.min())
    widest = int((tensor.high - tensor.low).max())
    apart = widest.bit_length() < together.bit_length()
    return tensor.low if apart else np.zeros_like(tensor.low)


def _entries(tensor: Encrypted, grid: Grid, steps: np.ndarray) -> np.ndarray:
    """Return what the pending function makes of integers, as integers of a grid."""
    steps = steps.reshape(-1, *[1] * (len(tensor.shape) - 1))
    # Some integers of the range stand for numbers that no row gives, where the function may
    # be undefined (a logarithm below zero): any entry is right there.
    with np.errstate(all="ignore"):
        real = np.asarray(tensor.apply(tensor.scale * steps + tensor.offset), float)
        top = np.finfo(float).max
        real = np.where(np.isnan(real), grid.offset, np.clip(real, -top, top))
        return grid.integers(real)


def _serves(made: Encrypted, units_along: tuple[int, ...] | None) -> bool:
    return units_along is None or made.has_units_along(units_along)


def extent(numbers: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest number of each column; nan does not count."""
    return np.nanmin(numbers, axis=0), np.nanmax(numbers, axis=0)
