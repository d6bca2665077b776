"""What an editor shows, which reads the source and runs nothing."""

import inspect

import jedi
import pytest

import fhe_estimators
from tests import typed_program
from tests.test_architecture import PACKAGE, ROOT

NAMES = [
    *("Ridge", "RandomForestClassifier", "XGBRegressor", "QuantizedModule"),
    # Their deprecated parents take anything.
    *("PassiveAggressiveClassifier", "PassiveAggressiveRegressor"),
]


def script(code):
    return jedi.Script(code, path=ROOT / "new.py", project=jedi.Project(ROOT))


@pytest.mark.parametrize("name", NAMES)
def test_signature(name):
    shown = script(f"from fhe_estimators import {name}\n{name}(").get_signatures()
    parameters = [p.name for signature in shown for p in signature.params]
    signature = inspect.signature(getattr(fhe_estimators, name))
    named = [p.name for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
    assert [p for p in parameters if p in named] == named


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("Ridge", {"fit", "predict", "compile", "from_sklearn_model", "get_params"}),
        ("RandomForestClassifier", {"fit", "predict_proba", "quantize_input", "score"}),
    ],
)
def test_methods(name, methods):
    found = script(f"from fhe_estimators import {name}\n{name}.").complete()
    assert methods <= {completion.name for completion in found}


def test_names_of_the_package():
    found = script("import fhe_estimators\nfhe_estimators.").complete()
    assert {*fhe_estimators.__all__} <= {completion.name for completion in found}


def test_typed():
    """Type checkers look into an installed package that says so, and into no other."""
    assert (PACKAGE / "py.typed").read_text() == ""
    assert "fhe_estimators = py.typed" in (ROOT / "setup.cfg").read_text(encoding="utf-8")


@pytest.mark.fhe
def test_program_whose_types_are_checked_runs(tmp_path):
    model = typed_program.fitted()
    found = [
        *typed_program.in_all_modes(model),
        typed_program.deployed(model, tmp_path),
    ]
    assert all((labels == typed_program.y).all() for labels in found)
    assert typed_program.bytes_of_a_row(model) == 8528
    best, n_tables = typed_program.searched(typed_program.piped())
    assert best.n_bits in (2, 6)
    assert n_tables == 0
    search = typed_program.searched_by_cost()
    assert isinstance(search.best_estimator_, type(model))
    assert [comparison.score for comparison in typed_program.comparisons(model)] == [1, 1]
    assert [net.n_bits for net in typed_program.networks()[1:]] == [4]
