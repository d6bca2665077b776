"""TFHE through concrete-python: what traces and compiles.

References
----------
.. [1] I. Chillotti, N. Gama, M. Georgieva, M. Izabachene, "TFHE: Fast Fully Homomorphic
   Encryption over the Torus", Journal of Cryptology 33, 2020.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

import numpy as np

from fhe_estimators.core.engine._facts import facts_of
from fhe_estimators.core.engine._folders import remove_with
from fhe_estimators.core.engine._forks import check_not_forked
from fhe_estimators.core.engine._hooks import artifacts, signs
from fhe_estimators.core.engine._native import Evaluations, ciphers_of, engine_lock
from fhe_estimators.core.engine._native import compiler as native_compiler
from fhe_estimators.core.engine._part import ConcretePart
from fhe_estimators.core.engine._prices import MeasuredTFHE
from fhe_estimators.core.engine._program import Facts, Integers
from fhe_estimators.core.engine._randomness import check_randomness
from fhe_estimators.core.engine._reasons import misread_tables, reason_of
from fhe_estimators.core.engine._selection import Selection
from fhe_estimators.core.engine._signals import (
    evaluated,
    interruptible,
    signals_kept,
    undisturbed,
)
from fhe_estimators.core.engine._specification import Specification
from fhe_estimators.core.engine._tracing import hinted, traced
from fhe_estimators.core.graph import Graph, as_tuple, evaluate
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.exceptions import CompilationError

logger = logging.getLogger(__name__)

#: What tracing reads of each thread, and the engine sets in the one that imports it only:
#: module, name, attribute, and what makes its first value.
_THREAD_STATE: tuple[tuple[str, str, str, Callable[[], Any]], ...] = (
    ("tag", "tag_context", "stack", list),
    ("round_bit_pattern", "local", "_is_adjusting", bool),
    ("truncate_bit_pattern", "local", "_is_adjusting", bool),
)
#: Machine code, rows, facts and selection of a program.
_Saved = tuple[bytes, int, Facts, Selection | None]


@cache
def _concrete() -> Any:
    """Import the engine, see `compiler` of `_native`."""
    native_compiler()
    with engine_lock, signals_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from concrete import fhe
    return fhe


@contextmanager
def _tracing() -> Iterator[None]:
    """Return a context in which the engine can trace and compile in this thread."""
    for module, name, attribute, initial in _THREAD_STATE:
        local = getattr(importlib.import_module(f"concrete.fhe.extensions.{module}"), name)
        if not hasattr(local, attribute):
            setattr(local, attribute, initial())
    # The engine sets how numpy reports errors and leaves it so.
    with engine_lock, np.errstate():
        yield


def _value_types() -> tuple[Any, Any]:
    """Return the engine's types of a ciphertext and of a clear tensor."""
    from concrete.compiler import Value

    return _concrete().Value, Value


