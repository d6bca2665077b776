"""Evaluation keys on disk: named by their digest, apart for each tenant and family."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import IO

from fhe_estimators.deployment._private import private_folder
from fhe_estimators.deployment.errors import FormatError, ServerBusyError
from fhe_estimators.deployment.serving._limits import Limits

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{64}")
_NEW = ".new_"
_RETRY = 10.0


@dataclass(frozen=True)
class Place:
    """Where keys lie.

    Parameters
    ----------
    tenant, family, key_id : str
    """

    tenant: str
    family: str
    key_id: str


class KeyStore:
    """Evaluation keys of all tenants.

    Parameters
    ----------
    folder : Path
        Made with access for this user only.
    limits : Limits
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = private_folder(folder, "The folder of evaluation keys")
        self._limits = limits
        self._lock = RLock()
        #: Bytes of keys; those that were not used for longest come first.
        self._sizes: OrderedDict[Place, int] = OrderedDict()
        #: Bytes of uploads that go on, by tenant, and requests that use keys.
        self._coming: Counter[str] = Counter()
        self._used: Counter[Place] = Counter()
        self._find()

    def _find(self) -> None:
        """Take over what an earlier process left."""
        found = []
        for path in self._folder.glob("*/*/*"):
            if path.name.startswith(_NEW):
                path.unlink()
            elif _NAME.fullmatch(path.name):
                place = Place(path.parts[-3], path.parts[-2], path.name)
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, place))
        for _, size, place in sorted(found, key=lambda entry: entry[0]):
            self._sizes[place] = size

    @property
    def total_bytes(self) -> int:
        """Bytes of all keys."""
        with self._lock:
            return sum(self._sizes.values())

    def families_of(self, tenant: str, key_id: str) -> list[str]:
        """Return the families that a tenant has keys of a name for: one at most."""
        with self._lock:
            return [
                place.family
                for place in self._sizes
                if (place.tenant, place.key_id) == (tenant, key_id)
            ]

    def size_of(self, tenant: str, key_id: str) -> int:
        """Return the bytes of keys; 0 if there are none."""
        with self._lock:
            for family in self.families_of(tenant, key_id):
                return self._sizes[Place(tenant, family, key_id)]
            return 0

    @contextmanager
    def used(self, place: Place) -> Iterator[Path | None]:
        """Return a context in which keys stay; it gives their path, or None."""
        with self._lock:
            is_there = place in self._sizes
            if is_there:
                self._sizes.move_to_end(place)
                self._used[place] += 1
        path = self._path(place)
        if not is_there:
            yield None
            return
        try:
            with suppress(OSError):  # The order is kept for the next process, too.
                os.utime(path)
            yield path
        finally:
            with self._lock:
                self._used[place] -= 1
                if not self._used[place]:
                    del self._used[place]

    def remove(self, tenant: str, key_id: str) -> bool:
        """Remove keys; return whether there were any."""
        with self._lock:
            families = self.families_of(tenant, key_id)
            for family in families:
                self._drop(Place(tenant, family, key_id))
            return bool(families)

    @contextmanager
    def upload(
        self, tenant: str, key_id: str, size: int, families: Sequence[str]
    ) -> Iterator[Upload]:
        """Return a context for keys that come; without `Upload.finish` they are dropped.

        Parameters
        ----------
        tenant : str
        key_id : str
        size : int
            Bytes, exactly.
        families : sequence of str
            That they may belong to.

        Raises
        ------
        ServerBusyError
            If there is no space, because all keys are in use.
        """
        with self._lock:
            self._make_space(tenant, size)
            self._coming[tenant] += size
        folder = self._folder / tenant
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "new").mkdir(mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_NEW, dir=folder / "new")
        try:
            with os.fdopen(handle, "wb") as file:
                yield Upload(self, file, Path(name), tenant, key_id, size, families)
        finally:
            with suppress(OSError):
                os.unlink(name)
            with self._lock:
                self._coming[tenant] -= size

    def _keep(self, path: Path, place: Place, size: int) -> None:
        target = self._path(place)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with self._lock:
            path.replace(target)
            self._sizes[place] = size
            self._sizes.move_to_end(place)

    def _make_space(self, tenant: str, size: int) -> None:
        own, total = self._limits.tenant_bytes, self._limits.total_bytes
        if size > min(own, total):
            raise ServerBusyError("the keys are larger than what is kept of a tenant")
        while self._taken(tenant) + size > own:
            self._evict(tenant)
        while self._taken(None) + size > total:
            self._evict(None)

    def _taken(self, tenant: str | None) -> int:
        """Return the bytes of a tenant, or of all, with those that come."""
        kept = sum(n for p, n in self._sizes.items() if tenant in (None, p.tenant))
        return kept + sum(n for t, n in self._coming.items() if tenant in (None, t))

    def _evict(self, tenant: str | None) -> None:
        for place in self._sizes:
            if tenant in (None, place.tenant) and place not in self._used:
                self._drop(place)
                logger.info("evicted keys %s", place.key_id[:8])
                return
        raise ServerBusyError("all keys are in use: there is no space for more", _RETRY)

    def _drop(self, place: Place) -> None:
        self._sizes.pop(place, None)
        self._path(place).unlink(missing_ok=True)

    def _path(self, place: Place) -> Path:
        return self._folder / place.tenant / place.family / place.key_id


class Upload:
    """Keys that are being received. `KeyStore.upload` makes it."""

    def __init__(
        self,
        store: KeyStore,
        file: IO[bytes],
        path: Path,
        tenant: str,
        key_id: str,
        size: int,
        families: Sequence[str],
    ) -> None:
        self._store, self._file, self._path = store, file, path
        self._tenant, self._key_id, self._size = tenant, key_id, size
        self._digests = {
            family: hashlib.sha256(bytes.fromhex(family)) for family in families
        }
        self._received = 0

    def write(self, chunk: bytes) -> None:
        """Add bytes.

        Raises
        ------
        FormatError
            If there are more than were announced.
        """
        self._received += len(chunk)
        if self._received > self._size:
            raise FormatError(f"More than the {self._size} bytes that were announced.")
        for digest in self._digests.values():
            digest.update(chunk)
        self._file.write(chunk)

    def finish(self) -> str:
        """Keep the keys, under the family that their name is of.

        Raises
        ------
        FormatError
            If they are not whole, or their digest is another one.
        """
        if self._received != self._size:
            raise FormatError(f"{self._received} bytes came; {self._size} were announced.")
        for family, digest in self._digests.items():
            if digest.hexdigest() == self._key_id:
                self._file.flush()
                os.fsync(self._file.fileno())
                place = Place(self._tenant, family, self._key_id)
                self._store._keep(self._path, place, self._size)
                return family
        raise FormatError("The keys were changed: their digest is not their name.")
