"""The README: its code runs, its commands exist, its tables and links are complete."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import fhe_estimators
from benchmarks import MODULE_OF
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.core.operators import ONNX_OPS_TO_NUMPY_IMPL, registry
from fhe_estimators.neural_network import SkorchClassifier, SkorchRegressor
from fhe_estimators.testing import all_estimators

ROOT = Path(__file__).parents[1]
#: Estimators that compare distances.
NEAREST = (
    *("KMeans", "KNeighborsClassifier", "KNeighborsRegressor", "MiniBatchKMeans"),
    "NearestCentroid",
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    """Return the fenced blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def targets():
    """Return the targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):(?!=)", makefile, re.MULTILINE))


@pytest.mark.fhe
def test_code_runs(tmp_path, monkeypatch):
    """One block after the other, as somebody would who reads from top to bottom."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, block in enumerate(blocks("python"), 1):
        exec(compile(block, f"README.md, block {number}", "exec"), names)
    np.testing.assert_array_equal(names["encrypted"], names["clear"])
    assert names["accuracy"] > 0.9
    assert names["scores"].mean() > 0.9
    np.testing.assert_array_equal(names["labels"], names["encrypted"][:5])
    original = names["fitted"].predict(names["table"][:5])
    np.testing.assert_array_equal(names["twin_labels"], original)
    np.testing.assert_array_equal(names["remote_labels"], names["labels"])


def test_first_example_is_short():
    assert len(blocks("python")[0].splitlines()) <= 15


def test_commands_are_targets():
    (commands,) = blocks("console")
    assert commands.splitlines() == ["make demo", "make test"]
    mentioned = set(re.findall(r"\bmake ([a-z]+)\b", commands))
    mentioned |= set(re.findall(r"`make ([a-z]+)`", README))
    assert mentioned <= targets()
    assert set(re.findall(r"python -m benchmarks (\w+)", README)) <= set(MODULE_OF)


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
    said = " ".join(README.split())
    assert (
        "(8 by default, 12 for those that compare distances, 4 for trees, 6 for "
        "`SkorchClassifier` and `SkorchRegressor`)"
    ) in said


def test_number_of_operators():
    ours = [registry()[name] for name in ONNX_OPS_TO_NUMPY_IMPL]
    inside = sum(bool(kind.encrypted or kind.body) for kind in ours)
    said = " ".join(README.split())
    assert (
        f"Of {len(ours)} operators of ONNX, {inside} have an encrypted form or are written "
        f"out in such; the other {len(ours) - inside} run in clear"
    ) in said


def test_links_and_files_exist():
    linked = [
        path
        for path in re.findall(r"\]\(([^)#]+)[^)]*\)", README)
        if not path.startswith("http")
    ]
    named = re.findall(r"`(fhe_estimators/\w+\.py)`", README)
    stages = re.findall(r"^\d\. `([\w/]+(?:\.py)?)`", README, re.MULTILINE)
    paths = [*linked, *named, *(f"fhe_estimators/{stage}" for stage in stages)]
    assert len(stages) == 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
