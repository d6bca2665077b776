"""`from_sklearn_model` of every class: one form, and rows only where they are needed."""

import inspect

import numpy as np
import pytest
from sklearn import ensemble, kernel_ridge, linear_model, naive_bayes, neighbors, svm, tree
from sklearn.base import is_classifier

import fhe_estimators as fe
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators._twins import TwinMixin
from fhe_estimators.base import in_floating_point
from fhe_estimators.neural_network import SkorchClassifier, SkorchRegressor
from fhe_estimators.testing import all_estimators
from fhe_estimators.testing._tools import data_for, fitted, methods_of
from tests.neural_network.nets import ShapeSetter, classifier, regressor

CONVERTED = ["ConvertedClassifier", "ConvertedOutlierDetector", "ConvertedRegressor"]
EVERY = [*all_estimators(), *((name, getattr(fe, name)) for name in CONVERTED)]
#: Classes beside those of trees whose fitted models know the ranges of their features.
KNOW_RANGES = {"BernoulliNB", "KNeighborsClassifier", "KNeighborsRegressor"}
SMALL = {"n_estimators": 5, "iterations": 5, "max_iter": 100, "n_jobs": 1}

each_class = pytest.mark.parametrize(("name", "cls"), EVERY)


def small(cls):
    """Return an unfitted instance of little work."""
    if issubclass(cls, SkorchClassifier | SkorchRegressor):
        net = classifier if cls is SkorchClassifier else regressor
        return cls(net(callbacks=[ShapeSetter()], module__n_neurons=3), rounding_bits=4)
    estimators = {
        "ConvertedClassifier": linear_model.RidgeClassifierCV(),
        "ConvertedOutlierDetector": linear_model.SGDOneClassSVM(random_state=0),
        "ConvertedRegressor": linear_model.TheilSenRegressor(random_state=0),
    }
    if cls.__name__ in estimators:
        return cls(estimators[cls.__name__])
    model = cls()
    known = model.get_params()
    return model.set_params(**{key: SMALL[key] for key in SMALL if key in known})


@each_class
def test_the_form_is_the_same_in_all_classes(name, cls):
    """It is the method of one class, which no other overrides."""
    assert cls.from_sklearn_model.__func__ is TwinMixin.from_sklearn_model.__func__
    parameters = inspect.signature(cls.from_sklearn_model).parameters
    assert list(parameters) == ["model", "X", "n_bits", "p_error", "parameters"]
    assert [parameters[key].default for key in ("X", "n_bits", "p_error")] == [None] * 3
    keyword = inspect.Parameter.KEYWORD_ONLY
    assert all(parameters[key].kind is keyword for key in ("n_bits", "p_error"))


@each_class
def test_with_rows_and_without(name, cls):
    """Without rows the twin is as good, or it is said what they are needed for."""
    model, X, _ = fitted(small(cls))
    theirs = model.estimator_ if name in CONVERTED else in_floating_point(model)
    own = {"n_bits": 5} if "n_bits" in model.get_params() else {}
    twin = cls.from_sklearn_model(theirs, X, p_error=2**-20, **own)
    assert twin.p_error == 2**-20
    assert {key: twin.get_params()[key] for key in own} == own
    if not (issubclass(cls, TreeMixin) or name in KNOW_RANGES):
        with pytest.raises(TypeError, match=rf"{name} needs rows X .* ranges .* Pass X\."):
            cls.from_sklearn_model(theirs)
        return
    twin = cls.from_sklearn_model(theirs)
    method = methods_of(model)[0]
    found, expected = getattr(twin, method)(X), getattr(theirs, method)(X)
    expected = np.reshape(expected, found.shape)
    if is_classifier(model):
        assert np.mean(found == expected) > 0.95
    else:
        assert np.mean(np.abs(found - expected) <= 0.01 * np.std(expected)) > 0.95


