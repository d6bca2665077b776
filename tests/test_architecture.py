"""The layout of the package, read from its syntax trees.

A module imports from lower floors only, and each heavy dependency has one importer.
"""

import ast
import subprocess
import sys

import pytest

from tests.sources import PACKAGE, ROOT, each_file, files_of, names_of, parse

FLOORS = {
    "_not_fitted": -1,
    "exceptions": 0,
    "_config": 0,
    "_columns": 0,
    "_diagram": 2,
    "_display": 0,
    "_meta": 0,
    "_parents": 0,
    "_progress": 1,
    "_readings": 0,
    "_reports": 0,
    "_sparse": 0,
    "_tags": 0,
    "_twins": 1,
    "_version": 0,
    "_warnings": -1,
    "core": 0,
    "core.validation": 0,
    "core.graph": 1,
    "core.integers": 2,
    "core.operators": 3,
    "core.engine": 4,
    "core.frontends": 4,
    "core.rewrite": 4,
    "core.circuit": 5,
    "core.numpy_module": 5,
    "core.quantization": 6,
    "core.trees": 7,
    "core.quantized_module": 8,
    "core.lowering": 9,
    "core.nearest": 9,
    "quantization": 9,
    "_fit": 1,
    "_state": 1,
    "_tables": 2,
    "_binned": 8,
    "base": 10,
    "_linear": 11,
    "_outliers": 11,
    "_quadratic": 12,
    "_tree_based": 11,
    "_boosting": 12,
    "linear_model": 13,
    "svm": 13,
    "tree": 13,
    "ensemble": 13,
    "catboost": 13,
    "interpret": 13,
    "xgboost": 13,
    "lightgbm": 13,
    "naive_bayes": 13,
    "discriminant_analysis": 13,
    "neighbors": 13,
    "cluster": 13,
    "covariance": 13,
    "decomposition": 13,
    "neural_network": 13,
    "torch": 13,
    "conversion": 14,
    "deployment": 14,
    "inspection": 15,
    "testing": 14,
    "cli": 17,
    "model_selection": 16,
    "__main__": 18,
    "__init__": 18,
}

#: (importer, imported) -> why this import may break the rule of the floors.
EXCEPTIONS = {}

#: Dependency -> the files, or folders (ending in "/"), that may import it.
IMPORTERS = {
    "brevitas": ("core/frontends/", "neural_network/"),
    "catboost": ("catboost/",),
    "concrete": ("core/engine/_concrete.py", "core/engine/_native.py"),
    "cryptography": ("deployment/_seal.py",),
    "httpx": ("deployment/serving/_remote.py",),
    "hummingbird": ("core/frontends/hummingbird.py",),
    "interpret": ("interpret/",),
    "lightgbm": ("lightgbm/",),
    "onnx": ("core/frontends/onnx.py",),
    "prometheus_client": ("deployment/serving/_metrics.py",),
    "ray": ("deployment/serving/_ray.py",),
    "skops": ("deployment/_preprocessing.py",),
    "skorch": ("neural_network/",),
    "starlette": ("deployment/serving/_app.py", "deployment/serving/_body.py"),
    "torch": ("conversion/", "core/frontends/", "neural_network/"),
    "uvicorn": ("deployment/serving/_run.py",),
    "xgboost": ("xgboost/",),
}

#: Lines of code of a file, docstrings and comments not counted.
MAX_CODE_LINES = 300

#: Files of tests that are of no module: what they test, which is in many.
OF_THE_WHOLE = {
    "test_architecture": "files, their imports and their tests",
    "test_benchmarks": "results of benchmarks, and the page of them",
    "test_boosting_libraries": "what XGBoost and LightGBM have in common",
    "test_catalogue": "what becomes of all estimators of scikit-learn",
    "test_common": "checks of scikit-learn and ours, of every estimator",
    "test_contributing": "a page for who changes the package",
    "test_deploy": "images and manifests of a server",
    "test_editors": "what editors see of the names of the package",
    "test_figures": "what models cost on any machine, beside its records",
    "test_global_changes": "that no file changes the state of the process",
    "test_guide": "pages of documentation",
    "test_mirror": "what `make mirror` writes",
    "test_docs": "docstrings of everything public",
    "test_notebooks": "notebooks",
    "test_odd_parameters": "odd values of every parameter of ours",
    "test_parameters": "deprecated parameters and classes of all parents",
    "test_random_models": "every estimator, drawn at random",
    "test_random_networks": "networks, drawn at random, from torch to integers",
    "test_range": "rows beyond those of training, in all families",
    "test_readme": "the README",
    "test_sample_weight": "rows of weight zero, in all families",
    "test_scales": "targets and leaves of several scales, in all families",
    "test_release": "what is built for release, and how it is installed",
    "test_secrets": "keys and training rows, of every estimator",
    "test_tools": "what tests and benchmarks share that is no part of the package",
}


def part_of(path):
    """Return the part of the package that a file belongs to: a key of `FLOORS`."""
    return part_named(path.relative_to(PACKAGE).with_suffix("").parts)


