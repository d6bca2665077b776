"""What a server does, whatever protocol its requests come by."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import IO, Any

from fhe_estimators.deployment._envelope import OVERHEAD, REQUEST, Envelope
from fhe_estimators.deployment._private import private_folder
from fhe_estimators.deployment.errors import (
    ConformanceError,
    DeploymentError,
    FormatError,
    KeyMismatchError,
)
from fhe_estimators.deployment.serving._keys import KeyStore, Place
from fhe_estimators.deployment.serving._limits import Limits
from fhe_estimators.deployment.serving._metrics import Metrics
from fhe_estimators.deployment.serving._models import Models, Version
from fhe_estimators.deployment.serving._pool import EVENTS, AnyPool, Pool
from fhe_estimators.deployment.serving._tenants import Tenants
from fhe_estimators.deployment.serving._worker import (
    RefusedError,
    Worker,
    WorkerLostError,
    WorkerTimeoutError,
)

logger = logging.getLogger(__name__)

#: Seconds for compiling a model.
_COMPILE = 600.0
_ERRORS = {cls.__name__: cls for cls in (ConformanceError, FormatError, KeyMismatchError)}


class KeysMissingError(DeploymentError, LookupError):
    """The server has no keys of that name: they were never sent, or evicted."""


class ModelMissingError(DeploymentError, LookupError):
    """The server has no model of that name."""


class VersionGoneError(DeploymentError, LookupError):
    """The server had that version of a model, and has it no more."""


class Service:
    """Models, keys, tenants and workers of one server.

    Parameters
    ----------
    folder : str or Path
        Of deployments.
    state : str or Path, optional
        Where keys, compiled programs and versions are kept; by default a folder ``.state``
        in the folder of deployments.
    tokens : collection of str
    limits : Limits
    make_pool : callable, optional
        From the folder of compiled programs, and those of bundles and keys, to what
        computes in place of worker processes.
    """

    def __init__(
        self,
        folder: str | Path,
        state: str | Path | None,
        tokens: Collection[str],
        limits: Limits,
        make_pool: Callable[[Path, tuple[Path, ...]], AnyPool] | None = None,
    ) -> None:
        folder = Path(folder)
        state = private_folder(state or folder / ".state", "The folder of the server")
        self.limits = limits
        self.tenants = Tenants(tokens, limits.concurrent)
        self.metrics = Metrics()
        self._lock = _locked(state)
        try:
            # What processes left that were killed while they wrote.
            for path in state.glob("*/**/.new_*"):
                shutil.rmtree(path, ignore_errors=True)
            self.models = Models(folder, state / "models")
            self.keys = KeyStore(state / "keys", limits)
            self._compiled = private_folder(state / "compiled", "The folder of programs")
            self._compile()
        except BaseException:
            self.close()
            raise
        self.pool: AnyPool = (
            Pool(self._worker, limits)
            if make_pool is None
            else make_pool(self._compiled, (folder, state))
        )
        gauge = self.metrics.gauge
        gauge("fhe_workers", "Worker processes that run", lambda: self.pool.workers)
        gauge("fhe_waiting", "Requests that wait", lambda: self.pool.waiting)
        gauge("fhe_key_bytes", "Bytes of keys", lambda: self.keys.total_bytes)
        for event in EVENTS:
            read = partial(self.pool.events.__getitem__, event)
            name = f"fhe_workers_{event.replace(' ', '_')}"
            gauge(name, f"Workers that were {event}", read)

    def _worker(self, ready: bool = True) -> Worker:
        """Return a new worker, which has all models ready or none."""
        manifests = [version.manifest for version in self.models.all]
        row = max(max(m.row_bytes, m.result_bytes) for m in manifests)
        options = {
            "compiled": str(self._compiled),
            "rows": self.limits.rows,
            "resident_keys": self.limits.resident_keys,
            "memory": int(self.limits.worker_bytes),
            "models": [str(v.server) for v in self.models.all] if ready else [],
        }
        # The workers share the processors.
        threads = max(1, Limits.processors() // self.limits.workers)
        most = OVERHEAD + self.limits.rows * row
        return Worker(options, most, threads, self.limits.start_seconds)

    def _compile(self) -> None:
        """Compile all models, in a process that ends with it: the compiler is large."""
        try:
            worker = self._worker(ready=False)
        except WorkerLostError as error:
            raise DeploymentError(f"Models were not compiled: {error}") from error
        try:
            for name in self.models.names:
                current, *older = self.models.versions_of(name)
                self._compile_one(worker, current)
                for version in older:
                    self._compile_older(worker, name, version)
        except (WorkerLostError, WorkerTimeoutError) as error:
            raise DeploymentError(f"Models were not compiled: {error}") from error
        finally:
            worker.end()

    def _compile_one(self, worker: Worker, version: Version) -> None:
        task = {"task": "compile", "model": str(version.server)}
        until = time.monotonic() + _COMPILE
        try:
            worker.call(task, b"", self.limits.accept_seconds, until)
        except RefusedError as error:
            raise _ERRORS.get(error.kind, DeploymentError)(str(error)) from error

    def _compile_older(self, worker: Worker, name: str, version: Version) -> None:
        try:
            self._compile_one(worker, version)
        except DeploymentError as error:
            logger.warning("an older version of %s is not served: %s", name, error)
            self.models.drop(name, version)

    def version(self, name: str, digest: str | None = None) -> Version:
        """Return a version of a model; the current one by default.

        Raises
        ------
        ModelMissingError, VersionGoneError
        """
        versions = self.models.versions_of(name)
        if not versions:
            raise ModelMissingError(f"There is no model {name!r:.80}.")
        if digest is None:
            return versions[0]
        for version in versions:
            if version.digest == digest:
                return version
        if self.models.is_gone(name, digest):
            raise VersionGoneError(
                f"Version {digest[:16]} of {name!r} is gone: get the client.zip of now."
            )
        raise ModelMissingError(f"{name!r} has no version {digest:.80}.")

    def most_bytes(self, name: str, digest: str | None) -> int:
        """Return the bytes of a request to a model at most."""
        versions = [self.version(name, digest), *self.models.versions_of(name)]
        row = max(version.manifest.row_bytes for version in versions)
        return OVERHEAD + self.limits.rows * row

    async def infer(
        self, tenant: str, name: str, digest: str | None, request: bytes
    ) -> bytes:
        """Return the answer to a request.

        Parameters
        ----------
        tenant : str
        name : str
            Of a model.
        digest : str, optional
            Of its version; by default the one that the request is for.
        request : bytes

        Raises
        ------
        FormatError, ConformanceError, KeyMismatchError, KeysMissingError
        ModelMissingError, VersionGoneError, ServerBusyError
        NoWorkerError, LethalRequestError, WorkerTimeoutError
        """
        envelope = Envelope.of(request, REQUEST)
        version = self._asked(name, digest, envelope)
        manifest, key_id = version.manifest, envelope.key.hex()
        if not 1 <= envelope.rows <= self.limits.rows:
            raise ConformanceError(
                f"A request has from 1 to {self.limits.rows} rows; got {envelope.rows}."
            )
        if len(envelope.payload) != envelope.rows * manifest.row_bytes:
            raise FormatError(
                f"{envelope.rows} encrypted rows have {envelope.rows * manifest.row_bytes} "
                f"bytes; got {len(envelope.payload)}."
            )
        task = {"task": "run", "model": str(version.server), "key": None, "key_id": key_id}
        if not manifest.key_bytes:
            answer = await self._answered(task, request, None)
        else:
            answer = await self._with_keys(tenant, manifest.family, task, request)
        if len(answer) != OVERHEAD + envelope.rows * manifest.result_bytes:
            raise DeploymentError("A worker gave an answer of another length.")
        self.metrics.rows(name, envelope.rows)
        return answer

    def _asked(self, name: str, digest: str | None, envelope: Envelope) -> Version:
        found = envelope.model.hex()
        if digest is None:
            current = self.version(name)
            known = {v.digest for v in self.models.versions_of(name)}
            if found in known or self.models.is_gone(name, found):
                return self.version(name, found)
            digest = current.digest
        version = self.version(name, digest)
        if version.digest != found:
            raise ConformanceError(
                f"The request is for the model {found[:16]}; this is {name!r}, "
                f"{version.digest[:16]}. Use its client.zip."
            )
        return version

    async def _with_keys(
        self, tenant: str, family: str, task: dict[str, Any], request: bytes
    ) -> bytes:
        key_id = task["key_id"]
        with self.keys.used(Place(tenant, family, key_id)) as path:
            if path is None:
                if self.keys.families_of(tenant, key_id):
                    raise KeyMismatchError(
                        f"The keys {key_id[:16]} are of another family of models."
                    )
                raise KeysMissingError(f"There are no keys {key_id[:16]}: send them.")
            try:
                return await self._answered({**task, "key": str(path)}, request, key_id)
            except (KeyMismatchError, FileNotFoundError) as error:
                # What lies on disk is not what was stored.
                logger.error("stored keys %s are dropped: %s", key_id[:8], error)
                self.keys.remove(tenant, key_id)
                raise KeysMissingError(
                    f"The keys {key_id[:16]} were damaged: send them again."
                ) from error

    async def _answered(
        self, task: dict[str, Any], request: bytes, key_id: str | None
    ) -> bytes:
        try:
            return await self.pool.run(task, request, key_id)
        except RefusedError as error:
            cls = _ERRORS.get(error.kind)
            if error.kind == "FileNotFoundError":
                raise FileNotFoundError(str(error)) from error
            raise (cls or DeploymentError)(str(error)) from error

    def close(self) -> None:
        """Let another server use the folder."""
        self.metrics.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _locked(state: Path) -> IO[bytes] | None:
    """Return an open file that keeps other servers out of a folder."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return None
    file = (state / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with contextlib.closing(file):
            raise DeploymentError(
                f"Another server uses {state}: give this one a folder of its own."
            ) from error
    return file
