"""Engines: they turn integer graphs into programs that compute on encrypted rows.

`ConcreteEngine` encrypts with TFHE (the only code that imports ``concrete``).
`ClearEngine` has the same interface and encrypts nothing: it checks, tensor by tensor,
that no integer leaves the range that the graph declares for it.

References
----------
.. [1] I. Chillotti, N. Gama, M. Georgieva, M. Izabachene, "TFHE: Fast Fully Homomorphic
   Encryption over the Torus", Journal of Cryptology 33, 2020.
"""

from __future__ import annotations

import functools
import inspect
import logging
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, Protocol

import numpy as np

from fhe_estimators.exceptions import BitWidthError, CompilationError
from fhe_estimators.graph import Graph, Node, evaluate
from fhe_estimators.operators import lookup

logger = logging.getLogger(__name__)

Integers = tuple[np.ndarray, ...]


class Program(Protocol):
    """An integer graph, ready to run on a fixed number of rows."""

    #: Rows of one call.
    rows: int
    #: The optimizer's estimate of the work of one call, in elementary operations.
    complexity: float
    #: Programmable bootstraps (table look-ups) of one call.
    bootstraps: int

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


def _implementation(node: Node, opset: int) -> Callable[..., Any]:
    return lookup(node.op, opset)(node)


def run_clear(graph: Graph, inputs: Sequence[np.ndarray]) -> Integers:
    """Compute an integer graph with numpy on 64-bit integers."""
    names = [value.name for value in graph.inputs]
    results = evaluate(
        graph,
        dict(zip(names, inputs, strict=True)),
        lambda node: _implementation(node, graph.opset),
    )
    return tuple(results[value.name] for value in graph.outputs)


class ClearEngine:
    """The engine that encrypts nothing and trusts nothing."""

    def compile(
        self, graph: Graph, rows: int, extremes: Sequence[Integers], p_error: float
    ) -> ClearProgram:
        """Return a program; see `ConcreteEngine.compile`."""
        return ClearProgram(graph, rows)


