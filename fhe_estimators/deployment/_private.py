"""Folders and files that nobody else may read."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from fhe_estimators.deployment.errors import DeploymentError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: str | Path, what: str) -> Path:
    """Return a folder that only this user can enter; it is made if it does not exist.

    Raises
    ------
    DeploymentError
        If others can read it or write to it, or it is somebody else's.
    """
    folder = Path(path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(folder, what)
    return folder


def check_private(path: Path, what: str) -> None:
    """Raise `DeploymentError` if others have access to a file or folder."""
    if not hasattr(os, "getuid"):  # Windows has no such permissions
        return
    found = path.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        raise DeploymentError(f"{what} {path} is a link. Give the path that it points to.")
    if found.st_uid != os.getuid():
        raise DeploymentError(f"{what} {path} belongs to another user.")
    if mode & _OTHERS:
        cure = "700" if path.is_dir() else "600"
        raise DeploymentError(
            f"{what} {path} can be read or written by others (mode {mode:03o}): somebody "
            f"may have done so. If not, 'chmod {cure} {path}'."
        )


def write_new(path: Path, content: bytes) -> bool:
    """Write a file that only this user can read, at once.

    Returns
    -------
    is_new : bool
        False if there is such a file already, which stays.
    """
    # Made with mode 600.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new_")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            os.unlink(temporary)
    return True
