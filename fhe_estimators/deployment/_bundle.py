"""The files client.zip and server.zip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fhe_estimators.core.engine import Specification
from fhe_estimators.deployment._archive import MOST_BYTES, read_archive, write_archive
from fhe_estimators.deployment._manifest import Manifest, digest_of
from fhe_estimators.deployment.errors import FormatError

MANIFEST = "manifest.json"
#: Files that a bundle must hold, and may hold, with the bytes that they take at most.
_MB = 1 << 20
REQUIRED: Mapping[str, Mapping[str, int]] = {
    "client": {
        "client_spec.json": _MB,
        "processing.json": 64 * _MB,
        "arrays.npz": 128 * _MB,
    },
    "server": {"graph.json": 64 * _MB, "constants.npz": 128 * _MB},
}
OPTIONAL: Mapping[str, Mapping[str, int]] = {
    "client": {"preprocessing.skops": 64 * _MB},
    "server": {"family_spec.json": _MB},
}


@dataclass(frozen=True)
class Bundle:
    """A manifest and the files of one role.

    Parameters
    ----------
    manifest : Manifest
    parts : dict of str to bytes
    """

    manifest: Manifest
    parts: Mapping[str, bytes]

    def specification(self, name: str) -> Specification:
        """Return the specification in a file; `FormatError` if it is none."""
        try:
            found = Specification.of(self.parts[name])
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{name} is no specification: {error}") from error
        if found.to_bytes() != self.parts[name]:
            raise FormatError(f"{name} is not written as this package writes it.")
        return found

    def to_bytes(self) -> bytes:
        """Return the bundle as a zip file."""
        return write_archive({MANIFEST: self.manifest.write(), **self.parts})

    @classmethod
    def of(cls, data: bytes, role: str | None = None, what: str = "The bundle") -> Bundle:
        """Return the bundle in a zip file.

        Raises
        ------
        FormatError
            If it is anything but what `to_bytes` returns, or of another role.
        """
        members = read_archive(data, what)
        if next(iter(members), None) != MANIFEST or len(members[MANIFEST]) > _MB:
            raise FormatError(f"{what} does not begin with a {MANIFEST}.")
        manifest = Manifest.read(members.pop(MANIFEST))
        if role not in (None, manifest.role):
            raise FormatError(
                f"{what} is for the {manifest.role}; a {role} takes {role}.zip."
            )
        limits = {**REQUIRED[manifest.role], **OPTIONAL[manifest.role]}
        for name, part in members.items():
            if len(part) > limits.get(name, -1):
                raise FormatError(f"{what} holds {name!r:.80} of {len(part)} bytes.")
            if digest_of(part) != manifest.parts.get(name):
                raise FormatError(f"{what}: {name} is not what {MANIFEST} says.")
        for name in limits:
            if name not in members and name in {*REQUIRED[manifest.role], *manifest.parts}:
                raise FormatError(f"{what} holds no {name}.")
        return cls(manifest, members)

    @classmethod
    def load(cls, path: str | Path, role: str | None = None) -> Bundle:
        """Return the bundle in a file, see `of`."""
        path = Path(path)
        if path.stat().st_size > MOST_BYTES:
            raise FormatError(f"{path} is larger than {MOST_BYTES} bytes.")
        return cls.of(path.read_bytes(), role, str(path))
