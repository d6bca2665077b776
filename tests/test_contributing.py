"""CONTRIBUTING.md against the code: where the hooks of estimators are, and who calls."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fhe_estimators"


def rows_of_tables():
    """Return the cells of each line that describes a hook, by the name of the hook."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    page = text.partition("## The hooks of an estimator")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `(_\w+)` \| (.*) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    return {name: cells for name, *cells in lines}


def methods():
    """Yield file, name and docstring of each method; interfaces have none that runs."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            if "Protocol" in [ast.unparse(base) for base in node.bases]:
                continue
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    file = path.relative_to(PACKAGE).as_posix()
                    yield file, member.name, ast.get_docstring(member) or ""


HOOKS = rows_of_tables()
METHODS = list(methods())

each_hook = pytest.mark.parametrize("hook", HOOKS)


def names_in(cell):
    return re.findall(r"`([\w./]+)`", cell)


def resolve(dotted):
    """Return the function or method behind a dotted name of the package."""
    parts = dotted.split(".")
    n_modules = next(n for n, part in enumerate(parts) if not is_module(parts[: n + 1]))
    thing = importlib.import_module(".".join([PACKAGE.name, *parts[:n_modules]]))
    for part in parts[n_modules:]:
        thing = inspect.getattr_static(thing, part)
    return inspect.unwrap(getattr(thing, "__func__", thing))


def is_module(parts):
    path = PACKAGE.joinpath(*parts)
    return path.is_dir() or path.with_suffix(".py").is_file()


@each_hook
def test_hook_is_defined_where_the_page_says(hook):
    defined = {file for file, name, _ in METHODS if name == hook}
    assert set(names_in(HOOKS[hook][0])) == defined


@each_hook
def test_hook_is_called_by_whom_the_page_says(hook):
    callers = names_in(HOOKS[hook][1])
    assert callers
    missing = [
        name for name in callers if f".{hook}(" not in inspect.getsource(resolve(name))
    ]
    assert not missing


def test_every_hook_is_on_the_page():
    called_so = {name for _, name, text in METHODS if "(hook" in text.partition("\n")[0]}
    assert called_so
    assert called_so <= HOOKS.keys()
