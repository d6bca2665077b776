"""CONTRIBUTING.md against the code: hooks and who calls them, rooms, and commands."""

import ast
import builtins
import importlib
import inspect
import re
from pathlib import Path

import pytest
from sklearn import exceptions
from sklearn.utils import _param_validation

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fhe_estimators"
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: Above all families: what calls hooks here is on the page to the last call.
SKELETON = ("_fit", "_state", "_twins", "base")


def section(title):
    """Return what stands below a title of the page."""
    found = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    assert found
    return found


def rows_of_tables():
    """Return the cells of each line that describes a hook, by the name of the hook."""
    page = section("The hooks of an estimator")
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


def calls(node, place):
    """Yield the names of methods that are called, but for the parent's, and from where.

    A function in a function is a part of it.
    """
    for child in ast.iter_child_nodes(node):
        inner = place
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            in_function = isinstance(node, ast.FunctionDef)
            inner = place if in_function else f"{place}.{child.name}"
        elif (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and ast.unparse(child.func.value) != "super()"
        ):
            yield child.func.attr, place
        yield from calls(child, inner)


HOOKS = rows_of_tables()
METHODS = list(methods())
CALLS = [
    call
    for module in SKELETON
    for call in calls(
        ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8")), module
    )
]

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


@each_hook
def test_page_has_every_call_from_above_the_families(hook):
    found = {place for name, place in CALLS if name == hook}
    assert found <= set(names_in(HOOKS[hook][1]))


def test_calls_are_found():
    assert ("_lower", "_fit.lowered_after") in CALLS
    assert ("_quantize", "base.FHEMixin._lower") in CALLS


def test_text_names_methods_that_are_there():
    text = section("The hooks of an estimator") + section("Add a family of estimators")
    named = {name for name in names_in(text) if re.fullmatch(r"_[a-z_]+", name)}
    of_code = {name for _, name, _ in METHODS}
    of_code |= set(re.findall(r"^    (_\w+)\b.* = ", source_of_package(), re.MULTILINE))
    assert len(named) > len(HOOKS) / 2
    assert named <= of_code


def test_errors_of_hooks_are_there():
    named = set(re.findall(r"`(\w+Error)`", section("The hooks of an estimator")))
    ours = set(re.findall(r"^class (\w+Error)\b", source_of_package(), re.MULTILINE))
    assert named & ours
    assert named <= ours | {*vars(builtins), *vars(_param_validation), *vars(exceptions)}


def source_of_package():
    files = sorted(PACKAGE.rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_rooms_are_those_of_the_core():
    first = re.findall(r"^\| (`.*`) \| ", section("The house"), re.MULTILINE)
    rooms = {name.rstrip("/") for cell in first for name in names_in(cell)}
    core = PACKAGE / "core"
    folders = {path.parent.name for path in core.glob("*/__init__.py")}
    assert folders <= rooms - {"fhe_estimators/core"}
    assert all((core / room).exists() for room in rooms - {"fhe_estimators/core"})


def test_commands_are_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    listed = set(re.findall(r"^\| `make ([a-z-]+)` \|", PAGE, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", PAGE)) <= targets
    assert targets - {"help", "demo", "clean"} == listed