def part_named(names):
    """Return the part that a dotted name, less the package, belongs to."""
    if names[0] == "core" and len(names) > 1 and names[1] != "__init__":
        return f"core.{names[1]}"
    return names[0]


def executed(tree):
    """Yield all nodes of a syntax tree but those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from executed(node)


def imports(path):
    """Yield line and dotted name of all imports, wherever they stand in the file.

    ``from a import b`` yields ``a.b``, whether `b` is a module or not.
    """
    for node in executed(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imported_parts(path):
    """Yield line and part of the package for all imports from the package itself."""
    for line, name in imports(path):
        top, *rest = name.split(".")
        if top == PACKAGE.name:
            part = part_named(rest) if rest else "__init__"
            yield line, part if part in FLOORS else "__init__"


def respects_floors(importer, imported):
    return importer == imported or FLOORS[imported] < FLOORS[importer]


@each_file(PACKAGE)
def test_file_has_a_floor(path):
    assert part_of(path) in FLOORS, "give the new module a floor in FLOORS"


@each_file(PACKAGE)
def test_imports_from_lower_floors_only(path):
    importer = part_of(path)
    wrong = [
        f"line {line}: {importer} (floor {FLOORS[importer]}) imports "
        f"{imported} (floor {FLOORS[imported]})"
        for line, imported in imported_parts(path)
        if not respects_floors(importer, imported)
        and (importer, imported) not in EXCEPTIONS
    ]
    assert not wrong, "\n".join(wrong)


def test_exceptions_are_needed():
    """An exception between modules that exist must still be made use of."""
    paths = files_of(PACKAGE)
    used = {(part_of(p), imported) for p in paths for _, imported in imported_parts(p)}
    parts = {part_of(p) for p in paths}
    idle = {
        (importer, imported)
        for importer, imported in EXCEPTIONS
        if importer in parts and (importer, imported) not in used
    }
    assert not idle
    assert not [pair for pair in EXCEPTIONS if respects_floors(*pair)]


@each_file(PACKAGE)
def test_heavy_dependencies_have_one_importer(path):
    name = path.relative_to(PACKAGE).as_posix()
    wrong = [
        f"line {line}: {imported} belongs into {' or '.join(allowed)}"
        for line, imported in imports(path)
        if (allowed := IMPORTERS.get(imported.split(".")[0])) is not None
        and not any(
            name.startswith(place) if place.endswith("/") else name == place
            for place in allowed
        )
    ]
    assert not wrong, "\n".join(wrong)


@each_file(PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "tools")
def test_imports_are_absolute(path):
    wrong = [line for line, name in imports(path) if name.startswith(".")]
    assert not wrong, f"relative import on lines {wrong}"


def test_importing_the_package_is_light():
    code = (
        f"import sys, fhe_estimators\nprint(*sorted({set(IMPORTERS)} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@each_file(PACKAGE, ROOT / "tests", ROOT / "tools")
def test_file_is_short(path):
    assert code_lines(path.read_text(encoding="utf-8")) <= MAX_CODE_LINES


def subjects(folder):
    """Return the names of the modules and packages in a folder of the package.

    Private ones are without their underscore.
    """
    if not folder.is_dir():
        return set()
    packages = {path.name for path in folder.iterdir() if any(path.glob("*.py"))}
    return {name.lstrip("_") for name in packages | {p.stem for p in folder.glob("*.py")}}


def is_of(test, subject):
    """Return whether a file of tests is that of a subject, or of a topic of it."""
    return test == f"test_{subject}" or test.startswith(f"test_{subject}_")


TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", TESTS, ids=names_of(TESTS))
def test_tests_are_where_the_package_has_what_they_test(path):
    place = path.relative_to(ROOT / "tests").parent
    if str(place) == "." and path.stem in OF_THE_WHOLE:
        return
    names = subjects(PACKAGE / place)
    assert any(is_of(path.stem, name) for name in names), (
        f"fhe_estimators/{place} has no module that {path.name} is named after"
    )


def test_tests_of_the_whole_exist():
    assert {path.stem for path in (ROOT / "tests").glob("test_*.py")} >= OF_THE_WHOLE.keys()


@pytest.mark.parametrize(
    ("test", "subject", "expected"),
    [
        ("test_linear", "linear", True),
        ("test_linear_range", "linear", True),
        ("test_linearity", "linear", False),
        ("test_linear", "linear_model", False),
    ],
)
def test_files_of_tests_are_named_after_what_they_test(test, subject, expected):
    assert is_of(test, subject) == expected


def code_lines(source):
    """Count lines that are neither empty, nor comments, nor parts of docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    lines = enumerate(map(str.strip, source.splitlines()), start=1)
    return sum(
        bool(line) and not line.startswith("#") and number not in docstrings
        for number, line in lines
    )


def test_lines_of_code_are_counted_without_docstrings():
    lines = ['"""Module.', "", 'Text."""', "# Comment.", "x = 1", "def f():"]
    source = "\n".join([*lines, '    """F."""', "    return x"])
    assert code_lines(source) == 3