@each_class
def test_what_a_model_is_cannot_be_changed(name, cls):
    X, _ = data_for(small(cls))
    wrong = next(iter(inspect.signature(cls).parameters))
    for names in (wrong, "no_such_parameter"):
        with pytest.raises(TypeError, match=rf"{name} takes the parameters .*n_bits.*got"):
            cls.from_sklearn_model(object(), X, **{names: 1})
    with pytest.raises(TypeError, match=name):
        cls.from_sklearn_model(object(), X)


def test_other_parameters_say_how_to_encrypt():
    X = np.random.default_rng(0).normal(size=(80, 3))
    y = (X[:, 0] > 0).astype(int)
    ridge = fe.Ridge.from_sklearn_model(
        linear_model.Ridge().fit(X, y), X, n_bits=6, range_margin=0.5
    )
    assert (ridge.n_bits, ridge.range_margin) == (6, 0.5)
    leaves = tree.DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    twin = fe.DecisionTreeClassifier.from_sklearn_model(
        leaves, X, n_bits=3, binning="uniform", input_encoding="integer"
    )
    assert (twin.binning, twin.input_encoding) == ("uniform", "integer")
    assert twin.quantize_input(X).max() <= 7
    support = fe.ConvertedClassifier.from_sklearn_model(
        svm.SVC(C=0.1).fit(X[:30], y[:30]), X, n_bits=4, rounding_bits=4, rounding=None
    )
    assert (support.rounding_bits, support.rounding) == (4, None)
    with pytest.raises(ValueError, match="rounding_bits"):
        fe.ConvertedClassifier.from_sklearn_model(svm.SVC().fit(X, y), X, rounding_bits=0)
    with pytest.raises(ValueError, match="range_margin"):
        fe.Ridge.from_sklearn_model(linear_model.Ridge().fit(X, y), X, range_margin=-1)


# Ranges that models know -----------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=3), 3),
        ensemble.BaggingRegressor(tree.DecisionTreeRegressor(max_depth=3), 3),
        ensemble.VotingRegressor(
            [
                ("a", tree.DecisionTreeRegressor(max_depth=2)),
                ("b", tree.ExtraTreeRegressor()),
            ]
        ),
        kernel_ridge.KernelRidge(),
        naive_bayes.CategoricalNB(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_converted_models_that_know_their_ranges(model):
    random = np.random.default_rng(0)
    X = random.integers(0, 4, size=(120, 3)).astype(float)
    y = np.where(random.random(120) < 0.9, X[:, 0] > 1, X[:, 1] > 2).astype(int)
    if not hasattr(model, "predict_proba"):
        y = X @ [1.0, 2.0, -1.0] + random.normal(size=120)
    model.fit(X, y)
    twin = fe.convert(model, n_bits=8)
    assert type(twin).__name__.startswith("Converted")
    found, expected = twin.predict(X), model.predict(X)
    if is_classifier(model):
        np.testing.assert_array_equal(found, expected)
    else:
        assert np.abs(found - expected).max() <= 0.05 * np.std(expected)


@pytest.mark.parametrize("binarize", [None, 0.0, 4.0])
def test_words_are_there_or_not(binarize):
    random = np.random.default_rng(0)
    X = (random.random((60, 5)) < 0.3).astype(float) * (1 if binarize is None else 9)
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    model = naive_bayes.BernoulliNB(binarize=binarize).fit(X, y)
    twin = fe.BernoulliNB.from_sklearn_model(model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    with_rows = fe.BernoulliNB.from_sklearn_model(model, X)
    np.testing.assert_array_equal(twin.quantize_input(X), with_rows.quantize_input(X))


def test_neighbours_are_the_rows_of_fit():
    X = np.random.default_rng(0).normal(size=(50, 3))
    model = neighbors.KNeighborsClassifier(3).fit(X, X[:, 0] > 0)
    twin, with_rows = (
        fe.KNeighborsClassifier.from_sklearn_model(model, rows) for rows in (None, X)
    )
    np.testing.assert_array_equal(twin.predict_proba(X), with_rows.predict_proba(X))
    np.testing.assert_array_equal(twin.quantize_input(X), with_rows.quantize_input(X))
