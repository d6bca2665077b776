"""The README: its code runs, its commands exist, its tables and links are complete."""

import inspect
import re

import numpy as np
import pytest

import fhe_estimators
from benchmarks import MODULE_OF
from benchmarks.front import PICTURE, points
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.core.operators import ONNX_OPS_TO_NUMPY_IMPL, registry
from fhe_estimators.neural_network import SkorchClassifier, SkorchRegressor
from fhe_estimators.testing import all_estimators
from tests.pages import ROOT, blocks, run

#: Estimators that compare distances.
NEAREST = (
    *("KMeans", "KNeighborsClassifier", "KNeighborsRegressor", "MiniBatchKMeans"),
    "NearestCentroid",
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: What is said in one place, the guide, and was once said here.
GUIDE = {
    path.stem: " ".join(path.read_text(encoding="utf-8").split())
    for path in (ROOT / "docs/guide").glob("*.md")
}


def targets():
    """Return the targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):(?!=)", makefile, re.MULTILINE))


@pytest.mark.fhe
def test_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run(README, "README.md")
    np.testing.assert_array_equal(names["encrypted"], names["clear"])
    assert names["accuracy"] > 0.9


def test_front_page_is_short():
    (example,) = blocks(README, "python")
    assert len(example.splitlines()) <= 15
    assert len(README.splitlines()) <= 150


def test_commands_are_targets():
    (commands,) = blocks(README, "console")
    assert commands.splitlines() == ["make demo", "make test"]
    mentioned = set(re.findall(r"\bmake ([a-z]+)\b", commands))
    mentioned |= set(re.findall(r"`make ([a-z]+)`", README))
    assert mentioned <= targets()
    benchmarks = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"python -m benchmarks (\w+)", benchmarks)) <= set(MODULE_OF)
    assert set(re.findall(r"`benchmarks (\w+)`", README)) <= set(MODULE_OF)


def test_table_lists_all_estimators():
    listed = [
        f"{module}.{name}"
        for module, names in re.findall(r"^\| `(\w+\.\w+)` \|(.*)\|$", README, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    ]
    public = [
        f"{'.'.join(cls.__module__.split('.')[:2])}.{name}"
        for name, cls in all_estimators()
    ]
    assert sorted(listed) == sorted(public)


def test_what_it_says_of_estimators():
    """All are importable from the package; n_bits and p_error have these defaults."""
    assert {name for name, _ in all_estimators()} <= set(dir(fhe_estimators))
    models = {
        name: cls()
        for name, cls in all_estimators()
        if "net" not in inspect.signature(cls).parameters
    }
    assert {model.p_error for model in models.values()} == {2**-64}
    expected = {
        name: 4 if isinstance(model, TreeMixin) else 8
        for name, model in models.items()
        if hasattr(model, "n_bits")
    }
    assert {name: models[name].n_bits for name in expected} == {
        **expected,
        **dict.fromkeys(NEAREST, 12),
    }
    for cls in (SkorchClassifier, SkorchRegressor):
        assert inspect.signature(cls).parameters["n_bits"].default == 6
    assert (
        "(8 by default, 12 for those that compare distances, 4 for trees, 6 for "
        "`SkorchClassifier` and `SkorchRegressor`)"
    ) in GUIDE["choose_bits"]


def test_number_of_operators():
    ours = [registry()[name] for name in ONNX_OPS_TO_NUMPY_IMPL]
    inside = sum(bool(kind.encrypted or kind.body) for kind in ours)
    said = (
        f"Of {len(ours)} operators of ONNX, {inside} have an encrypted form or are written "
        f"out in such; the other {len(ours) - inside} run in clear"
    )
    assert said in GUIDE["networks"]


def test_links_exist():
    linked = re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", README)
    assert len(linked) > 10
    assert [path for path in linked if not (ROOT / path).exists()] == []


def test_files_of_the_stages_exist():
    page = (ROOT / "docs/guide/how_it_works.md").read_text(encoding="utf-8")
    named = re.findall(r"`(fhe_estimators/[\w/]+\.py)`", page)
    stages = re.findall(r"^\d\. `([\w/]+(?:\.py)?)`", page, re.MULTILINE)
    assert len(stages) == 5
    paths = [*named, *(f"fhe_estimators/{stage}" for stage in stages)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_figures_are_those_of_the_benchmarks():
    """Every number of the front page is one of the page that says what it means."""
    table = README.partition("## Ten figures")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \|([^|]+)\|([^|]*)\| `benchmarks", table, re.MULTILINE)
    figures = re.findall(r"-?[\d.]+(?= m?s|\)| \|)|-?\d*\.\d+", " | ".join(sum(rows, ())))
    benchmarks = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    known = set(re.findall(r"-?\d*\.?\d+", benchmarks))
    assert len(rows) == 10
    assert set(figures) <= known


def test_picture_is_of_the_table():
    """As many networks as the table of the benchmarks has; the other side's beside them."""
    found = points()
    assert len(found) == 4
    assert all(point.ours[0] < point.peer[0] for point in found)
    assert PICTURE.stat().st_size > 10_000