class ConcreteEngine(MeasuredTFHE):
    """TFHE through concrete-python.

    Parameters
    ----------
    configuration : concrete.fhe.Configuration, optional
        Replaces our own, apart from what safety needs: no artifacts on disk, no global
        failure probability beside the one per table, no unsafe features.
    family : Specification, optional
        Of a program with whose keys others shall run, if they can. If not, they run with
        keys of their own: their `specification` tells.
    """

    def __init__(
        self, configuration: Any = None, family: Specification | None = None
    ) -> None:
        self._given, self._family = configuration, family

    def load(self, saved: _Saved) -> ConcreteProgram:
        """Return the program that was `saved`: machine code that you have to trust."""
        data, rows, facts, selection = saved
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "program.zip").write_bytes(data)
            server = _concrete().Server.load(Path(folder, "program.zip"))
        return ConcreteProgram(rows, server, facts, selection)

    def sharing(
        self, program: Any, graph: Graph, extremes: Sequence[Integers], p_error: float
    ) -> ConcreteProgram | None:
        """Return a program of one row for keys and ciphertexts of another, if it can be."""
        engine = type(self)(self._given, program.specification)
        try:
            found = engine.compile(graph, 1, extremes, p_error)
        except CompilationError:
            return None
        if not found.specification.shares_with(program.specification):
            return None
        found.adopt(program)
        return found

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
        selection, graph = Selection.of(graph)
        if selection is not None:
            extremes = [(selection.chosen(array),) for (array,) in extremes]
        tables = any(kind.bootstraps for kind in map(kinds_of(graph), graph))
        names = [f"input_{place}" for place in range(len(graph.inputs))]

        def circuit(**tensors: Any) -> Any:
            inputs = {
                value.name: tensors[name]
                for value, name in zip(graph.inputs, names, strict=True)
            }
            results = evaluate(graph, inputs, traced(graph, fhe), hinted(graph, fhe))
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
        widest = max((value.bits or 0 for value in graph.values.values()), default=0)
        if widest > self.maximum_table_bits:
            # Sums are wider than any table: each reads the bits of its own entries. (By
            # default those of 9 bits and more read all of the sums they are part of, as
            # they have to where tables are read bit by bit.)
            options["optimize_tlu_based_on_original_bit_width"] = True
        if self._given is None:
            # The threads of one call wait for the next one by spinning: without tables
            # there is nothing to share out, and calls run side by side instead.
            options["loop_parallelize"] = tables
        if self._family is not None:
            # The engine ends the process if it reads a restriction that is not well-formed:
            # it is made of what is known to be.
            text = self._family.to_bytes()
            known = native_compiler().ProgramInfo.deserialize(text).get_keyset_info()
            options["keyset_restriction"] = known.get_restriction()
        given = self._given or fhe.Configuration()
        processors = [*given.additional_pre_processors, signs(fhe)]
        options["additional_pre_processors"] = processors
        configuration = given.fork(**options)
        compiler = fhe.Compiler(circuit, dict.fromkeys(names, "encrypted"))

        def compiled_circuit() -> Any:
            with _tracing():
                compiled = compiler.compile(
                    samples if len(names) > 1 else [sample[0] for sample in samples],
                    configuration,
                    artifacts(fhe, circuit.__name__),
                )
                compiled.enable_fhe_execution()
                return compiled

        try:
            compiled = interruptible(compiled_circuit)
        except RuntimeError as error:
            reason = reason_of(str(error), graph, p_error)
            if reason is None:
                raise  # no linker, no space: nothing that a model could change
            raise CompilationError(reason) from error
        reason = misread_tables(graph, compiled)
        if reason is not None:
            raise CompilationError(reason)
        facts = facts_of(compiled)
        if selection is not None:
            facts = facts._replace(input_bytes=facts.input_bytes * selection.n_parts)
        logger.debug("compiled for %d rows: %s", rows, facts)
        return ConcreteProgram(rows, compiled.server, facts, selection, compiled)


