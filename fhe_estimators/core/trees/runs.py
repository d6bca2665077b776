"""Sums of tables in clear: the integers of a graph, computed run by run.

numpy works fastest on long runs of small numbers. So the rows to predict are turned: a
tensor of ``n`` elements a row is `n` runs over the rows, of the narrowest integers that
hold its range. Bits that no node reads are never made, and a product with few weights
that are not zero adds up few runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from scipy import sparse

from fhe_estimators.core.graph import Graph, Node, evaluate
from fhe_estimators.core.trees.encoders import BinEncoder

#: Elements, of all tensors together, that are computed at a time: a cache holds them.
_BLOCK = 2**20
_MOST_ROWS = 2**13
_DTYPES = (np.int8, np.int16, np.int32, np.int64)

#: From runs of shape (n_elements, n_rows) to others.
_Function = Callable[..., np.ndarray]


class RunsEvaluator:
    """Computes, in clear, an encoder of bins and the integer graph behind it.

    Parameters
    ----------
    graph : Graph
        Of one input and one output, made by `TableSum.lowered`.
    encoder : BinEncoder
        Its input.
    """

    def __init__(self, graph: Graph, encoder: BinEncoder) -> None:
        (source,), (self._output,) = graph.inputs, graph.outputs
        self.graph, self._source = graph, source.name
        self._functions = {node.outputs: _FUNCTIONS[node.op](graph, node) for node in graph}
        chosen = np.arange(encoder.n_inputs)
        first, *others = (node for node in graph if source.name in node.inputs)
        if first.op == "Gather" and not others:
            # What is sent but never read need not be computed.
            chosen = graph.constants[first.inputs[1]]
            self._functions[first.outputs] = _unchanged
        self._encoder, self._encoded = encoder, encoder.runs(chosen)
        width = sum(value.row_size for value in graph.values.values())
        self._step = max(1, min(_MOST_ROWS, _BLOCK // width))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return the results of the graph.

        Parameters
        ----------
        X : ndarray of float of shape (n_samples, n_features)
            As `encoder` takes them.

        Returns
        -------
        q : ndarray of int of shape (n_samples, n_outputs)
        """
        self._encoder.bin_edges.check(X)
        starts = range(0, len(X), self._step)
        blocks = [self._block(X[start : start + self._step]) for start in starts]
        runs: np.ndarray = np.concatenate(blocks, axis=1)
        return runs.T

    def _block(self, X: np.ndarray) -> np.ndarray:
        results = evaluate(
            self.graph,
            {self._source: self._encoded(X)},
            lambda node: self._functions[node.outputs],
        )
        found: np.ndarray = results[self._output.name]
        return found


def _unchanged(x: np.ndarray, *_: np.ndarray) -> np.ndarray:
    return x


def _largest(graph: Graph, name: str) -> int:
    """Return the largest magnitude of an element of a tensor."""
    known = {value.name: value for value in graph.inputs} | dict(graph.values)
    return max(map(abs, known[name].bounds))


def _narrowest(largest: int) -> type[np.signedinteger]:
    """Return the type of the narrowest integers that hold a magnitude."""
    return next(dtype for dtype in _DTYPES if largest <= np.iinfo(dtype).max)


def _gather(graph: Graph, node: Node) -> _Function:
    return lambda x, indices: x[indices]


def _matmul(graph: Graph, node: Node) -> _Function:
    weights = graph.constants[node.inputs[1]]
    # Whatever the order of the sum, no part of it is larger.
    most = int(np.abs(weights).sum(axis=0).max()) * _largest(graph, node.inputs[0])
    dtype = _narrowest(max(most, _largest(graph, node.inputs[0])))
    turned = sparse.csr_array(weights.T.astype(dtype))

    def product(x: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.asarray(turned @ x.astype(dtype, copy=False))

    return product


def _add(graph: Graph, node: Node) -> _Function:
    names = [name for name in node.inputs if name not in graph.constants]
    largest = max(_largest(graph, name) for name in (*names, node.outputs[0]))
    constants = [graph.constants[name] for name in node.inputs if name in graph.constants]
    largest = max(largest, *(int(np.abs(array).max()) for array in constants), 0)
    dtype = _narrowest(largest)

    def total(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        y = y.reshape(-1, 1) if constants else y
        return np.add(x, y, dtype=dtype, casting="unsafe")

    return total


def _table_lookup(graph: Graph, node: Node) -> _Function:
    table, first = graph.constants[node.inputs[1]], node.attributes["first"]
    entries = table.T.astype(_narrowest(int(np.abs(table).max())))

    def look_up(x: np.ndarray, _: np.ndarray) -> np.ndarray:
        if first:
            # An index may take more bits than the integers that it counts from `first`.
            x = np.subtract(x, first, dtype=np.int64)
        if entries.ndim == 1:
            return entries.take(x)
        found = np.empty(x.shape, entries.dtype)
        for run, index, own in zip(found, x, entries, strict=True):
            run[:] = own.take(index)
        return found

    return look_up


def _extract_bits(graph: Graph, node: Node) -> _Function:
    start, stop = node.attributes["start"], node.attributes["stop"]
    return partial(_digit, start=start, mask=(1 << (stop - start)) - 1)


def _digit(x: np.ndarray, *, start: int, mask: int) -> np.ndarray:
    return (x >> start) & mask


def _slice(graph: Graph, node: Node) -> _Function:
    start, stop = (graph.constants[name].item() for name in node.inputs[1:3])
    return lambda x, *_: x[start:stop]


def _concat(graph: Graph, node: Node) -> _Function:
    return lambda *parts: np.concatenate(parts)


#: What the nodes of sums of tables do with runs.
_FUNCTIONS: Mapping[str, Callable[[Graph, Node], _Function]] = {
    "Add": _add,
    "Concat": _concat,
    "ExtractBits": _extract_bits,
    "Gather": _gather,
    "MatMul": _matmul,
    "Slice": _slice,
    "TableLookup": _table_lookup,
}
