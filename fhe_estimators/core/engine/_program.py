"""What an engine makes of an integer graph, and the graph in clear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fhe_estimators.core.engine._part import Part
from fhe_estimators.core.engine._prices import Prices
from fhe_estimators.core.graph import Graph, Node, evaluate
from fhe_estimators.core.operators import operators_of

Integers = tuple[np.ndarray, ...]

#: Numbers of a matrix that BLAS multiplies in one thread; few results of a row.
_ALONE, _FEW_OUTPUTS = 9_000, 16


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
    def n_ciphertexts(self) -> int:
        """How many ciphertexts `encrypt` returns."""

    @property
    def can_simulate(self) -> bool:
        """Whether `simulate` works: not for a program that was loaded."""

    @property
    def has_keys(self) -> bool:
        """Whether `keygen` has made keys."""

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

    def saved(self) -> Any:
        """Return what `Engine.load` takes: it can be pickled and holds no key."""

    def part(self) -> Part:
        """Return what computes in another process: evaluation keys, but no secret key."""

    def written(self, ciphertexts: Any) -> list[bytes]:
        """Return what `encrypt` returned as `part` takes it."""

    def read(self, messages: Sequence[bytes]) -> Any:
        """Return what `part` returned as `decrypt` takes it."""


class Engine(Protocol):
    """What turns integer graphs into programs, what it can do at most, and at what price.

    An engine is pickled with the circuits that it compiled.
    """

    @property
    def maximum_table_bits(self) -> int:
        """Bits that a table reads at most."""

    @property
    def torus_bits(self) -> float:
        """Bits that sums without a table may take, noise and margin included."""

    def prices(self, p_error: float) -> Prices:
        """Return what tables cost at least at a failure probability."""

    def compile(
        self, graph: Graph, rows: int, extremes: Sequence[Integers], p_error: float
    ) -> Program:
        """Return a program for a number of rows; see `ConcreteEngine.compile`."""

    def sharing(
        self, program: Any, graph: Graph, extremes: Sequence[Integers], p_error: float
    ) -> Program | None:
        """Return a program of one row for the keys of one of this engine, if it can be."""

    def load(self, saved: Any) -> Program:
        """Return a program from what its `saved` has returned, without keys."""


def run_clear(
    graph: Graph, inputs: Sequence[np.ndarray], observe: Callable[..., Any] | None = None
) -> Integers:
    """Compute an integer graph with numpy on 64-bit integers; see `evaluate`."""
    names = [value.name for value in graph.inputs]
    operator_of = operators_of(graph)

    def implementation(node: Node) -> Callable[..., Any]:
        return _product if node.op == "MatMul" else operator_of(node)

    arrays = dict(zip(names, inputs, strict=True))
    results = evaluate(graph, arrays, implementation, observe)
    return tuple(results[value.name] for value in graph.outputs)


def _product(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return ``x @ weights``; of many rows with few results in small pieces.

    BLAS shares out each larger product among threads, which then wait for the next one by
    spinning. There is no work in such products that would be worth it.
    """
    if x.ndim != 2 or weights.ndim != 2 or x.dtype.kind != "f":
        return np.asarray(x @ weights)
    n_features, n_outputs = weights.shape
    size = _ALONE // max(1, n_features)
    if n_outputs > _FEW_OUTPUTS or not 1 < size < len(x):
        return np.asarray(x @ weights)
    whole = len(x) - len(x) % size
    pieces = x[:whole].reshape(-1, size, n_features) @ weights
    rest = x[whole:] @ weights
    return np.concatenate([pieces.reshape(whole, n_outputs), rest])
