"""The server's side of a deployment, without a socket."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from pathlib import Path
from threading import Lock
from typing import Any

from fhe_estimators.core.engine import (
    Evaluator,
    Frame,
    Machine,
    Selection,
    Specification,
    engine_version,
    keys_frame,
    remove_with,
)
from fhe_estimators.deployment import _json
from fhe_estimators.deployment._bundle import Bundle
from fhe_estimators.deployment._envelope import ANSWER, REQUEST, Envelope
from fhe_estimators.deployment._keyring import key_id_of
from fhe_estimators.deployment._manifest import Manifest, digest_of
from fhe_estimators.deployment._private import private_folder, write_new
from fhe_estimators.deployment._program import Source
from fhe_estimators.deployment.errors import (
    ConformanceError,
    FormatError,
    KeyMismatchError,
)
from fhe_estimators.exceptions import CompilationError

logger = logging.getLogger(__name__)

#: Rows of one request at most, by default.
MOST_ROWS = 64
#: Rows of one call of models with few tables: to make keys ready for a call takes as long
#: as some tables.
_BATCH, _FEW_TABLES = 8, 32


class EvaluationKeys:
    """Evaluation keys of one client, ready to compute with.

    Parameters
    ----------
    key_id : bytes
        A digest of the keys.
    native : object
        The keys as the engine takes them; see `Server.load_keys`, which makes them.
    """

    def __init__(self, key_id: bytes, native: Any) -> None:
        self._key_id, self._native = key_id, native

    @property
    def key_id(self) -> str:
        """The name of the keys: a digest of them, in hexadecimal digits."""
        return self._key_id.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key_id[:8]})"


class Server:
    """Answers encrypted requests. It holds no secret, and sees no row.

    Parameters
    ----------
    path : str or Path
        Of a ``server.zip``.
    compiled : str or Path, optional
        A folder for compiled programs, which other processes may share: it is made with
        access for this user only, and refused if others have any, as it holds machine
        code. Where a program is there already it takes no compiler, nor torch, to use it.
        By default one that is removed with the server.
    max_rows : int, default=64
        Rows of a request at most.

    Attributes
    ----------
    manifest : Manifest
        What the deployment is.

    Raises
    ------
    FormatError
        If the file is not exactly as `save_deployment` writes it.
    ConformanceError
        If the engine that is installed here compiles the model with other parameters than
        those that clients have.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        compiled: str | Path | None = None,
        max_rows: int = MOST_ROWS,
    ) -> None:
        if not isinstance(max_rows, int) or max_rows < 1:
            raise ValueError(
                f"The parameter 'max_rows' must be a positive integer; got {max_rows!r}."
            )
        bundle = Bundle.load(path, "server")
        self.manifest: Manifest = bundle.manifest
        self.max_rows = max_rows
        self._model = self.manifest.digest
        source = Source.read(bundle.parts["graph.json"], bundle.parts["constants.npz"])
        if compiled is None:
            folder = Path(tempfile.mkdtemp(prefix="fhe_estimators_"))
            remove_with(self, str(folder))
        else:
            folder = private_folder(compiled, "The folder of compiled programs")
        self._folder = folder / _program_name(self._model)
        if not self._folder.exists():
            is_guest = "family_spec.json" in bundle.parts
            family = bundle.specification("family_spec.json") if is_guest else None
            self._compile(source, family, self._folder)
        self._specification = Evaluator.specification_in(self._folder)
        selection, _ = Selection.of(source.graph)
        self._check_parameters(selection)
        self._evaluator = Evaluator(self._folder, self._specification, selection)
        self._batch = self._batched(source, selection)
        self._lock = Lock()
        self._frame: Frame | None = None

    def _compile(
        self, source: Source, family: Specification | None, folder: Path, rows: int = 1
    ) -> None:
        """Compile the model; another process may do the same at the same time."""
        program = source.compiled(family, rows)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new_"))
        program.save_library(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            remove_with(program, str(made))
        logger.info("compiled %s (%s)", self.manifest.name, self._model.hex()[:8])

    def _batched(self, source: Source, selection: Selection | None) -> Evaluator | None:
        """Return what computes several rows of a request in one call, if that is faster.

        It takes the same ciphertexts, and the same keys, as what computes one row.
        """
        if self.manifest.tables > _FEW_TABLES or self.max_rows < _BATCH:
            return None
        folder = self._folder.parent / f"{self._folder.name}-{_BATCH}"
        if not folder.exists():
            try:
                self._compile(source, self._specification, folder, _BATCH)
            except CompilationError as error:
                logger.info("%s has no batches: %s", self.manifest.name, error)
                folder.mkdir(exist_ok=True)  # so that nobody tries again
        if not any(folder.iterdir()):
            return None
        specification = Evaluator.specification_in(folder)
        if specification != self._specification.with_rows(_BATCH):
            return None
        return Evaluator(folder, specification, selection)

    def _check_parameters(self, selection: Selection | None) -> None:
        specification = self._specification
        if selection is not None:
            specification = specification.with_width(selection.width)
        if digest_of(specification.to_bytes()) != self.manifest.parts["client_spec.json"]:
            raise ConformanceError(
                f"The engine here, concrete-python {engine_version()}, compiles "
                f"{self.manifest.name!r} with other parameters than clients have. Install "
                f"the version that it was exported with, "
                f"{self.manifest.versions.get('concrete-python')}, or export it again."
            )

    @property
    def model_digest(self) -> str:
        """What tells the model apart, in hexadecimal digits; its client has the same."""
        return self._model.hex()

    @property
    def family(self) -> str:
        """What tells apart which keys it takes, in hexadecimal digits."""
        return self._specification.family.hex()

    @property
    def needs_keys(self) -> bool:
        """Whether clients have to hand over evaluation keys."""
        return self._specification.has_evaluation_keys

    @property
    def key_bytes(self) -> int:
        """Bytes of the evaluation keys of any client, exactly."""
        return self.manifest.key_bytes

    def prepare(self) -> None:
        """Do now what the first request would wait for."""
        if self.needs_keys:
            self._key_frame()

    def load_keys(self, keys: bytes, key_id: str | None = None) -> EvaluationKeys:
        """Return evaluation keys, ready to compute with any number of times.

        Models of one `family` take the same ones.

        Parameters
        ----------
        keys : bytes
            What `Client.evaluation_keys` is.
        key_id : str, optional
            What they are called, to be checked.

        Returns
        -------
        keys : EvaluationKeys

        Raises
        ------
        KeyMismatchError
            If they are of another size than keys of this family, or called differently.
        """
        if not isinstance(keys, bytes | bytearray | memoryview):
            raise KeyMismatchError(
                f"Evaluation keys must be bytes; got {type(keys).__name__}. Pass on "
                "Client.evaluation_keys."
            )
        keys = bytes(keys)
        if len(keys) != self.key_bytes:
            raise KeyMismatchError(
                f"Evaluation keys for {self.manifest.name!r} have {self.key_bytes} bytes; "
                f"got {len(keys)}: they are those of another family of models, or cut."
            )
        found = key_id_of(self._specification.family, keys)
        if key_id is not None and key_id != found.hex():
            raise KeyMismatchError(
                f"The evaluation keys are called {key_id:.80} but their digest is "
                f"{found.hex()}: they were changed, or are of another family."
            )
        return EvaluationKeys(found, self._evaluator.keys(keys, self._key_frame()))

    def _key_frame(self) -> Frame:
        """Return the frame of keys, which takes making some the first time."""
        with self._lock:
            if self._frame is None:
                path = self._folder.parent / f"{self.family}-{engine_version()}.frame"
                if not path.exists():
                    document = keys_frame(self._specification).to_document()
                    write_new(path, _json.dumps(document))
                found = _json.loads(path.read_bytes(), str(path))
                self._frame = Frame.from_document(found)
            return self._frame

    def run(self, request: bytes, keys: bytes | EvaluationKeys | None = None) -> bytes:
        """Return the answer to a request.

        Parameters
        ----------
        request : bytes
            What `Client.encrypt` returned.
        keys : bytes or EvaluationKeys, optional
            The client's evaluation keys, or what `load_keys` made of them, which saves a
            second. Models without tables need none.

        Returns
        -------
        answer : bytes
            What `Client.decrypt_predict` and its sisters take.

        Raises
        ------
        FormatError
            If the request was cut or changed, or is no request.
        ConformanceError
            If it is for another model, or has too many rows.
        KeyMismatchError
            If it was encrypted for other keys.
        """
        envelope = Envelope.of(request, REQUEST)
        self._check(envelope)
        if not self.needs_keys:
            native = self._evaluator.keys(b"", self._key_frame())
        else:
            if not isinstance(keys, EvaluationKeys):
                keys = self.load_keys(b"" if keys is None else keys)
            if keys._key_id != envelope.key:
                raise KeyMismatchError(
                    f"The request was encrypted with the keys {envelope.key.hex()[:16]}; "
                    f"those given are {keys.key_id[:16]}."
                )
            native = keys._native
        results, done = [], 0
        while done < envelope.rows:
            batch, evaluator = self._batch, self._evaluator
            if batch is not None and envelope.rows - done >= batch.rows:
                evaluator = batch
            start, done = done * evaluator.input_bytes, done + evaluator.rows
            payload = envelope.payload[start : done * evaluator.input_bytes]
            results.append(evaluator.run(payload, native))
        answer = Envelope(
            ANSWER,
            self._model,
            envelope.key,
            envelope.request,
            envelope.rows,
            b"".join(results),
        )
        return answer.to_bytes()

    def _check(self, envelope: Envelope) -> None:
        if envelope.model != self._model:
            raise ConformanceError(
                f"The request is for the model {envelope.model.hex()[:16]}; this is "
                f"{self.manifest.name!r}, {self.model_digest[:16]}. Use its client.zip."
            )
        if not 1 <= envelope.rows <= self.max_rows:
            raise ConformanceError(
                f"A request has from 1 to {self.max_rows} rows; got {envelope.rows}. Send "
                "rows in several requests."
            )
        expected = envelope.rows * self._evaluator.input_bytes
        if len(envelope.payload) != expected:
            raise FormatError(
                f"{envelope.rows} encrypted rows have {expected} bytes; got "
                f"{len(envelope.payload)}."
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.manifest.name!r}, {self.model_digest[:8]})"


def _program_name(model: bytes) -> str:
    """Return what a compiled program is called: it is one engine's, for one machine."""
    system, processor, instructions = Machine.here()
    sets = hashlib.sha256(" ".join(instructions).encode()).hexdigest()[:16]
    return f"{model.hex()}-{engine_version()}-{system}-{processor}-{sets}"
