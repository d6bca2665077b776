"""One row on several workers: parts of the columns that a client adds up.

The tables of trees are independent of each other, and results are columns that the client
adds up. A shard is some of the columns with their tables, compiled for the keys of the
whole circuit: what it gives is, integer by integer, what the whole circuit gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fhe_estimators.core.engine import JointPart, Program
from fhe_estimators.core.graph import Graph, Node, Value

#: Tables from which shards are worth their overhead.
MANY_TABLES = 60
#: Operators of sums of tables.
_KNOWN = frozenset({"Add", "Gather", "MatMul", "TableLookup"})


class Shard(NamedTuple):
    """Some columns of a graph.

    Parameters
    ----------
    columns : ndarray of int of shape (n_columns,)
        Of the output of the whole graph.
    indices : ndarray of int of shape (n_read,)
        The elements of its input that these need.
    graph : Graph
        From those to these.
    """

    columns: np.ndarray
    indices: np.ndarray
    graph: Graph


def shards(graph: Graph, count: int) -> list[Shard]:
    """Return at most so many shards of about as many tables each.

    None if the graph is no sum of tables: with a second layer of them it is none.

    Parameters
    ----------
    graph : Graph
        An integer graph.
    count : int
    """
    if not _is_sum_of_tables(graph):
        return []
    (output,) = graph.outputs
    assert output.shape is not None
    n_columns = output.shape[1]
    assert n_columns is not None
    singly = [_tables_of(graph, np.array([column])) for column in range(n_columns)]
    # From the column with most tables on, each goes where fewest are.
    loads, members = [0] * count, [[] for _ in range(count)]  # type: ignore[var-annotated]
    for column in np.argsort([-len(tables) for tables in singly], kind="stable"):
        lightest = loads.index(min(loads))
        loads[lightest] += len(singly[column])
        members[lightest].append(int(column))
    return [_shard(graph, np.sort(columns)) for columns in members if columns]


class Divided:
    """A program divided into shards.

    Parameters
    ----------
    members : sequence of (Shard, Program)
        Programs have the keys of the whole.
    """

    def __init__(self, members: Sequence[tuple[Shard, Program]]) -> None:
        self._members = members
        columns = np.concatenate([shard.columns for shard, _ in members])
        #: From columns in the order of shards to that of the whole.
        self._order = np.argsort(columns)

    @classmethod
    def of(
        cls, found: Sequence[Shard], sharing: Callable[[Graph], Program | None]
    ) -> Divided | None:
        """Return shards with programs; None if there are not several, or without keys.

        Parameters
        ----------
        found : sequence of Shard
        sharing : callable
            From a graph to a program that has the keys of the whole, or None.
        """
        members = []
        for shard in found:
            program = sharing(shard.graph)
            if program is None:
                return None
            members.append((shard, program))
        return cls(members) if len(members) > 1 else None

    def __len__(self) -> int:
        return len(self._members)

    def part(self) -> JointPart:
        """Return what computes all shards; keys are in it once."""
        return JointPart(tuple(p.part() for p in self.programs)).with_shared_keys()

    @property
    def programs(self) -> list[Program]:
        """Return the program of each shard."""
        return [program for _, program in self._members]

    def messages(self, number: int, row: np.ndarray) -> list[bytes]:
        """Return a row, of shape (1, width), as a shard takes it, encrypted."""
        shard, program = self._members[number]
        sent = program.written(program.encrypt(row[:, shard.indices]))
        return [number.to_bytes(4, "little"), *sent]

    def joined(self, answers: Sequence[list[bytes]]) -> np.ndarray:
        """Return the results of a row, of shape (1, n_columns), from those of shards."""
        results = [
            program.decrypt(program.read(answer))[0]
            for program, answer in zip(self.programs, answers, strict=True)
        ]
        joined: np.ndarray = np.concatenate(results, axis=1)[:, self._order]
        return joined


def _is_sum_of_tables(graph: Graph) -> bool:
    shapes = [value.shape for value in (*graph.inputs, *graph.outputs)]
    return (
        len(graph.inputs) == len(graph.outputs) == 1
        and all(node.op in _KNOWN and len(node.outputs) == 1 for node in graph)
        and all(shape is not None and len(shape) == 2 for shape in shapes)
        and all(_is_by_column(graph, node) for node in graph)
        and sum(node.op == "TableLookup" for node in graph) == 1
    )


def _is_by_column(graph: Graph, node: Node) -> bool:
    """Tell whether elements of a result are columns of the constants of its node."""
    constants = [graph.constants[name] for name in node.inputs if name in graph.constants]
    first = node.inputs[0] not in graph.constants
    if node.op == "MatMul":
        return first and len(constants) == 1 and constants[0].ndim == 2
    if node.op == "TableLookup":
        return first and len(constants) == 1 and constants[0].ndim == 2
    if node.op == "Gather":
        return first and node.attributes.get("axis") == 1 and constants[0].ndim == 1
    return all(array.ndim == 2 and len(array) == 1 for array in constants)


def _needed(graph: Graph, columns: np.ndarray) -> dict[str, np.ndarray]:
    """Return, of each value, the elements that columns of the output need, sorted."""
    found = {graph.outputs[0].name: columns}

    def need(name: str, elements: np.ndarray) -> None:
        if name not in graph.constants:
            known = found.get(name, np.zeros(0, np.int64))
            found[name] = np.union1d(known, elements).astype(np.int64)

    for node in reversed([*graph]):
        wanted = found[node.outputs[0]]
        if node.op == "MatMul":
            weights = graph.constants[node.inputs[1]][:, wanted]
            need(node.inputs[0], np.flatnonzero(weights.any(axis=1)))
        elif node.op == "Gather":
            need(node.inputs[0], graph.constants[node.inputs[1]][wanted])
        else:
            for name in node.inputs:
                need(name, wanted)
    return found


def _tables_of(graph: Graph, columns: np.ndarray) -> np.ndarray:
    """Return which tables columns of the output need."""
    needed = _needed(graph, columns)
    (table,) = (node for node in graph if node.op == "TableLookup")
    return needed[table.outputs[0]]


def _shard(graph: Graph, columns: Sequence[int] | np.ndarray) -> Shard:
    columns = np.asarray(columns, np.int64)
    needed = _needed(graph, columns)
    constants: dict[str, np.ndarray] = {}
    for node in graph:
        wanted = needed[node.outputs[0]]
        for name in node.inputs:
            if name not in graph.constants:
                continue
            array = graph.constants[name]
            if node.op == "MatMul":
                array = array[np.ix_(needed[node.inputs[0]], wanted)]
            elif node.op == "Gather":
                array = np.searchsorted(needed[node.inputs[0]], array[wanted])
            elif array.shape[-1] > 1 or node.op == "TableLookup":
                array = array[:, wanted]
            constants[name] = array

    def narrowed(value: Value) -> Value:
        # Ranges stay those of the whole: encodings follow from them.
        return replace(value, shape=(None, len(needed[value.name])), runs=())

    (source,) = graph.inputs
    inner = Graph(
        graph.nodes,
        (narrowed(source),),
        tuple(map(narrowed, graph.outputs)),
        constants,
        {name: narrowed(value) for name, value in graph.values.items()},
    )
    return Shard(columns, needed[source.name], inner)
