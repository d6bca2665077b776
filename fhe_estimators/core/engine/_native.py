"""Client and server of a program, which exchange nothing but payloads.

They need the compiled part of the engine only: neither the part that traces and compiles,
nor torch, which that imports.
"""

from __future__ import annotations

import atexit
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from fhe_estimators.core.engine._forks import check_not_forked
from fhe_estimators.core.engine._frames import Frame
from fhe_estimators.core.engine._memory import kept_memory
from fhe_estimators.core.engine._randomness import check_randomness
from fhe_estimators.core.engine._selection import Selection
from fhe_estimators.core.engine._signals import (
    evaluated,
    interruptible,
    signals_kept,
    undisturbed,
)
from fhe_estimators.core.engine._specification import (
    CIRCUIT,
    Specification,
    payload_bytes,
    shape_of,
)

if TYPE_CHECKING:
    from fhe_estimators.core.engine._program import Integers

#: The solver of the engine, Z3, has one context for the whole process, and breaks down in
#: two threads.
engine_lock = Lock()


@cache
def compiler() -> Any:
    """Import the compiled part of the engine.

    It announces at import that its own import style is old. What it registers to be called
    at exit ends the process with status 0, whatever the status should be, and before what
    was registered earlier is called.
    """
    with engine_lock, signals_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from concrete import compiler as native
    atexit.unregister(native._terminate_df_parallelization)
    return native


def ciphers_of(client: Any) -> Any:
    """Return the engine's object that encrypts and decrypts with the keys of a client.

    The engine's own client builds this anew for each call, and reads the description of
    the circuit from text each time: two milliseconds, a third of a row.
    """
    description = client.specs.program_info
    program = compiler().ClientProgram.create_encrypted(description, client.keys._keyset)
    (name,) = description.function_list()
    return program.get_client_circuit(name)


class Keys(NamedTuple):
    """Payloads of the keys of a specification.

    Parameters
    ----------
    secret : bytes
    evaluation : bytes
        What a server needs; nothing without tables.
    """

    secret: bytes
    evaluation: bytes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.evaluation)} bytes of evaluation keys)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Secret keys are not pickled.")


def _info(specification: Specification) -> Any:
    return compiler().ProgramInfo.deserialize(specification.to_bytes())


def _keyset(specification: Specification) -> Any:
    """Return new keys, from seeds of the engine's own."""
    native = compiler()
    check_randomness(native)
    if specification.has_evaluation_keys:
        check_not_forked()
    return interruptible(native.Keyset, _info(specification), None, 0, 0, 0, 0, None)


def generate_keys(specification: Specification) -> Keys:
    """Return new keys.

    Raises
    ------
    ForkedProcessError
        If the parent of this process has made keys.
    """
    keyset = _keyset(specification)
    evaluation = _payload(keyset.get_server_keys().serialize())
    # Keys of a server come first.
    whole = _payload(keyset.serialize())
    return Keys(whole[len(evaluation) :], evaluation)


def keys_frame(specification: Specification) -> Frame:
    """Return the frame of evaluation keys; makes keys to look at."""
    return Frame.of(_keyset(specification).get_server_keys().serialize())


def _payload(message: bytes) -> bytes:
    return Frame.of(message).payload(message)


def _encryptor(bare: Specification, keyset: Any) -> Any:
    program = compiler().ClientProgram.create_encrypted(_info(bare), keyset)
    return program.get_client_circuit(CIRCUIT)


def _ciphertext_frame(specification: Specification, gate: dict[str, Any]) -> Frame:
    """Return the frame of one kind of ciphertext: of zeros, with a key for the purpose."""
    bare = specification.bare(gate)
    cipher = _encryptor(bare, _keyset(bare))
    clear = compiler().Value(np.zeros(shape_of(gate), np.int64))
    with undisturbed:
        return Frame.of(cipher.prepare_input(clear, 0).serialize())


class _Tensors:
    """Frames of the tensors of ciphertexts that are sent one way."""

    def __init__(self, specification: Specification, gates: list[dict[str, Any]]) -> None:
        self.sizes = [payload_bytes(gate) for gate in gates]
        self.shapes = [shape_of(gate) for gate in gates]
        self._frames = [_ciphertext_frame(specification, gate) for gate in gates]
        if [frame.holes for frame in self._frames] != [(size,) for size in self.sizes]:
            raise ValueError("The engine writes ciphertexts in another form.")

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(self.sizes)

    def payload(self, values: Sequence[Any]) -> bytes:
        """Return the payloads of the engine's values, one after the other."""
        pairs = zip(self._frames, values, strict=True)
        return b"".join(frame.payload(value.serialize()) for frame, value in pairs)

    def values(self, payload: bytes) -> list[Any]:
        """Return the engine's values; `ValueError` if the payload has another length."""
        if len(payload) != self.size:
            raise ValueError(f"Expected {self.size} bytes; got {len(payload)}.")
        found, start = [], 0
        for frame, size in zip(self._frames, self.sizes, strict=True):
            message = frame.message(payload[start : start + size])
            found.append(compiler().TransportValue.deserialize(message))
            start += size
        return found


