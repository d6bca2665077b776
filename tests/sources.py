"""The files of the package, for tests that read them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fhe_estimators"


def files_of(folder):
    return sorted(folder.rglob("*.py"))


def names_of(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


def each_file(*folders):
    """Parametrize a test with the path of every Python file below the folders."""
    paths = [path for folder in folders for path in files_of(folder)]
    return pytest.mark.parametrize("path", paths, ids=names_of(paths))


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
