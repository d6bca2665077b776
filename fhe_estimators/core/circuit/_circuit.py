"""Circuit: an integer graph with everything that it takes to run it encrypted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any

import numpy as np

from fhe_estimators._config import shows_progress
from fhe_estimators._progress import shown, stage
from fhe_estimators.core.circuit._bounds import extremes, is_additive
from fhe_estimators.core.circuit._chunks import (
    Chunks,
    Plan,
    computed_here,
    map_divided,
)
from fhe_estimators.core.circuit._ciphertexts import counted, told_of_foreign
from fhe_estimators.core.circuit._cost import Cost, work_of
from fhe_estimators.core.circuit._inputs import check_integers
from fhe_estimators.core.circuit._layers import LayerReport
from fhe_estimators.core.circuit._packing import candidates
from fhe_estimators.core.circuit._processes import computed, processes
from fhe_estimators.core.circuit._recombination import Recombination
from fhe_estimators.core.circuit._shards import MANY_TABLES, Divided, shards
from fhe_estimators.core.engine import (
    ConcreteEngine,
    Engine,
    Integers,
    Machine,
    Program,
    Work,
    interruptible,
)
from fhe_estimators.core.graph import INTEGER, Graph, check, show
from fhe_estimators.core.operators import supported
from fhe_estimators.core.validation import check_p_error
from fhe_estimators.exceptions import CompilationError

logger = logging.getLogger(__name__)

#: Ciphertext rows of one call of the batch program. Small, so that encryption of the next
#: rows goes on beside the computation of the last ones.
_BATCH = 2
#: Rows of one call with tables, if they are few: a server makes its keys ready for each
#: call, which takes as long as some tables. The keys of another program pay for many rows.
_TABLE_BATCH, _FEW_TABLES, _MANY_ROWS = 8, 32, 32


class Circuit:
    """A compiled integer graph.

    One row is computed by the *single* program. Circuits without tables, or with few, also
    have a *batch* program, compiled when several rows are first asked for: it takes several
    rows a call and, without tables, several rows a ciphertext (see
    `fhe_estimators.core.circuit._packing`).

    Parameters
    ----------
    graph : Graph
        The integer graph.
    p_error : float, default=2**-64
        Probability that a table, or a decrypted result, is wrong.
    configuration : concrete.fhe.Configuration, optional
        Passed to the engine.
    engine : Engine, optional
        What compiles; `ConcreteEngine` by default. Tests use `ClearEngine`.
    recombination : Recombination, optional
        What the client makes of the decrypted results of a graph with one output; they are
        the outputs by default.

    Attributes
    ----------
    graph, p_error, recombination
        As given.

    Notes
    -----
    Pickling keeps the compiled programs and leaves the keys behind: whoever loads a
    circuit makes keys of their own.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        p_error: float = 2**-64,
        configuration: Any = None,
        engine: Engine | None = None,
        recombination: Recombination | None = None,
    ) -> None:
        self.recombination = recombination
        self._engine: Engine = engine or ConcreteEngine(configuration)
        spec = INTEGER.limited(self._engine.maximum_table_bits)
        self.graph = check(graph, spec, supported(integer=True))
        self.p_error = check_p_error(p_error, type(self).__name__)
        self._lock = RLock()
        self._programs: dict[Plan, Program] = {}
        self._single = Plan()
        self._batch: Plan | None = None
        self._simulators: dict[Plan, Program] = {}
        self._shards: dict[int, Divided | None] = {}
        self._programs[self._single] = self._compile(self._single)

    # Facts ---------------------------------------------------------------------------

    @property
    def complexity(self) -> float:
        """The optimizer's estimate of the work for one row (elementary operations)."""
        return self._programs[self._single].facts.complexity

    @property
    def programmable_bootstrap_count(self) -> int:
        """Table look-ups for one row."""
        return self._programs[self._single].facts.bootstraps

    @property
    def cost(self) -> Cost:
        """What one row costs; needs no key."""
        facts = self._programs[self._single].facts
        return Cost.of(self.graph, facts, self._engine.prices(self.p_error))

    @property
    def work(self) -> Work:
        """What takes time of one row; needs no key."""
        return work_of(self.graph, self._programs[self._single].facts)

    @property
    def maximum_bit_width(self) -> int:
        """Bits of the widest integer."""
        return self.cost.maximum_bit_width

    @property
    def has_keys(self) -> bool:
        """Whether there are keys for one row, in the memory of this process."""
        return self._programs[self._single].has_keys

    @property
    def evaluation_key_bytes(self) -> int:
        """Bytes of the keys that a server needs; generates keys if there are none."""
        return self._programs[self._single].evaluation_key_bytes

    def ciphertext_bytes(self, ciphertexts: Any) -> int:
        """Return the bytes that encrypted inputs or results take on the wire."""
        return self._programs[self._single].ciphertext_bytes(ciphertexts)

    @property
    def layers(self) -> LayerReport:
        """What is computed encrypted, node by node, with its bits; prints as a table."""
        return LayerReport.of(self.graph)

    def __str__(self) -> str:
        return show(self.graph)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(maximum_bit_width={self.maximum_bit_width}, "
            f"programmable_bootstrap_count={self.programmable_bootstrap_count}, "
            f"complexity={self.complexity:g}, p_error={self.p_error:g})"
        )

    # Running -------------------------------------------------------------------------

    def keygen(self, *, force: bool = False) -> None:
        """Generate the keys of every program, once unless `force`."""
        if force:
            self._shards.clear()  # they have the keys of before
        for program in self._programs.values():
            if force or not program.has_keys:
                _make_keys(program, force=force)

    def encrypt(self, *inputs: np.ndarray) -> Any:
        """Encrypt one row of each input (client)."""
        return self._programs[self._single].encrypt(*self._checked(inputs, rows=1))

    def run(self, ciphertexts: Any) -> Any:
        """Compute on one encrypted row (server; no secret key is used).

        Raises
        ------
        TypeError, ValueError
            If it is given anything but what `encrypt` returns.
        """
        program = self._programs[self._single]
        with told_of_foreign("encrypt"):
            return program.run(counted(ciphertexts, program.n_ciphertexts, "encrypt"))

    def decrypt(self, ciphertexts: Any) -> Integers:
        """Decrypt the results of one row (client).

        Raises
        ------
        TypeError, ValueError
            If it is given anything but what `run` returns, or before `encrypt`.
        """
        with told_of_foreign("run"):
            results = counted(ciphertexts, len(self.graph.outputs), "run")
            return self._outputs(self._programs[self._single].decrypt(results))

    def encrypt_run_decrypt(
        self, *inputs: np.ndarray, progress: bool | None = None
    ) -> np.ndarray | Integers:
        """Encrypt, compute and decrypt any number of rows.

        Several rows are computed by the workers of joblib, if it was told of processes by
        ``joblib.parallel_config``; they get ciphertexts and evaluation keys only.

        Parameters
        ----------
        *inputs : ndarray of int of shape (n_rows, ...)
            Integers in the range of the graph's inputs.
        progress : bool, optional
            Whether to show a progress bar; as `config_context` says by default.

        Returns
        -------
        outputs : ndarray of int64 of shape (n_rows, ...), or a tuple of them
        """
        arrays = self._checked(inputs)
        progress = shows_progress() if progress is None else progress
        plan = self._plan(len(arrays[0]))
        program = self._program(plan)
        if not program.has_keys:
            _make_keys(program)
        chunks, n_processes = Chunks(plan, arrays), processes()
        divided = self._divided(chunks.n_rows, n_processes)
        if divided is not None:
            results = map_divided(divided, arrays[0], n_processes, progress)
            return _only(self._outputs(results))
        if n_processes and len(chunks) > 1:
            return _only(
                self._outputs(self._map_elsewhere(chunks, program, n_processes, progress))
            )
        steps = program.encrypt, program.run, program.decrypt
        return _only(self._outputs(interruptible(self._map, plan, arrays, steps, progress)))

    def simulate(
        self, *inputs: np.ndarray, progress: bool | None = None
    ) -> np.ndarray | Integers:
        """Simulate the cryptography, noise included, on any number of rows."""
        arrays = self._checked(inputs)
        progress = shows_progress() if progress is None else progress
        plan = self._plan(len(arrays[0]))
        program = self._simulator(plan)
        steps = program.simulate, _same, _same
        return _only(self._outputs(self._map(plan, arrays, steps, progress)))

    def _map(
        self,
        plan: Plan,
        arrays: Integers,
        steps: tuple[Callable[..., Any], Callable[[Any], Any], Callable[[Any], Integers]],
        progress: bool,
    ) -> Integers:
        """Return the results of three steps, one after the other, on chunks of rows."""
        chunks = Chunks(plan, arrays)
        shares = bool(self.programmable_bootstrap_count)
        return self._gathered(chunks, computed_here(chunks, steps, shares), progress)

    def _map_elsewhere(
        self, chunks: Chunks, program: Program, n_processes: int, progress: bool
    ) -> Integers:
        """Return the results on chunks of rows, computed in processes of joblib."""

        def messages_of(number: int) -> list[bytes]:
            return program.written(program.encrypt(*chunks[number]))

        answers = computed(program.part(), len(chunks), messages_of, n_processes)
        results = (program.decrypt(program.read(answer)) for answer in answers)
        return self._gathered(chunks, results, progress)

    def _divided(self, n_rows: int, n_processes: int) -> Divided | None:
        """Return shards for rows with many tables that are fewer than processes."""
        if not 0 < n_rows < n_processes or self.programmable_bootstrap_count < MANY_TABLES:
            return None
        count = n_processes // n_rows
        with self._lock:
            if count not in self._shards:
                single, compile_ = self._programs[self._single], self._engine.sharing

                def sharing(graph: Graph) -> Program | None:
                    return compile_(single, graph, extremes(graph), self.p_error)

                found = shards(self.graph, count)
                self._shards[count] = Divided.of(found, sharing)
            return self._shards[count]

    def _gathered(
        self, chunks: Chunks, results: Iterable[Integers], progress: bool
    ) -> Integers:
        """Return the results of all rows, from those of chunks in order."""
        outputs: list[Integers] = []
        with shown((), "rows", chunks.n_rows, progress=progress) as bar:
            for number, arrays in enumerate(results):
                outputs.append(chunks.unpacked(number, arrays))
                bar.update(len(outputs[-1][0]))
        if not outputs:
            return tuple(
                np.zeros((0, *value.shape[1:]), np.int64)  # type: ignore[index]
                for value in self.graph.outputs
            )
        return tuple(np.concatenate(parts) for parts in zip(*outputs, strict=True))

    def _outputs(self, results: Integers) -> Integers:
        """Return the outputs that decrypted results are recombined to."""
        if self.recombination is None:
            return results
        return tuple(map(self.recombination, results))

    def _checked(self, inputs: Sequence[np.ndarray], rows: int | None = None) -> Integers:
        """Return the inputs as integer arrays; raise if they are none of the graph's."""
        return check_integers(self.graph, inputs, rows)

    # Compiling -----------------------------------------------------------------------

    def _plan(self, n_rows: int) -> Plan:
        """Return the plan (program and packing) for a number of rows."""
        if n_rows <= 1:
            return self._single
        if not is_additive(self.graph):
            few = self.programmable_bootstrap_count <= _FEW_TABLES
            return Plan(_TABLE_BATCH) if few and n_rows >= _MANY_ROWS else self._single
        with self._lock:
            if self._batch is None:
                self._batch = self._batch_plan()
            return self._batch

    def _batch_plan(self) -> Plan:
        """Compile batch plans, densest first, and return one that has parameters."""
        most = self._engine.torus_bits
        for packing in candidates(self.graph, self.p_error, most):
            plan = Plan(_BATCH, packing)
            try:
                self._program(plan)
            except CompilationError as error:
                logger.debug("no parameters for %s: %s", packing, error)
            else:
                return plan
        return Plan(_BATCH)

    def _program(self, plan: Plan) -> Program:
        with self._lock:
            if plan not in self._programs:
                self._programs[plan] = self._compile(plan)
            return self._programs[plan]

    def _simulator(self, plan: Plan) -> Program:
        """Return a program that can simulate: a loaded one cannot, compile it again."""
        with self._lock:
            program = self._program(plan)
            if not program.can_simulate:
                if plan not in self._simulators:
                    self._simulators[plan] = self._compile(plan)
                program = self._simulators[plan]
            return program

    @stage("compile")
    def _compile(self, plan: Plan) -> Program:
        graph, rows = self.graph, extremes(self.graph)
        if plan.packing is not None:
            factor = plan.packing.factor
            graph = _widened(graph, factor)
            rows = [tuple(array * factor for array in row) for row in rows]
        return self._engine.compile(graph, plan.rows, rows, self.p_error)

    # Pickling ------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = {
            key: value
            for key, value in self.__dict__.items()
            if key not in ("_lock", "_programs", "_shards", "_simulators")
        }
        state["_machine"] = Machine.here()
        state["_compiled"] = {
            plan: program.saved() for plan, program in self._programs.items()
        }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        compiled, machine = state.pop("_compiled"), state.pop("_machine")
        self.__dict__.update(state)
        self._lock, self._simulators, self._shards = RLock(), {}, {}
        self._programs = {}
        if isinstance(machine, Machine) and Machine.here().runs(machine):
            for plan, saved in compiled.items():
                self._programs[plan] = self._engine.load(saved)
        if self._single not in self._programs:
            self._batch = None
            self._programs[self._single] = self._compile(self._single)


def _only(outputs: Integers) -> np.ndarray | Integers:
    return outputs[0] if len(outputs) == 1 else outputs


@stage("keys")
def _make_keys(program: Program, *, force: bool = False) -> None:
    program.keygen(force=force)


def _same(results: Any) -> Any:
    return results


def _widened(graph: Graph, factor: int) -> Graph:
    """Return an additive graph whose tensors hold `factor` times their integers."""

    def widen(value: Any) -> Any:
        return replace(value, low=value.low * factor, high=value.high * factor)

    return replace(
        graph,
        inputs=tuple(map(widen, graph.inputs)),
        outputs=tuple(map(widen, graph.outputs)),
        values={name: widen(value) for name, value in graph.values.items()},
    )
