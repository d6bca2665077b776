"""The deployments that a server offers, each in two versions at most."""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fhe_estimators.deployment._bundle import Bundle
from fhe_estimators.deployment._manifest import Manifest
from fhe_estimators.deployment._private import private_folder
from fhe_estimators.deployment.errors import ConformanceError, FormatError

logger = logging.getLogger(__name__)

#: Versions of a model that are answered, and digests of older ones that are remembered.
_VERSIONS, _REMEMBERED = 2, 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_ROLES = ("client", "server")


def slug(name: str) -> str:
    """Return the name of a model as addresses have it."""
    return _UNSAFE.sub("-", name).strip("-.") or "model"


@dataclass(frozen=True)
class Version:
    """A deployment that is offered.

    Parameters
    ----------
    manifest : Manifest
    folder : Path
        Of its two files.
    """

    manifest: Manifest
    folder: Path

    @property
    def digest(self) -> str:
        """What tells it apart."""
        return self.manifest.digest.hex()

    @property
    def server(self) -> Path:
        """What the server computes with."""
        return self.folder / "server.zip"

    @property
    def client(self) -> Path:
        """What clients are given."""
        return self.folder / "client.zip"


class Models:
    """What a server offers: the deployments in a folder, and the versions before them.

    Parameters
    ----------
    folder : Path
        Of ``client.zip`` and ``server.zip``, or of folders that have them.
    state : Path
        Where versions are kept: those of this start, and of earlier ones.

    Raises
    ------
    FormatError
        If there is none, or one is not what `save_deployment` wrote.
    ConformanceError
        If two have the same name, or the files of one do not belong together.
    """

    def __init__(self, folder: Path, state: Path) -> None:
        self._state = private_folder(state, "The folder of models")
        #: The current version first.
        self._versions: dict[str, list[Version]] = {}
        self._gone: dict[str, set[str]] = {}
        for path in sorted([folder / "server.zip", *folder.glob("*/server.zip")]):
            if path.is_file():
                self._add(path.parent)
        if not self._versions:
            raise FormatError(
                f"{folder} has no server.zip, nor has a folder in it. Write one with "
                "save_deployment, or 'fhe-estimators export'."
            )

    @property
    def names(self) -> list[str]:
        """The names of the models."""
        return sorted(self._versions)

    @property
    def all(self) -> list[Version]:
        """All versions of all models."""
        return [version for name in self.names for version in self._versions[name]]

    def versions_of(self, name: str) -> list[Version]:
        """Return the versions of a model, the current one first; none if there is none."""
        return self._versions.get(name, [])

    def is_gone(self, name: str, digest: str) -> bool:
        """Return whether a version was offered once."""
        return digest in self._gone.get(name, ())

    def drop(self, name: str, version: Version) -> None:
        """Offer a version no more."""
        self._versions[name].remove(version)
        self._gone[name].add(version.digest)

    def families_with(self, key_bytes: int) -> list[str]:
        """Return the families whose keys have a number of bytes."""
        found = {v.manifest.family for v in self.all if v.manifest.key_bytes == key_bytes}
        return sorted(found)

    def _add(self, folder: Path) -> None:
        manifest = _checked(folder)
        name = slug(manifest.name)
        if name in self._versions:
            raise ConformanceError(
                f"{folder} holds {manifest.name!r}, and another folder does so, too. Give "
                "models different names."
            )
        kept = self._state / name
        kept.mkdir(mode=0o700, exist_ok=True)
        current = Version(manifest, kept / manifest.digest.hex())
        if not current.folder.is_dir():
            _copy(folder, current.folder)
        order = [d for d in _read_order(kept) if d != current.digest]
        older: list[Version] = []
        for digest in order:
            path = kept / digest
            if len(older) < _VERSIONS - 1 and (path / "server.zip").is_file():
                older.append(Version(Bundle.load(path / "server.zip").manifest, path))
            else:
                shutil.rmtree(path, ignore_errors=True)
        self._versions[name] = [current, *older]
        self._gone[name] = {*order} - {version.digest for version in older}
        _write_order(kept, [current.digest, *order][:_REMEMBERED])


def _checked(folder: Path) -> Manifest:
    """Return what a deployment is, of which both files are there."""
    manifests = [Bundle.load(folder / f"{role}.zip", role).manifest for role in _ROLES]
    if manifests[0].digest != manifests[1].digest:
        raise ConformanceError(
            f"client.zip and server.zip of {folder} are not of one deployment."
        )
    return manifests[1]


def _copy(source: Path, target: Path) -> None:
    """Copy both files at once: the folder is there with both, or not at all."""
    made = Path(tempfile.mkdtemp(prefix=".new_", dir=target.parent))
    for role in _ROLES:
        shutil.copyfile(source / f"{role}.zip", made / f"{role}.zip")
    made.rename(target)


def _read_order(kept: Path) -> list[str]:
    try:
        found = json.loads((kept / "versions.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    if type(found) is not list or not all(re.fullmatch("[0-9a-f]{64}", d) for d in found):
        raise FormatError(f"{kept / 'versions.json'} is no list of digests.")
    return found


def _write_order(kept: Path, digests: list[str]) -> None:
    path = kept / "versions.new"
    path.write_text(json.dumps(digests), encoding="utf-8")
    path.replace(kept / "versions.json")
