"""What the parents deprecate is there as long as they have it: parameters, and classes."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import GridSearchCV

import fhe_estimators as fe
from fhe_estimators.base import parent_of
from fhe_estimators.testing import all_estimators

DEPRECATED = [
    ("LogisticRegression", {"penalty": "l2"}, "'penalty'"),
    ("LogisticRegression", {"penalty": None}, "'penalty'"),
    ("LogisticRegression", {"penalty": "l1", "solver": "liblinear", "l1_ratio": 1}, "'pen"),
    ("LogisticRegression", {"n_jobs": 2}, "'n_jobs'"),
    ("GradientBoostingClassifier", {"criterion": "friedman_mse"}, "`criterion`"),
    ("GradientBoostingRegressor", {"criterion": "squared_error"}, "`criterion`"),
]


@pytest.mark.parametrize(("name", "deprecated", "words"), DEPRECATED, ids=str)
def test_deprecated_parameters(wine, name, deprecated, words):
    """The parent warns as it does, once, and predictions are those of its own."""
    X, y = wine[0][:100], wine[1][:100] > 0
    few = {"n_estimators": 3} if "Boosting" in name else {"max_iter": 5000}
    parent = parent_of(getattr(fe, name))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        model = getattr(fe, name)(**deprecated, **few).fit(X, y)
        model.predict(X)
    with warnings.catch_warnings(record=True) as parents:
        warnings.simplefilter("always")
        theirs = parent(**deprecated, **few).fit(X, y)
    (found,) = (str(warning.message) for warning in given)
    assert words in found
    assert [str(warning.message) for warning in parents] == [found]
    assert {key: model.get_params()[key] for key in deprecated} == deprecated
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin = type(model).from_sklearn_model(theirs, X)
    assert {key: twin.get_params()[key] for key in deprecated} == deprecated
    assert np.mean(twin.predict(X) == theirs.predict(X)) > 0.98 or "Regressor" in name


@pytest.mark.filterwarnings("ignore:.*'penalty' was deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:Inconsistent values:UserWarning")
def test_penalty_in_a_grid(wine):
    X, y = wine
    grid = {"penalty": ["l1", "l2"], "C": [0.1, 1.0]}
    search = GridSearchCV(fe.LogisticRegression(solver="saga", max_iter=20), grid, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not converge
        search.fit(X, y)
    assert search.best_params_["penalty"] in ("l1", "l2")


def test_penalty_by_position():
    assert fe.LogisticRegression("l2").penalty == "l2"
    assert linear_model.LogisticRegression("l2").penalty == "l2"
    with pytest.raises(ValueError, match="'penalty'"):
        fe.LogisticRegression(penalty="l3").fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="'criterion'"):
        fe.GradientBoostingClassifier(criterion="gini").fit([[0.0], [1.0]], [0, 1])
    assert GradientBoostingClassifier().criterion == "deprecated"


@pytest.mark.parametrize(
    "name", ["PassiveAggressiveClassifier", "PassiveAggressiveRegressor"]
)
def test_deprecated_classes(name):
    """They warn as their parents do, and show their own signature."""
    cls, messages = getattr(fe, name), []
    for kind in (cls, parent_of(cls)):
        with pytest.warns(FutureWarning, match=f"Class {name} is deprecated") as given:
            kind(C=2.0)
        messages.append([str(warning.message) for warning in given])
    assert messages[0] == messages[1]
    own = [name for name in inspect.signature(cls.__init__).parameters if name != "self"]
    assert list(inspect.signature(cls).parameters) == own
    assert {"C", "n_bits"} <= {*own}


def _names(method):
    """Return the names of parameters, and whether there may be others."""
    parameters = inspect.signature(method).parameters.values()
    open_kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = [parameter.name for parameter in parameters if parameter.kind not in open_kinds]
    return named, len(named) < len(parameters)


@pytest.mark.parametrize(("name", "cls"), all_estimators())
def test_methods_take_what_those_of_the_parent_take(name, cls):
    """By name, and in the order of the parent's positional parameters."""
    parent = parent_of(cls)
    for method in dir(parent):
        theirs, ours = getattr(parent, method, None), getattr(cls, method, None)
        if method.startswith(("_", "set_")) or not callable(ours) or isinstance(ours, type):
            continue
        (taken, takes_others), (wanted, _) = _names(ours), _names(theirs)
        assert taken[: len(wanted)] == wanted or takes_others, method


def test_trees_take_check_input(wine):
    X, y = wine
    model = fe.DecisionTreeClassifier(max_depth=2).fit(X, y)
    rows = np.float32(X[:5])
    expected = model.predict_proba(X[:5])
    np.testing.assert_array_equal(model.predict_proba(rows, False), expected)
    np.testing.assert_array_equal(
        model.predict(rows, check_input=False), model.predict(rows)
    )
