"""Nodes, values and graphs: frozen data, no behaviour but look-ups."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

#: Version of the ONNX operator set that graphs are written in, if nothing else is said.
NEWEST_OPSET = 21


def bits_of_range(low: int, high: int) -> int:
    """Return the bits that hold every integer of ``[low, high]``.

    Unsigned when `low` is not negative, else in two's complement.

    Examples
    --------
    >>> bits_of_range(0, 255), bits_of_range(-128, 127), bits_of_range(0, 0)
    (8, 8, 1)
    """
    if low >= 0:
        return max(1, int(high).bit_length())
    return 1 + max(int(-low - 1).bit_length(), max(0, int(high)).bit_length())


@dataclass(frozen=True)
class Value:
    """A tensor that flows through a graph.

    Parameters
    ----------
    name : str
        Unique in the graph.
    shape : tuple of (int or None) or None
        None stands for the number of rows, which is open. The whole shape is None when
        the exporter did not write it down.
    low, high : int or None
        Smallest and largest integer that the tensor can ever hold; None in a float
        graph.
    runs : tuple of int
        Lengths of the runs into which the elements of a row fall, one after the other,
        where each run is a thermometer code: it never decreases. Empty: no such promise.
    wraps : bool
        Whether integers may lie outside of the range, which then is that of likely ones.
        Such a tensor is read by tables that wrap, and by sums that they read: encrypted
        integers are known modulo ``2**(bits + 1)``.
    """

    name: str
    shape: tuple[int | None, ...] | None = None
    low: int | None = None
    high: int | None = None
    runs: tuple[int, ...] = ()
    wraps: bool = False

    @property
    def row_size(self) -> int:
        """Numbers of one row; the shape must be known."""
        assert self.shape is not None
        return math.prod(size for size in self.shape[1:] if size is not None)

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest integer, in an integer graph."""
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high

    @property
    def bits(self) -> int | None:
        """Bits of the range; None in a float graph."""
        if self.low is None or self.high is None:
            return None
        return bits_of_range(self.low, self.high)


@dataclass(frozen=True)
class Node:
    """One application of an operator.

    Parameters
    ----------
    op : str
        Name of the operator in the ONNX specification.
    inputs, outputs : tuple of str
        Names of values or constants; ``""`` is an optional input left out.
    attributes : mapping
        Attributes that the model sets; defaults are the operator's own.
    name : str
        For messages.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        label = f" '{self.name}'" if self.name else ""
        inputs = ", ".join(self.inputs)
        return f"{self.op}{label} ({inputs}) -> {', '.join(self.outputs)}"

    def renamed(self, names: Mapping[str, str]) -> Node:
        """Return the node with other names for some inputs and results."""
        inputs, outputs = (
            tuple(names.get(name, name) for name in group)
            for group in (self.inputs, self.outputs)
        )
        return replace(self, inputs=inputs, outputs=outputs)


def wraps(node: Node) -> bool:
    """Tell whether a node is a table that wraps around: it is read at any integer.

    The attribute says how many of its first entries are for likely integers.
    """
    return bool(node.attributes.get("wraps"))


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order between inputs and outputs.

    Parameters
    ----------
    nodes : tuple of Node
    inputs, outputs : tuple of Value
    constants : mapping of str to ndarray
        Trained parameters and other clear tensors.
    values : mapping of str to Value
        What is known of intermediate tensors. In an integer graph every value is here.
    opset : int
        Version of the ONNX operator set.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    opset: int = NEWEST_OPSET

    def value(self, name: str) -> Value:
        """Return what is known of the value `name`."""
        for known in (*self.inputs, *self.outputs):
            if known.name == name:
                return known
        return self.values.get(name, Value(name))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
