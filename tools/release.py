"""Build what is released, and check it in a clean environment.

``python -m tools.release`` (`make release-check`) builds a source distribution, and from it
a wheel, into `dist/`; looks at their metadata and files; installs the wheel with another
interpreter into an environment of its own, with the versions of `constraints.txt`; checks
there the types of a user's program; and runs the clear tests on the package as it is
installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.mirror.sources import PACKAGE, ROOT

__all__ = ["main", "misplaced"]

_DIST = ROOT / "dist"
#: What a source distribution has to hold beside the package.
_BESIDE = {
    *("CHANGES.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md"),
    *("constraints.txt", "pyproject.toml", "setup.cfg"),
}
#: Prints where the package is.
_WHERE = "import fhe_estimators; print(*fhe_estimators.__path__)"


def misplaced(found: Iterable[str], expected: Iterable[str]) -> list[str]:
    """Return a line for each file that is missing or should not be there.

    Parameters
    ----------
    found, expected : iterable of str
        Names of files; metadata that builds write are left out.
    """
    ours, wanted = {name for name in found if not _is_metadata(name)}, set(expected)
    return [
        *(f"{name} is missing" for name in sorted(wanted - ours)),
        *(f"{name} should not be there" for name in sorted(ours - wanted)),
    ]


def _is_metadata(name: str) -> bool:
    top = name.partition("/")[0]
    return top.endswith((".dist-info", ".egg-info")) or name.endswith("/")


def _run(*command: str | Path, cwd: Path = ROOT) -> None:
    print("$", *command, flush=True)
    # Nothing of ours comes from anywhere but the environment.
    names = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, check=True, cwd=cwd, env=names)


def _tracked(*folders: str) -> list[str]:
    command = ["git", "ls-files", *folders]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def _built() -> Path:
    """Build both distributions, check them, and return the wheel."""
    shutil.rmtree(_DIST, ignore_errors=True)
    _run(sys.executable, "-m", "build", "--outdir", _DIST)
    (wheel,), (source,) = _DIST.glob("*.whl"), _DIST.glob("*.tar.gz")
    _run(sys.executable, "-m", "twine", "check", "--strict", wheel, source)
    package = _tracked(PACKAGE.name)
    with zipfile.ZipFile(wheel) as archive:
        wrong = misplaced(archive.namelist(), package)
    with tarfile.open(source) as archive:
        names = [info.name.partition("/")[2] for info in archive if info.isfile()]
        wrong += misplaced(names, [*package, *_BESIDE])
    if wrong:
        raise SystemExit("\n".join(wrong))
    return wheel


def _installed(wheel: Path, python: str, folder: Path) -> Path:
    """Install the wheel into an environment of its own; return its interpreter."""
    _run(python, "-m", "venv", folder)
    ours = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    constraints = ROOT / "constraints.txt"
    wanted = f"{wheel}[completion,tests]"
    _run(ours, "-m", "pip", "install", "-q", "-c", constraints, wanted, "mypy")
    return ours


def _check_types(python: Path, folder: Path) -> None:
    program = shutil.copy(ROOT / "tests" / "typed_program.py", folder)
    _run(python, "-m", "mypy", "--strict", program, cwd=folder)


def _check_tests(python: Path, folder: Path, options: Sequence[str]) -> None:
    """Run the clear tests beside the installed package, not that of the checkout."""
    done = subprocess.run(
        [python, "-I", "-c", _WHERE], check=True, capture_output=True, text=True, cwd=folder
    )
    where = Path(done.stdout.strip())
    if where.is_relative_to(ROOT) and not where.is_relative_to(folder):
        raise SystemExit(f"{where} is not an installed package.")
    for name in _tracked():
        if Path(name).parts[0] != PACKAGE.name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / PACKAGE.name).symlink_to(where, target_is_directory=True)
    _run(python, "-m", "pytest", "-m", "clear and not slow", *options, cwd=folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.

    Returns
    -------
    status : int
        0; what fails raises.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="interpreter that the wheel is installed for (default: this one)",
    )
    parser.add_argument(
        "pytest", nargs="*", default=["tests"], help="what to give pytest, after --"
    )
    given = parser.parse_args(arguments)
    wheel = _built()
    with tempfile.TemporaryDirectory() as name:
        # A folder is what it is called here and by processes, links resolved.
        folder = Path(name).resolve()
        python = _installed(wheel, given.python, folder / "environment")
        (folder / "program").mkdir()
        (folder / "checkout").mkdir()
        _check_types(python, folder / "program")
        _check_tests(python, folder / "checkout", given.pytest)
    print(f"{wheel.name} is fit for release with {given.python}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
