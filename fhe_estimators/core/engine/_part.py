"""What computes a program in another process. It holds no secret key."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fhe_estimators.core.engine._folders import remove_with
from fhe_estimators.core.engine._machine import Machine, engine_version
from fhe_estimators.core.engine._native import Evaluations, compiler
from fhe_estimators.exceptions import CompilationError

if TYPE_CHECKING:
    from fhe_estimators.core.graph import Graph

#: From the ciphertexts of a call to those of its results, all as bytes.
Run = Callable[[Sequence[bytes]], list[bytes]]


class Part(Protocol):
    """The server's part of a program, which can be pickled.

    Where it is loaded, machine code is loaded with it: it goes to processes that belong to
    the one who computes.
    """

    def ready(self) -> Run:
        """Return what computes; raises `CompilationError` on another kind of machine."""


@dataclass(frozen=True)
class ConcretePart:
    """A program of `ConcreteEngine` and evaluation keys.

    Parameters
    ----------
    name : str
        Of the circuit.
    files : dict of str to bytes
        The engine's library, by name of file.
    keys : bytes
    """

    name: str
    files: dict[str, bytes] = field(repr=False)
    keys: bytes = field(repr=False)
    machine: Machine = field(default_factory=Machine.here)
    version: str = field(default_factory=engine_version)

    @classmethod
    def of(cls, name: str, folder: Path, keys: bytes) -> ConcretePart:
        """Return the part whose library is in a folder."""
        files = {
            path.name: path.read_bytes()
            for path in folder.iterdir()
            if path.suffix != ".a"  # the same as what is loaded
        }
        return cls(name, files, keys)

    def ready(self) -> Run:
        """Return what computes; raises `CompilationError` on another kind of machine."""
        return self.with_keys(self.native_keys())

    def native_keys(self) -> Any:
        """Return the keys as the engine takes them; see `ready`."""
        here = Machine.here()
        if self.version != engine_version() or not here.runs(self.machine):
            raise CompilationError(
                f"A worker has {here.processor} with concrete-python {engine_version()}; "
                f"the circuit was compiled with {self.version} for {self.machine}. Use "
                "workers of the kind of this machine, with the packages of this one."
            )
        return compiler().ServerKeyset.deserialize(self.keys)

    def with_keys(self, keys: Any) -> Run:
        """Return what computes with keys as the engine takes them."""
        native = compiler()
        folder = tempfile.mkdtemp(prefix="fhe_estimators_")
        for name, content in self.files.items():
            (Path(folder) / name).write_bytes(content)
        evaluations = Evaluations(native.Library(folder), self.name)
        remove_with(evaluations, folder)

        def run(messages: Sequence[bytes]) -> list[bytes]:
            values = [native.TransportValue.deserialize(message) for message in messages]
            return [value.serialize() for value in evaluations.call(values, keys)]

        return run


@dataclass(frozen=True)
class JointPart:
    """Programs of one set of keys: the first message of a call is the number of one."""

    parts: tuple[Part, ...]

    def with_shared_keys(self) -> JointPart:
        """Return the same with one object for the keys, which is pickled once."""
        first = self.parts[0]
        if not isinstance(first, ConcretePart):
            return self
        same = [replace(p, keys=first.keys) for p in self.parts if type(p) is type(first)]
        return JointPart(tuple(same))

    def ready(self) -> Run:
        """Return what computes; keys are made ready once, programs when needed."""
        keys = None

        @cache
        def run_of(number: int) -> Run:
            nonlocal keys
            part = self.parts[number]
            if not isinstance(part, ConcretePart):
                return part.ready()
            keys = keys or part.native_keys()
            return part.with_keys(keys)

        def run(messages: Sequence[bytes]) -> list[bytes]:
            number, *others = messages
            return run_of(int.from_bytes(number, "little"))(others)

        return run


@dataclass(frozen=True)
class ClearPart:
    """A program of `ClearEngine`; messages are arrays."""

    graph: Graph
    rows: int

    def ready(self) -> Run:
        """Return what computes."""
        from fhe_estimators.core.engine._clear import ClearProgram

        program = ClearProgram(self.graph, self.rows)

        def run(messages: Sequence[bytes]) -> list[bytes]:
            return program.written(program.run(program.read(messages)))

        return run


def dumped(part: Part) -> bytes:
    """Return a part as bytes, to be loaded by processes of the same user."""
    return pickle.dumps(part, protocol=pickle.HIGHEST_PROTOCOL)
