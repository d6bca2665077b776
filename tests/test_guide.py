"""The documentation: its code runs, its names and messages exist, it builds."""

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from pkgutil import iter_modules

import pytest

import fhe_estimators
from tests.pages import DOCS, ROOT, pages, programs, run, tier

PAGES = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in pages()}

#: Modules without an underscore that are not for users: the machinery, and commands.
NOT_FOR_USERS = {"base", "cli", "core"}


def runnable():
    """Yield a parameter for each page with code, marked with its tier."""
    for name, text in PAGES.items():
        if programs(text):
            yield pytest.param(name, marks=getattr(pytest.mark, tier(text)), id=name)


@pytest.mark.parametrize("name", [*runnable()])
def test_code_of_page_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(PAGES[name], name)


def test_every_page_is_in_a_list_of_contents():
    listed = {"index.md"}
    for name, text in PAGES.items():
        folder = DOCS.joinpath(name).parent
        for entries in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            names = [line for line in entries.split("\n") if line and line[0] != ":"]
            listed |= {(folder / f"{e}.md").relative_to(DOCS).as_posix() for e in names}
    assert PAGES.keys() <= listed


def test_api_lists_every_public_module():
    public = {
        f"fhe_estimators.{module.name}"
        for module in iter_modules(fhe_estimators.__path__)
        if not module.name.startswith("_") and module.name not in NOT_FOR_USERS
    }
    listed = re.findall(r"^   (fhe_estimators\.\w+)$", PAGES["api.md"], re.MULTILINE)
    assert sorted(listed) == sorted(public | {"fhe_estimators.config_context"})


NEW_NAMES = [
    (dotted, parameter.strip("(=)"))
    for dotted, parameter in re.findall(
        r"`(fhe_estimators[\w.]*)(\(\w+=\))?`", PAGES["guide/from_concrete_ml.md"]
    )
]


def test_migration_has_names():
    assert len(NEW_NAMES) > 30


@pytest.mark.parametrize(("dotted", "parameter"), NEW_NAMES)
def test_name_to_migrate_to_exists(dotted, parameter):
    package, module, *names = dotted.split(".")
    thing = importlib.import_module(f"{package}.{module}")
    for name in names:
        thing = getattr(thing, name)
    if parameter:
        assert parameter in inspect.signature(thing).parameters


def texts_of_the_package():
    """Return what stands in literals of text, one line for each; values are dots."""
    found = []
    for path in sorted((ROOT / "fhe_estimators").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", "…") for part in node.values]
                found.append("".join(p if isinstance(p, str) else "…" for p in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


TEXTS = texts_of_the_package()

MESSAGES = re.findall(
    r"^([^\n#:`-][^\n]*)\n: ", PAGES["guide/troubleshooting.md"], re.MULTILINE
)


def test_troubleshooting_has_messages():
    assert len(MESSAGES) > 20


@pytest.mark.parametrize("message", MESSAGES)
def test_message_is_one_of_the_package(message):
    parts = [re.escape(part.strip()) for part in message.split("…")]
    # What is written for a value in the list of limits may be a name or a number.
    pattern = r".{0,80}".join(parts).replace(r"\ 16", r"\ (?:16|…)")
    assert re.search(pattern, TEXTS), message


def test_files_that_pages_name_exist():
    for name, text in PAGES.items():
        folder = DOCS.joinpath(name).parent
        linked = re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", text)
        included = re.findall(r"```\{include\} (\S+)", text)
        missing = [path for path in [*linked, *included] if not (folder / path).exists()]
        assert not missing, name


def test_site_builds(tmp_path):
    """From a copy, without a warning, and without running the examples."""
    generated = shutil.ignore_patterns("_build", "api", "gallery")
    shutil.copytree(DOCS, tmp_path / "docs", ignore=generated)
    for included in ("CONTRIBUTING.md", "README.md"):
        shutil.copy(ROOT / included, tmp_path)
    (tmp_path / "benchmarks").mkdir()
    for picture in (ROOT / "benchmarks").glob("*.png"):
        shutil.copy(picture, tmp_path / "benchmarks")
    options = ["-W", "--keep-going", "-q", "-b", "html", "-D", "plot_gallery=0"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", "html"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built = tmp_path / "html/api/fhe_estimators.linear_model.Ridge.html"
    assert "from_sklearn_model" in built.read_text("utf-8")


EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))


def test_there_are_examples_with_plots():
    assert len(EXAMPLES) >= 10
    assert not [path for path in EXAMPLES if "plt.show()" not in path.read_text("utf-8")]


@pytest.mark.fhe
@pytest.mark.nightly
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(path)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
