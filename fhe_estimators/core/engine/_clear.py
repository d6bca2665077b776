"""The engine that encrypts nothing."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.engine._part import ClearPart
from fhe_estimators.core.engine._prices import TFHE
from fhe_estimators.core.engine._program import Facts, Integers
from fhe_estimators.core.graph import Graph, Node, evaluate
from fhe_estimators.core.operators import kinds_of, operators_of
from fhe_estimators.exceptions import BitWidthError


class ClearEngine(TFHE):
    """The engine that encrypts nothing and trusts nothing.

    It has the limits and the prices of TFHE, so that it is given the same graphs.
    """

    def compile(
        self, graph: Graph, rows: int, extremes: Sequence[Integers], p_error: float
    ) -> ClearProgram:
        """Return a program; see `ConcreteEngine.compile`."""
        return ClearProgram(graph, rows)

    def sharing(
        self, program: Any, graph: Graph, extremes: Sequence[Integers], p_error: float
    ) -> ClearProgram:
        """Return a program of one row."""
        return ClearProgram(graph, 1)

    def load(self, saved: tuple[Graph, int]) -> ClearProgram:
        """Return the program of a graph and a number of rows."""
        return ClearProgram(*saved)


class ClearProgram:
    """A program of `ClearEngine`: ciphertexts are the integers themselves."""

    evaluation_key_bytes = 0
    can_simulate = True
    has_keys = False

    def __init__(self, graph: Graph, rows: int) -> None:
        self.graph, self.rows = graph, rows
        kind_of = kinds_of(graph)
        tables = sum(
            graph.value(node.outputs[0]).row_size * (1 + kind_of(node).removed_bits(node))
            for node in graph
            if kind_of(node).bootstraps
        )
        self.facts = Facts(bootstraps=rows * tables)

    @property
    def n_ciphertexts(self) -> int:
        """How many ciphertexts `encrypt` returns."""
        return len(self.graph.inputs)

    def keygen(self, *, force: bool = False) -> None:
        """Do nothing: there are no keys."""

    def encrypt(self, *inputs: np.ndarray) -> Integers:
        """Return the inputs."""
        return inputs

    def run(self, ciphertexts: Integers) -> Integers:
        """Compute, and check every integer against its declared range.

        Raises
        ------
        BitWidthError
            If an integer leaves its range, which the construction of the graph excludes.
        """

        def inside(node: Node, name: str, array: np.ndarray) -> np.ndarray:
            value = self.graph.value(name)
            low, high = value.bounds
            if not value.wraps and (array.min() < low or array.max() > high):
                raise BitWidthError(
                    f"{node} gave integers from {array.min()} to {array.max()}, outside "
                    f"of [{low}, {high}]."
                )
            return array

        names = [value.name for value in self.graph.inputs]
        results = evaluate(
            self.graph,
            dict(zip(names, ciphertexts, strict=True)),
            operators_of(self.graph),
            inside,
        )
        return tuple(results[value.name] for value in self.graph.outputs)

    def decrypt(self, ciphertexts: Integers) -> Integers:
        """Return the results."""
        return ciphertexts

    def simulate(self, *inputs: np.ndarray) -> Integers:
        """Return the results."""
        return self.run(inputs)

    def ciphertext_bytes(self, ciphertexts: Integers) -> int:
        """Return the bytes of the arrays."""
        return sum(array.nbytes for array in ciphertexts)

    def saved(self) -> tuple[Graph, int]:
        """Return what `ClearEngine.load` takes."""
        return self.graph, self.rows

    def part(self) -> ClearPart:
        """Return what computes in another process."""
        return ClearPart(self.graph, self.rows)

    def written(self, ciphertexts: Integers) -> list[bytes]:
        """Return arrays as bytes."""
        return [pickle.dumps(array) for array in ciphertexts]

    def read(self, messages: Sequence[bytes]) -> Integers:
        """Return the arrays that were `written`."""
        return tuple(map(pickle.loads, messages))