class ClearProgram:
    """A program of `ClearEngine`: ciphertexts are the integers themselves."""

    complexity = 0.0
    evaluation_key_bytes = 0
    can_simulate = True

    def __init__(self, graph: Graph, rows: int) -> None:
        self.graph, self.rows = graph, rows
        self.bootstraps = rows * sum(
            int(np.prod(graph.value(node.outputs[0]).shape[1:]))  # type: ignore[index, arg-type, misc]
            for node in graph
            if node.op == "TableLookup"
        )

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
            assert value.low is not None
            assert value.high is not None
            if array.min() < value.low or array.max() > value.high:
                raise BitWidthError(
                    f"{node} gave integers from {array.min()} to {array.max()}, outside "
                    f"of [{value.low}, {value.high}]."
                )
            return array

        names = [value.name for value in self.graph.inputs]
        results = evaluate(
            self.graph,
            dict(zip(names, ciphertexts, strict=True)),
            lambda node: _implementation(node, self.graph.opset),
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


#: The property of a computation of the engine that says whether it can be negative.
_SIGNED = "fhe_estimators.signed"


@functools.cache
def _signs() -> Any:
    """Return what makes tensors signed that can be negative.

    The engine reads signs from examples. A result that none of them makes negative would
    be decrypted as a large number where it is negative.
    """
    _concrete()
    from concrete.fhe.representation import GraphProcessor

    class Signs(GraphProcessor):  # type: ignore[misc]
        def apply(self, graph: Any) -> None:
            for node in graph.query_nodes():
                if node.properties.get(_SIGNED):
                    node.output.dtype.is_signed = True

    return Signs()


@functools.cache
def _concrete() -> Any:
    """Import the engine; it announces at import that its own import style is old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from concrete import fhe
    return fhe


def _value_types() -> tuple[Any, Any]:
    """Return the engine's types of a ciphertext and of a clear tensor."""
    from concrete.compiler import Value

    return _concrete().Value, Value


def _ciphers(client: Any) -> Any:
    """Return what encrypts and decrypts with the keys of a client.

    The engine's own client builds this anew for each call, and reads the description of
    the circuit from text each time: two milliseconds, a third of a row.
    """
    from concrete.compiler import ClientProgram

    description = client.specs.program_info
    program = ClientProgram.create_encrypted(description, client.keys._keyset)
    (name,) = description.function_list()
    return program.get_client_circuit(name)


class ConcreteEngine:
    """TFHE through concrete-python.

    Parameters
    ----------
    configuration : concrete.fhe.Configuration, optional
        Replaces our own, apart from what safety needs: no artifacts on disk, no global
        failure probability beside the one per table, no unsafe features.
    """

    def __init__(self, configuration: Any = None) -> None:
        self._given = configuration

    def compile(
        self, graph: Graph, rows: int, extremes: Sequence[Integers], p_error: float
    ) -> ConcreteProgram:
        """Compile a graph for a number of rows.

        Parameters
        ----------
        graph : Graph
            A legal integer graph.
        rows : int
            Rows of one call.
        extremes : sequence of tuple of ndarray of shape (1, ...)
            Inputs under which the tensors in front of the first table take their
            smallest and largest integers. Signs and widths of all tensors are those of
            the declared ranges.
        p_error : float
            Probability that a table, or a decrypted result, is wrong.

        Raises
        ------
        CompilationError
            If there are no parameters for integers that wide at that `p_error`.
        """
        fhe = _concrete()
        tables = any(node.op == "TableLookup" for node in graph)
        names = [f"input_{place}" for place in range(len(graph.inputs))]

        def circuit(**tensors: Any) -> Any:
            inputs = {
                value.name: tensors[name]
                for value, name in zip(graph.inputs, names, strict=True)
            }
            results = evaluate(graph, inputs, _traced(graph, fhe), _hinted(graph, fhe))
            outputs = tuple(results[value.name] for value in graph.outputs)
            return outputs if len(outputs) > 1 else outputs[0]

        circuit.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
        )
        samples = [
            tuple(np.ascontiguousarray(np.repeat(array, rows, 0)) for array in sample)
            for sample in extremes
        ]
        options: dict[str, Any] = {
            "p_error": p_error,
            "global_p_error": None,
            "compress_input_ciphertexts": True,
            "compress_evaluation_keys": True,
            "dump_artifacts_on_unexpected_failures": False,
            "enable_unsafe_features": False,
        }
        if self._given is None:
            # The threads of one call wait for the next one by spinning: without tables
            # there is nothing to share out, and calls run side by side instead.
            options["loop_parallelize"] = tables
        given = self._given or fhe.Configuration()
        options["additional_pre_processors"] = [*given.additional_pre_processors, _signs()]
        configuration = given.fork(**options)
        compiler = fhe.Compiler(circuit, dict.fromkeys(names, "encrypted"))
        try:
            compiled = compiler.compile(
                samples if len(names) > 1 else [sample[0] for sample in samples],
                configuration,
            )
        except RuntimeError as error:
            widest = max(value.bits or 0 for value in graph.values.values())
            raise CompilationError(
                f"No cryptographic parameters for integers of {widest} bits with "
                f"p_error={p_error:g}: {error}. Use a smaller n_bits or a larger p_error."
            ) from error
        logger.debug(
            "compiled for %d rows: complexity %.3g, %d bootstraps",
            rows,
            compiled.complexity,
            compiled.programmable_bootstrap_count,
        )
        return ConcreteProgram(
            rows,
            compiled.server,
            compiled.complexity,
            compiled.programmable_bootstrap_count,
            compiled,
        )


def _traced(graph: Graph, fhe: Any) -> Callable[[Node], Callable[..., Any]]:
    """Return what nodes mean for the engine's tracers.

    numpy's functions work on them, hence the operators' own; a table is the engine's.
    """

    def table_lookup(node: Node) -> Callable[..., Any]:
        def apply(x: Any, table: np.ndarray) -> Any:
            value = graph.value(node.inputs[0])
            first = node.attributes["first"]
            assert value.high is not None
            index = fhe.hint(x - first, can_store=value.high - first)
            if table.ndim == 1:
                return fhe.univariate(lambda i: table[np.clip(i, 0, len(table) - 1)])(index)
            size = 1 << int(value.high - first).bit_length()
            padded = np.concatenate([table, np.repeat(table[-1:], size - len(table), 0)])
            columns = padded.reshape(size, -1).T
            tables = np.empty(columns.shape[0], dtype=object)
            tables[:] = [fhe.LookupTable(column.tolist()) for column in columns]
            shaped = tables.reshape(1, *table.shape[1:])
            # The engine wants one table for each element (it does not broadcast).
            return fhe.LookupTable(np.repeat(shaped, x.shape[0], axis=0))[index]

        return apply

    return lambda node: (
        table_lookup(node)
        if node.op == "TableLookup"
        else _implementation(node, graph.opset)
    )


