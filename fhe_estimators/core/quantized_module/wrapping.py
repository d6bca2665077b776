"""Rows for which tables wrap around: counted in clear, where it can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fhe_estimators._warnings import warn
from fhe_estimators.core.graph import Graph, Node, wraps
from fhe_estimators.exceptions import WrapAroundWarning


def covered(graph: Graph) -> dict[str, tuple[int, int]]:
    """Return ``(low, high)``, what a table that wraps is made for, by tensor."""
    ends = {}
    for node in graph:
        if wraps(node):
            lsbs = node.attributes.get("lsbs", 0)
            size = node.attributes["wraps"] << lsbs
            low = node.attributes["first"] - (1 << lsbs >> 1)
            ends[node.inputs[0]] = low, low + size - 1
    return ends


@dataclass
class RowsBeyond:
    """Observes a graph that is computed, and notes rows beyond what its tables cover.

    Parameters
    ----------
    covered : dict of str to (int, int)
        See `covered`.

    Attributes
    ----------
    found : list of ndarray of bool of shape (n_samples,)
        For each tensor in which there are such rows, which they are.
    """

    covered: dict[str, tuple[int, int]]
    found: list[np.ndarray] = field(default_factory=list)

    def __call__(self, node: Node, name: str, array: np.ndarray) -> np.ndarray:
        """Return the array, as what observes `evaluate` does."""
        if name in self.covered and array.size:
            low, high = self.covered[name]
            if array.min() < low or array.max() > high:
                beyond = (array < low) | (array > high)
                self.found.append(beyond.reshape(len(array), -1).any(axis=1))
        return array

    @property
    def count(self) -> int:
        """The number of such rows."""
        return int(np.any(self.found, axis=0).sum()) if self.found else 0


def warn_of_wrapping(count: int, n_rows: int) -> None:
    """Warn that a number of rows is computed with tables that wrap around."""
    warn(
        f"{count} of {n_rows} rows have sums far beyond those of the calibration rows: "
        "tables wrap around, encrypted as in clear, and the results of these rows mean "
        "nothing. Calibrate on rows like them, or compile with "
        "accumulator_range='worst_case'.",
        WrapAroundWarning,
    )
