"""The builder that operators append the nodes of an integer graph to."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.core.graph import Value
from fhe_estimators.core.integers.graphs import GraphBuilder
from fhe_estimators.core.integers.kept_bits import KeptBits
from fhe_estimators.core.integers.tables import look_up
from fhe_estimators.core.integers.tensors import Encrypted, Grid
from fhe_estimators.exceptions import GraphError

#: Bits up to which tables are read in the way that lets them wrap around, whatever
#: parameters are cheapest for others (measured: to 10 bits at ``p_error = 2**-40``).
WRAPPING_BITS = 8
#: Gives the ends of the range that integers of so many levels should cover, from numbers
#: of shape (n_numbers, n_grids).
RangeOf = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


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
        """Return the scale of a tensor's integers as a step; that of constants is 0."""
        return cls(np.where(tensor.is_constant, 0.0, tensor.scale))


class WeightBits(NamedTuple):
    """Bits of the weights of a product.

    Parameters
    ----------
    number : int
        Of the largest weight of the output with the widest accumulator.
    most : int
        Of any weight.
    margin : float, optional
        Where a table follows: see `IntegerBuilder`. Weights of other outputs may be larger,
        so that all accumulators have one range. By default the largest weight of each
        output has that number of bits.
    """

    number: int
    most: int
    margin: float | None = None


class IntegerBuilder(GraphBuilder):
    """Collects the integer meanings of the operators of a float graph.

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
    kept_bits : KeptBits, optional
    summed_with : mapping of str to sequence of str, optional
        Float tensors that each float tensor is added to.
    margin : float, optional
        Tables cover the integers of the calibration rows, with such a part of their range
        as a margin on either side, and wrap around beyond. By default they cover all that
        there can be.
    grids : dict, optional
        Where grids are kept that were `calibrated`, for other builders of the same graph.
    looked_up : collection of str, optional
        Float tensors that tables follow.
    table_bits : int
        Bits that a table reads at most.

    Attributes
    ----------
    samples : dict of str to ndarray of int64
        The integers of each integer tensor on the same rows.
    compute, kept_bits, table_bits
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
        kept_bits: KeptBits = KeptBits(),
        summed_with: Mapping[str, Sequence[str]] | None = None,
        margin: float | None = None,
        grids: dict[Any, Grid] | None = None,
        looked_up: Collection[str] = (),
        *,
        table_bits: int,
    ) -> None:
        super().__init__()
        self.margin = margin
        self.bits = bits
        self.real = real
        self.weights = weights
        self.samples: dict[str, np.ndarray] = {}
        self.steps: dict[str, Step] = {}
        self.compute = compute
        self._readers = readers or {}
        self._range_of = range_of or extent
        self.kept_bits = kept_bits
        self._grids = {} if grids is None else grids
        self._looked_up = looked_up
        self.table_bits = table_bits
        self._summed_with = summed_with or {}
        self._tables: dict[str, list[tuple[Grid | None, Encrypted]]] = {}

    def given(self, name: str, low: np.ndarray, high: np.ndarray) -> Value:
        """Declare an input with the ranges of its elements and return it."""
        shape = (None, *low.shape[1:])
        return self.declare(Value(name, shape, int(low.min()), int(high.max())))

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
        shape = (None, *low.shape[1:])
        node = self.append(op, inputs, shape, (low, high), result=result, **attributes)
        (name,) = node.outputs
        known = {**self.constants, **self.samples, "": None}
        self.samples[name] = self.compute(node, *(known[i] for i in inputs))
        return name

    def weight_bits(self, result: str) -> WeightBits:
        """Return the bits of the weights of a product."""
        most = self.bits.op_weights
        margin = self.margin if result in self._looked_up else None
        return WeightBits(self.kept_bits.weights.get(result, most), most, margin)

    @property
    def compared_bits(self) -> int:
        """Bits of what is compared: differences, with one bit more, are looked up.

        If tables wrap around, these bits are such that they can.
        """
        most = self.bits.op_inputs
        return most if self.margin is None else min(most, WRAPPING_BITS - 1)

    # Tables --------------------------------------------------------------------------

    def materialize(
        self,
        tensor: Encrypted,
        result: str,
        units_along: tuple[int, ...] | None = None,
        grid: Grid | None = None,
    ) -> Encrypted:
        """Return `tensor` without a pending function, through one table if need be.

        The table covers every integer that the tensor can hold, or, with a `margin`, those
        that are likely. Who asks for the same `result` again gets the same table.

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
        chosen = grid or self.calibrated(
            [result], self.kept_bits.results.get(result), apart or ()
        )
        made = look_up(self, tensor, result, chosen)
        self._tables.setdefault(result, []).append((grid, made))
        self.steps.setdefault(result, Step.of(made))
        return made

    def computed(self, tensor: Encrypted, result: str) -> Encrypted:
        """Return the result of the narrowest table for a float tensor, else `tensor`."""
        tables = [made for _, made in self._tables.get(result, [])]
        return min(tables, key=lambda x: int((x.high - x.low).max()), default=tensor)

    def step_of(self, result: str) -> Step | None:
        """Return the step of a tensor that a float tensor is added to; None if unknown."""
        others = self._summed_with.get(result, ())
        return next((self.steps[name] for name in others if name in self.steps), None)

    def calibrated(
        self,
        names: Sequence[str],
        n_bits: int | None = None,
        axes: tuple[int, ...] = (),
    ) -> Grid:
        """Return a grid that covers the values of float tensors on the calibration rows.

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
        key = tuple(names), n_bits, tuple(axes), self.margin
        if key not in self._grids:
            self._grids[key] = self._calibrated(names, n_bits, axes)
        return self._grids[key]

    def _calibrated(self, names: Sequence[str], n_bits: int, axes: tuple[int, ...]) -> Grid:
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
            if self.margin is not None and n_bits > 1:
                levels -= 1
            low, high = self._range_of(numbers, levels)
            scale = np.where(high > low, (high - low) / levels, 1.0)
        top = np.where(high > low, levels, 0)
        # A table that wraps gives the opposite of its entries, too: around zero these are
        # as many bits.
        middle = top // 2 if self.margin is not None else np.zeros_like(top)
        return Grid(
            scale.reshape(shape),
            (low + middle * scale).reshape(shape),
            _one_if_same(-middle, shape),
            _one_if_same(top - middle, shape),
        )


def _one_if_same(array: np.ndarray, shape: Sequence[int]) -> int | np.ndarray:
    """Return a number if all are the same, else an array of that shape."""
    return int(array[0]) if np.all(array == array[0]) else array.reshape(shape)


def _serves(made: Encrypted, units_along: tuple[int, ...] | None) -> bool:
    return units_along is None or made.has_units_along(units_along)


def extent(numbers: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest number of each column; nan does not count."""
    return np.nanmin(numbers, axis=0), np.nanmax(numbers, axis=0)