def _hinted(graph: Graph, fhe: Any) -> Callable[[Node, str, Any], Any]:
    """Return a function that tells the engine the declared range of each tensor."""

    def hint(node: Node, name: str, tracer: Any) -> Any:
        value = graph.value(name)
        assert value.low is not None
        tracer.computation.properties[_SIGNED] = value.low < 0
        return fhe.hint(tracer, bit_width=value.bits)

    return hint


class ConcreteProgram:
    """A program of `ConcreteEngine`, with the client's keys once they are generated.

    Keys are never part of `to_bytes`.
    """

    def __init__(
        self,
        rows: int,
        server: Any,
        complexity: float,
        bootstraps: int,
        compiled: Any = None,
    ) -> None:
        self.rows, self.complexity, self.bootstraps = rows, complexity, bootstraps
        self._server = server
        self._compiled = compiled
        self._client = _concrete().Client(server.client_specs)
        self._ciphers: Any = None
        self._lock = Lock()
        # The engine leaves its temporary folder behind.
        folder = server._library.get_output_dir_path()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @property
    def can_simulate(self) -> bool:
        """Whether the program was compiled here, not loaded."""
        return self._compiled is not None

    @property
    def evaluation_key_bytes(self) -> int:
        """Bytes of the (compressed) evaluation keys that a server needs."""
        self.keygen()
        return len(self._client.evaluation_keys.serialize())

    def keygen(self, *, force: bool = False) -> None:
        """Generate keys, once unless `force`."""
        with self._lock:
            if self._ciphers is not None and not force:
                return
            self._client.keygen(force=force)
            self._ciphers = _ciphers(self._client)

    def encrypt(self, *inputs: np.ndarray) -> Any:
        """Return ciphertexts of one array of integers for each input.

        The engine encrypts an array that is not C-contiguous to wrong values without a
        word, hence the copy.
        """
        self.keygen()
        prepare, value, tensor = self._ciphers.prepare_input, *_value_types()
        return tuple(
            value(prepare(tensor(np.ascontiguousarray(array, dtype=np.int64)), place))
            for place, array in enumerate(inputs)
        )

    def run(self, ciphertexts: Any) -> Any:
        """Return ciphertexts of the results."""
        results = self._server.run(
            *ciphertexts, evaluation_keys=self._client.evaluation_keys
        )
        return results if isinstance(results, tuple) else (results,)

    def decrypt(self, ciphertexts: Any) -> Integers:
        """Return the integers of the results.

        Raises
        ------
        ValueError
            If there are no keys: nothing was encrypted here.
        """
        if self._ciphers is None:
            raise ValueError(
                "There are no keys to decrypt with: decrypt where inputs were encrypted."
            )
        process = self._ciphers.process_output
        return tuple(
            np.asarray(process(ciphertext._inner, place).to_py_val(), dtype=np.int64)
            for place, ciphertext in enumerate(ciphertexts)
        )

    def simulate(self, *inputs: np.ndarray) -> Integers:
        """Return what the cryptography would give, noise included, without keys.

        Raises
        ------
        CompilationError
            If the program was loaded from bytes: compile the graph again to simulate.
        """
        if self._compiled is None:
            raise CompilationError(
                "A program that was loaded holds no simulator; compile it again."
            )
        arrays = [np.ascontiguousarray(array, dtype=np.int64) for array in inputs]
        results = self._compiled.simulate(*arrays)
        results = results if isinstance(results, tuple) else (results,)
        return tuple(np.asarray(result, dtype=np.int64) for result in results)

    def ciphertext_bytes(self, ciphertexts: Any) -> int:
        """Return the bytes of ciphertexts on the wire."""
        return sum(len(ciphertext.serialize()) for ciphertext in ciphertexts)

    def to_bytes(self) -> bytes:
        """Return the compiled program, without any key, for machines of this kind."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program.zip"
            self._server.save(path, via_mlir=False)
            return path.read_bytes()

    @classmethod
    def from_bytes(
        cls, data: bytes, rows: int, complexity: float, bootstraps: int
    ) -> ConcreteProgram:
        """Load what `to_bytes` gave. It is machine code: load only what you trust."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program.zip"
            path.write_bytes(data)
            server = _concrete().Server.load(path)
        return cls(rows, server, complexity, bootstraps)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A program may hold keys and is not pickled; use to_bytes.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rows={self.rows}, complexity={self.complexity:g})"