class ConcreteProgram:
    """A program of `ConcreteEngine`, with the client's keys once they are generated.

    Keys are never part of what is `saved`.
    """

    def __init__(
        self,
        rows: int,
        server: Any,
        facts: Facts,
        selection: Selection | None = None,
        compiled: Any = None,
    ) -> None:
        self.rows, self.facts, self.selection = rows, facts, selection
        self._server = server
        self._compiled = compiled
        #: Whether the program was compiled here, not loaded.
        self.can_simulate = compiled is not None
        self._simulates = False
        self._client = _concrete().Client(server.client_specs)
        inputs = self._client.specs.program_info.input_signs()
        #: How many ciphertexts `encrypt` returns.
        self.n_ciphertexts = len(inputs) if selection is None else selection.n_parts
        self._ciphers: Any = None
        (name,) = server.program_info.function_list()
        self._evaluations = Evaluations(server._library, name)
        self._lock = Lock()
        # The engine leaves its temporary folder behind.
        remove_with(self, server._library.get_output_dir_path())

    def adopt(self, other: ConcreteProgram) -> None:
        """Take the keys of a program whose ciphertexts have the same parameters."""
        other.keygen()
        with self._lock:
            self._client.keys = other._client.keys
            self._ciphers = ciphers_of(self._client)

    @property
    def specification(self) -> Specification:
        """What describes keys and ciphertexts of the program."""
        return Specification.of(self._server.client_specs.serialize())

    def save_library(self, folder: Path) -> None:
        """Copy what `Evaluator` computes with, machine code, into a folder."""
        library = self._server._library
        shutil.copytree(library.get_output_dir_path(), folder, dirs_exist_ok=True)

    @property
    def evaluation_key_bytes(self) -> int:
        """Bytes of the (compressed) evaluation keys that a server needs."""
        self.keygen()
        return len(self._client.evaluation_keys.serialize())

    @property
    def has_keys(self) -> bool:
        """Whether there are keys: in the memory of this process, and nowhere else."""
        return self._ciphers is not None

    def keygen(self, *, force: bool = False) -> None:
        """Generate keys, once unless `force`."""
        with self._lock:
            if self._ciphers is not None and not force:
                return
            self._check_not_forked()
            self._ciphers = None  # never those of other keys, if this is interrupted
            interruptible(self._generate, force)

    def _generate(self, force: bool) -> None:
        check_randomness(native_compiler())
        self._client.keygen(force=force)
        self._ciphers = ciphers_of(self._client)

    def _check_not_forked(self) -> None:
        if self.facts.bootstraps:
            check_not_forked()

    def encrypt(self, *inputs: np.ndarray) -> Any:
        """Return ciphertexts of one array of integers for each input.

        The engine encrypts an array that is not C-contiguous to wrong values without a
        word, hence the copy.
        """
        self.keygen()
        value, tensor = _value_types()
        placed = list(enumerate(inputs))
        if self.selection is not None:
            placed = [(0, part) for part in self.selection.parts(*inputs)]

        def encrypted(array: np.ndarray, place: int) -> Any:
            clear = tensor(np.ascontiguousarray(array, dtype=np.int64))
            with undisturbed:
                return value(self._ciphers.prepare_input(clear, place))

        return tuple(encrypted(array, place) for place, array in placed)

    def run(self, ciphertexts: Any) -> Any:
        """Return ciphertexts of the results.

        Raises
        ------
        ValueError
            If something is not a ciphertext.
        """
        value = _concrete().Value
        inputs = [ciphertext._inner for ciphertext in self._read_by_program(ciphertexts)]
        keys = self._client.evaluation_keys.server_keyset
        self._check_not_forked()
        return tuple(map(value, self._evaluations.call(inputs, keys)))

    def _read_by_program(self, ciphertexts: Any) -> Any:
        """Return the ciphertexts that the program takes, of those that `encrypt` returns.

        Raises
        ------
        ValueError
            If something is not a ciphertext.
        """
        value = _concrete().Value
        for place, ciphertext in enumerate(ciphertexts):
            if not isinstance(ciphertext, value):
                raise ValueError(
                    f"ciphertexts[{place}] must be a ciphertext, as encrypt returns it; "
                    f"got {type(ciphertext).__name__}."
                )
        if self.selection is None:
            return ciphertexts
        messages = [ciphertext.serialize() for ciphertext in ciphertexts]
        size = self.facts.input_bytes // self.selection.n_parts
        gathered = self.selection.gathered(messages, self.rows, size)
        return (value.deserialize(gathered),)

    def part(self) -> ConcretePart:
        """Return what computes in another process: evaluation keys, but no secret key."""
        self.keygen()
        (name,) = self._server.program_info.function_list()
        folder = Path(self._server._library.get_output_dir_path())
        return ConcretePart.of(name, folder, self._client.evaluation_keys.serialize())

    def written(self, ciphertexts: Any) -> list[bytes]:
        """Return what `encrypt` returned as `part` takes it."""
        read = self._read_by_program(ciphertexts)
        return [ciphertext._inner.serialize() for ciphertext in read]

    def read(self, messages: Sequence[bytes]) -> Any:
        """Return what `part` returned as `decrypt` takes it."""
        value, transport = _concrete().Value, native_compiler().TransportValue
        return tuple(value(transport.deserialize(message)) for message in messages)

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
        with undisturbed:
            return tuple(
                np.asarray(
                    self._ciphers.process_output(ciphertext._inner, place).to_py_val(),
                    dtype=np.int64,
                )
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
            reason = "A program that was loaded holds no simulator; compile it again."
            raise CompilationError(reason)
        if self.selection is not None:
            inputs = tuple(map(self.selection.chosen, inputs))
        arrays = [np.ascontiguousarray(array, dtype=np.int64) for array in inputs]
        self._check_not_forked()
        with self._lock:
            if not self._simulates:
                interruptible(self._enable_simulation)
        results = as_tuple(evaluated(self._compiled.simulate, *arrays))
        return tuple(np.asarray(result, dtype=np.int64) for result in results)

    def _enable_simulation(self) -> None:
        with _tracing():
            self._compiled.enable_fhe_simulation()
        self._simulates = True

    def ciphertext_bytes(self, ciphertexts: Any) -> int:
        """Return the bytes of ciphertexts on the wire."""
        return sum(len(ciphertext.serialize()) for ciphertext in ciphertexts)

    def saved(self) -> _Saved:
        """Return what `ConcreteEngine.load` takes, for machines of this kind: no key."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program.zip"
            self._server.save(path, via_mlir=False)
            return path.read_bytes(), self.rows, self.facts, self.selection

    def __reduce__(self) -> NoReturn:
        raise TypeError("A program may hold keys and is not pickled; use saved.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rows={self.rows}, {self.facts})"
