"""No file of the package changes the state of the process."""

import ast

import pytest

from tests.sources import PACKAGE, each_file, parse


def global_changes(node, caught=False):
    """Yield line and source of the statements that change the state of the process.

    These are warnings filters outside of ``with warnings.catch_warnings()``, and
    writes to the environment. `caught` tells if such a ``with`` surrounds the node.
    """
    if isinstance(node, ast.With | ast.AsyncWith):
        caught = caught or any(
            isinstance(item.context_expr, ast.Call)
            and last_name(item.context_expr.func) == "catch_warnings"
            for item in node.items
        )
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        caught = False  # the body runs when it is called, not here
    if changes_environment(node) or (sets_filter(node) and not caught):
        yield node.lineno, ast.unparse(node)
    for child in ast.iter_child_nodes(node):
        yield from global_changes(child, caught)


def last_name(node):
    """Return ``c`` for ``a.b.c`` and for ``c``, an empty string for anything else."""
    return getattr(node, "attr", getattr(node, "id", ""))


def sets_filter(node):
    return isinstance(node, ast.Call) and last_name(node.func) in {
        "filterwarnings",
        "resetwarnings",
        "simplefilter",
    }


def changes_environment(node):
    if isinstance(node, ast.Subscript):
        written = isinstance(node.ctx, ast.Store | ast.Del)
        return written and last_name(node.value) == "environ"
    if not isinstance(node, ast.Call):
        return False
    if last_name(node.func) in {"putenv", "unsetenv"}:
        return True
    return last_name(getattr(node.func, "value", None)) == "environ" and last_name(
        node.func
    ) in {"clear", "pop", "popitem", "setdefault", "update"}


@each_file(PACKAGE)
def test_file_changes_nothing_global(path):
    wrong = [f"line {line}: {source}" for line, source in global_changes(parse(path))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "n_changes"),
    [
        ("warnings.simplefilter('ignore')", 1),
        ("filterwarnings('ignore')", 1),
        ("with warnings.catch_warnings():\n    warnings.simplefilter('ignore')", 0),
        ("with catch_warnings():\n    def f():\n        simplefilter('ignore')", 1),
        ("os.environ['A'] = '1'", 1),
        ("del os.environ['A']", 1),
        ("os.environ.setdefault('A', '1')", 1),
        ("os.putenv('A', '1')", 1),
        ("a = os.environ['A'] + os.environ.get('B', '')", 0),
        ("{}.update(os.environ)", 0),
    ],
)
def test_global_changes_are_found(source, n_changes):
    assert len(list(global_changes(ast.parse(source)))) == n_changes
