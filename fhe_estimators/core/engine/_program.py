"""What an engine makes of an integer graph, and the graph in clear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fhe_estimators.core.graph import Graph, evaluate
from fhe_estimators.core.operators import operators_of

Integers = tuple[np.ndarray, ...]


class Facts(NamedTuple):
    """What a program costs, known before there is a key.

    Parameters
    ----------
    complexity : float
        The optimizer's estimate of the work of one call, in elementary operations.
    bootstraps : int
        Programmable bootstraps (table look-ups) of one call.
    input_bytes, output_bytes : int
        Encrypted inputs and results of one call.
    key_bytes : int
        Compressed evaluation keys.
    """

    complexity: float = 0.0
    bootstraps: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    key_bytes: int = 0


class Program(Protocol):
    """An integer graph, ready to run on a fixed number of rows."""

    #: Rows of one call.
    rows: int
    facts: Facts

    @property
    def can_simulate(self) -> bool:
        """Whether `simulate` works: not for a program that was loaded."""

    @property
    def evaluation_key_bytes(self) -> int:
        """Bytes of the keys that a server needs."""

    def keygen(self, *, force: bool = False) -> None:
        """Generate keys, once unless `force`."""

    def encrypt(self, *inputs: np.ndarray) -> Any:
        """Return ciphertexts of one array of integers for each input (client)."""

    def run(self, ciphertexts: Any) -> Any:
        """Return ciphertexts of the results (server: no secret key is used)."""

    def decrypt(self, ciphertexts: Any) -> Integers:
        """Return the integers of the results (client)."""

    def simulate(self, *inputs: np.ndarray) -> Integers:
        """Return what the cryptography would give, noise included, without keys."""

    def ciphertext_bytes(self, ciphertexts: Any) -> int:
        """Return the bytes of ciphertexts on the wire."""


def run_clear(graph: Graph, inputs: Sequence[np.ndarray]) -> Integers:
    """Compute an integer graph with numpy on 64-bit integers."""
    names = [value.name for value in graph.inputs]
    results = evaluate(
        graph,
        dict(zip(names, inputs, strict=True)),
        operators_of(graph),
    )
    return tuple(results[value.name] for value in graph.outputs)
