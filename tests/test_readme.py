"""The README: its code runs, its commands exist, its tables and links are complete."""

import inspect
import re

import numpy as np
import pytest

import fhe_estimators
from benchmarks import MODULE_OF
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.core.operators import ONNX_OPS_TO_NUMPY_IMPL, ONNX_OPS_TO_QUANTIZED_IMPL
from fhe_estimators.neural_network import SkorchClassifier, SkorchRegressor
from fhe_estimators.testing import all_estimators
from tests.pages import ROOT, blocks, run

README = (ROOT / "README.md").read_text(encoding="utf-8")


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
    assert names["scores"].mean() > 0.9
    np.testing.assert_array_equal(names["labels"], names["encrypted"][:5])
    np.testing.assert_array_equal(names["remote_labels"], names["labels"])


def test_first_example_is_short():
    assert len(blocks(README, "python")[0].splitlines()) <= 15


def test_commands_are_targets():
    (commands,) = blocks(README, "console")
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
        "NearestCentroid": 12,
    }
    for cls in (SkorchClassifier, SkorchRegressor):
        assert inspect.signature(cls).parameters["n_bits"].default == 6
    said = " ".join(README.split())
    assert (
        "(8 by default, 12 for `NearestCentroid`, 4 for trees, 6 for `SkorchClassifier` "
        "and `SkorchRegressor`)"
    ) in said


def test_number_of_operators():
    encrypted, all_of_them = len(ONNX_OPS_TO_QUANTIZED_IMPL), len(ONNX_OPS_TO_NUMPY_IMPL)
    assert all_of_them - encrypted == 12
    said = " ".join(README.split())
    assert (
        f"All {encrypted} operators that have an encrypted form, and the other 12" in said
    )


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