class Cipher:
    """Encrypts and decrypts with the secret keys of a specification.

    Parameters
    ----------
    specification : Specification
    secret : bytes
        See `Keys`.
    """

    def __init__(self, specification: Specification, secret: bytes) -> None:
        bare = specification.bare(specification.inputs[0])
        frame = Frame.of(_keyset(bare).serialize())
        keyset = compiler().Keyset.deserialize(frame.message(secret))
        program = compiler().ClientProgram.create_encrypted(_info(specification), keyset)
        self._circuit = program.get_client_circuit(CIRCUIT)
        self._inputs = _Tensors(specification, specification.inputs)
        self._outputs = _Tensors(specification, specification.outputs)
        self._lock = Lock()

    @property
    def input_bytes(self) -> int:
        """Bytes of an encrypted row."""
        return self._inputs.size

    @property
    def output_bytes(self) -> int:
        """Bytes of the encrypted results of a row."""
        return self._outputs.size

    def encrypt(self, *inputs: np.ndarray) -> bytes:
        """Return the payload of one row of each input.

        The engine encrypts an array that is not C-contiguous to wrong values.
        """
        values = []
        for place, (array, shape) in enumerate(
            zip(inputs, self._inputs.shapes, strict=True)
        ):
            contiguous = np.ascontiguousarray(array.reshape(shape), dtype=np.int64)
            with self._lock, undisturbed:
                clear = compiler().Value(contiguous)
                values.append(self._circuit.prepare_input(clear, place))
        return self._inputs.payload(values)

    def decrypt(self, payload: bytes) -> Integers:
        """Return the results of one row.

        Raises
        ------
        ValueError
            If the payload has another length.
        """
        found = []
        for place, value in enumerate(self._outputs.values(payload)):
            with self._lock, undisturbed:
                result = self._circuit.process_output(value, place).to_py_val()
            shape = self._outputs.shapes[place]
            found.append(np.asarray(result).astype(np.int64).reshape(shape))
        return tuple(found)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A cipher holds secret keys and is not pickled.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Evaluations:
    """Evaluates one compiled program, in several threads at once.

    What the engine evaluates with serves one call at a time, and is kept: building it takes
    a third of a row without tables.

    Parameters
    ----------
    library : object
        The engine's library of the program.
    name : str
        Of the program there.
    """

    def __init__(self, library: Any, name: str) -> None:
        self._library, self._name = library, name
        #: Those that no call is using.
        self._idle: list[Any] = []

    def call(self, inputs: Sequence[Any], keys: Any) -> list[Any]:
        """Return the results as the engine's values."""
        try:
            evaluator = self._idle.pop()
        except IndexError:
            program = compiler().ServerProgram(self._library, False)
            evaluator = program.get_server_circuit(self._name)

        with kept_memory():
            results: list[Any] = evaluated(evaluator.call, inputs, keys)
        self._idle.append(evaluator)
        return results


class Evaluator:
    """Computes a program that was compiled here, on payloads.

    Parameters
    ----------
    folder : Path
        Where the compiled program is: machine code, to be trusted. It has to stay.
    specification : Specification
        Of the program.
    selection : Selection, optional
        Which of the ciphertexts that clients send the program reads.
    """

    def __init__(
        self, folder: Path, specification: Specification, selection: Selection | None
    ) -> None:
        self._specification, self._selection = specification, selection
        self._evaluations = Evaluations(compiler().Library(str(folder)), CIRCUIT)
        self._inputs = _Tensors(specification, specification.inputs)
        self._outputs = _Tensors(specification, specification.outputs)
        #: Rows of one call.
        self.rows = specification.rows

    @staticmethod
    def specification_in(folder: Path) -> Specification:
        """Return the specification of the program in a folder."""
        library = compiler().Library(str(folder))
        return Specification.of(library.get_program_info().serialize())

    @property
    def input_bytes(self) -> int:
        """Bytes of an encrypted row, as clients send it."""
        if self._selection is None:
            return self._inputs.size // self.rows
        read = self.rows * len(self._selection.indices)
        return self._inputs.size // read * self._selection.width

    @property
    def output_bytes(self) -> int:
        """Bytes of the encrypted results of a row."""
        return self._outputs.size // self.rows

    def keys(self, payload: bytes, frame: Frame) -> Any:
        """Return evaluation keys as the engine takes them."""
        return compiler().ServerKeyset.deserialize(frame.message(payload))

    def run(self, payload: bytes, keys: Any) -> bytes:
        """Return the payload of the results of as many rows as the program has.

        Raises
        ------
        ValueError
            If the payload has another length.
        """
        expected = self.rows * self.input_bytes
        if len(payload) != expected:
            raise ValueError(f"Expected {expected} bytes; got {len(payload)}.")
        if self._selection is not None:
            shape = self.rows, self._selection.width, -1
            ciphertexts = np.frombuffer(payload, np.uint8).reshape(shape)
            payload = ciphertexts[:, self._selection.indices].tobytes()
        values = self._inputs.values(payload)
        if self._specification.has_evaluation_keys:
            check_not_forked()
        return self._outputs.payload(self._evaluations.call(values, keys))
