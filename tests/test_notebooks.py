"""Notebooks: they run from top to bottom, and what is stored of them is presentable."""

import re
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import NOTEBOOKS, executed

ROOT = Path(__file__).parents[1]

#: Those that take longest. What they show is in the guide, whose pages run by day.
AT_NIGHT = {
    *("03_networks", "04_cost_and_pareto_front", "06_your_own_network", "09_images"),
}

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def texts(node):
    """Yield every string below a node, but for pictures."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            if not key.startswith("image/"):
                yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def absolute_paths(text):
    """Return what looks like a path of some machine, this one or a usual one."""
    tops = {entry.name for entry in Path("/").iterdir()}
    tops |= {"Users", "Volumes", "home", "private", "root", "tmp"}
    names = "|".join(map(re.escape, sorted(tops)))
    return re.findall(rf"(?<![\w.-])(?:/(?:{names})/\S+|[A-Z]:\\+\w\S*)", text)


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_readme_links_each_notebook():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(notebooks/(\w+)\.ipynb\)", text)
    assert linked == [path.stem for path in NOTEBOOKS]


@each_notebook
def test_stored_notebook_is_executed(path):
    counts = [cell.execution_count for cell in code_cells(read(path))]
    assert counts == list(range(1, len(counts) + 1)), "run `make notebooks`"


@each_notebook
def test_stored_notebook_shows_no_error(path):
    """No exception, and nothing on the error stream: no warning, no progress bar."""
    for output in outputs(read(path)):
        assert output.output_type != "error", output.evalue
        assert output.get("name") != "stderr", output.text


@each_notebook
def test_stored_notebook_tells_no_times(path):
    assert not any("execution" in cell.metadata for cell in read(path).cells)


@each_notebook
def test_stored_notebook_names_no_machine(path):
    found = [name for text in texts(read(path)) for name in absolute_paths(text)]
    assert not found


@pytest.mark.parametrize(
    ("text", "n_paths"),
    [
        ("saved to /tmp/model.joblib", 1),
        ('File "/home/me/model.py", line 1', 1),
        ("file:///Users/me/model.py", 1),
        (r"C:\Users\me\model.py", 1),
        ("Gemm(input, /linear/Gemm_output_0)", 0),
        ("notebooks/tmp/model.joblib", 0),
        ("https://example.org/home/page", 0),
    ],
)
def test_absolute_paths_are_found(text, n_paths):
    assert len(absolute_paths(text)) == n_paths


@pytest.mark.fhe
@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.nightly] * (path.stem in AT_NIGHT))
        for path in NOTEBOOKS
    ],
    ids=lambda path: path.stem,
)
def test_notebook_runs(path, tmp_path):
    """In an empty folder, with this interpreter, and nothing on the error stream."""
    for output in outputs(executed(path, tmp_path)):
        assert output.get("name") != "stderr", output.text
