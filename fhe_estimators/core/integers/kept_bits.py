"""How many bits of integers tables read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KeptBits:
    """How many bits tables read of integers, and how the others are rounded away.

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
    weights : mapping of str to int
        Bits of the weights of products by the names of their results, where they are fewer
        than ``op_weights``: an accumulator has one less for each.
    results : mapping of str to int
        Bits of the results of tables by their names, where they are fewer than
        ``op_inputs``.
    """

    bits: int | None = None
    approximate: bool = False
    layers: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, int] = field(default_factory=dict)

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
