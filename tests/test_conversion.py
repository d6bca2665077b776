"""Fitted models of any class, as estimators that predict on encrypted data."""

import pickle

import numpy as np
import pytest
from sklearn import linear_model, svm
from sklearn.base import clone, is_regressor
from sklearn.cluster import KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import ExtraTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import fhe_estimators as fe
from fhe_estimators import (
    ConvertedClassifier,
    ConvertedOutlierDetector,
    ConvertedRegressor,
    UnsupportedEstimatorError,
    convert,
)
from fhe_estimators.testing import parametrize_with_fhe_checks


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


#: Estimators that hold another one, small.
HOLDERS = [
    ConvertedClassifier(
        svm.SVC(C=1e-2), n_bits={"op_inputs": 4, "op_weights": 4}, rounding_bits=4
    ),
    ConvertedRegressor(linear_model.TheilSenRegressor(random_state=0, max_iter=20)),
    ConvertedOutlierDetector(linear_model.SGDOneClassSVM(random_state=0)),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([HOLDERS[1], HOLDERS[2]])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("mode", "estimator"),
    [
        pytest.param("simulate", HOLDERS[0], marks=pytest.mark.simulate),
        pytest.param("execute", HOLDERS[0], marks=pytest.mark.fhe),
        pytest.param("execute", HOLDERS[1], marks=pytest.mark.fhe),
        pytest.param("execute", HOLDERS[2], marks=pytest.mark.fhe),
        pytest.param(
            "execute",
            ConvertedClassifier(BaggingClassifier(ExtraTreeClassifier(max_depth=2), 2)),
            marks=pytest.mark.fhe,
        ),
        pytest.param(
            "execute",
            ConvertedRegressor(
                MLPRegressor(hidden_layer_sizes=(2,), random_state=0, max_iter=2000),
                n_bits={"op_inputs": 4, "op_weights": 4},
                rounding_bits=4,
            ),
            marks=pytest.mark.fhe,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::fhe_estimators.exceptions.AccuracyWarning")
def test_encrypted_is_clear(mode, estimator, iris):
    X, y = iris
    X = StandardScaler().fit_transform(X[::5])
    y = X[:, 0] if isinstance(estimator, ConvertedRegressor) else y[::5]
    model = clone(estimator).fit(X, None if "Outlier" in type(estimator).__name__ else y)
    rows = X[:3]
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            call = getattr(model, method)
            np.testing.assert_array_equal(call(rows, fhe=mode), call(rows))


@pytest.mark.fhe
@pytest.mark.parametrize(
    ("fitted", "method"),
    [
        (linear_model.LogisticRegression(max_iter=500), "predict_proba"),
        (linear_model.RidgeCV(), "predict"),
        (EllipticEnvelope(random_state=0), "decision_function"),
        (KMeans(3, n_init=1, random_state=0), "predict"),
        (ExtraTreeClassifier(max_depth=2, random_state=0), "predict_proba"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_encrypted_is_clear_of_mirrors(fitted, method, iris):
    """One of each kind: classifier, regressor, outlier detector, clusterer, tree."""
    X, y = iris
    model = convert(fitted.fit(X, y), X)
    assert not type(model).__name__.startswith("Converted")
    rows = X[[3, 80, 140]]
    call = getattr(model, method)
    np.testing.assert_array_equal(call(rows, fhe="execute"), call(rows))


@parametrize_with_fhe_checks([HOLDERS[1]])
def test_fhe_checks(estimator, check):
    check(estimator)


# What comes back -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fitted", "expected"),
    [
        (linear_model.LogisticRegression(max_iter=1000), fe.LogisticRegression),
        (linear_model.RidgeClassifierCV(), ConvertedClassifier),
        (ExtraTreeClassifier(max_depth=3, random_state=0), fe.DecisionTreeClassifier),
        (svm.SVC(kernel="linear"), fe.SVC),
        (svm.SVC(), ConvertedClassifier),
        (GridSearchCV(svm.LinearSVC(), {"C": [1]}), fe.LinearSVC),
        (FrozenEstimator(svm.LinearSVC()), fe.LinearSVC),
        (SelfTrainingClassifier(linear_model.LogisticRegression()), fe.LogisticRegression),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_class_that_comes_back(fitted, expected, iris):
    X, y = iris
    if isinstance(fitted, FrozenEstimator):
        fitted.estimator.fit(X, y)
    else:
        fitted.fit(
            X, np.where(np.arange(len(y)) % 9, y, -1) if "Self" in str(fitted) else y
        )
    model = convert(fitted, X, n_bits=12, rounding_bits=8)
    assert type(model) is expected
    assert np.mean(model.predict(X) == fitted.predict(X)) > 0.98


def test_options_are_passed_on(iris):
    X, y = iris
    fitted = svm.SVC().fit(X, y)
    model = convert(fitted, X, n_bits=5, p_error=2**-20)
    assert (model.n_bits, model.p_error) == (5, 2**-20)
    assert model.estimator_ is not fitted
    assert model.get_params()["estimator__C"] == 1.0
    assert pickle.loads(pickle.dumps(model)).predict(X[:5]).tolist() == [0] * 5


def test_steps_before_the_last_are_the_client_s(iris):
    X, y = iris
    fitted = make_pipeline(StandardScaler(), linear_model.LogisticRegression()).fit(X, y)
    before = fitted[0].mean_.copy()
    model = convert(fitted, X)
    assert type(model[-1]) is fe.LogisticRegression
    assert model[0] is not fitted[0]
    np.testing.assert_array_equal(model.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(fitted[0].mean_, before)


class Opposite(linear_model.LogisticRegression):
    def predict(self, X):
        return -super().predict(X)


def test_a_subclass_that_predicts_otherwise_is_not_taken_for_its_parent(iris):
    X, y = iris
    fitted = Opposite(max_iter=1000).fit(X, y + 1)
    with pytest.raises(UnsupportedEstimatorError, match="Opposite has no encrypted form"):
        convert(fitted, X)


# How near it comes -----------------------------------------------------------------------


def error(model, twin, method, X):
    """Return the error of a method, as a part of the standard deviation."""
    expected, found = getattr(model, method)(X), getattr(twin, method)(X)
    return np.sqrt(np.mean((found - expected) ** 2)) / np.std(expected)


@pytest.mark.parametrize(
    ("fitted", "method", "most"),
    [
        (svm.OneClassSVM(nu=0.1), "decision_function", 0.2),
        (svm.SVR(C=10.0, epsilon=0.4), "predict", 0.11),
        (
            MLPRegressor(hidden_layer_sizes=(6,), max_iter=3000, random_state=0),
            "predict",
            0.09,
        ),
        pytest.param(
            KernelRidge(kernel="rbf", gamma=0.05), "predict", 0.13, marks=pytest.mark.slow
        ),
        pytest.param(svm.SVC(C=5.0), "decision_function", 0.16, marks=pytest.mark.slow),
        pytest.param(
            MLPClassifier((10, 5), max_iter=2000, random_state=0),
            "predict_proba",
            0.1,
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scores_of_new_rows(fitted, method, most):
    """At automatic rounding; as a part of their standard deviation."""
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)[:, :6]
    y = X @ [1, -1, 2, 0, 0, 1] + np.tanh(X[:, 0]) if is_regressor(fitted) else y > 0
    rows = X[1::2]
    fitted.fit(X[::2], y[::2])
    twin = convert(fitted, X[::2])
    assert error(fitted, twin, method, rows) < most
    if not is_regressor(fitted):
        assert np.mean(twin.predict(rows) == fitted.predict(rows)) > 0.95


def test_bits_of_inputs(iris):
    """They have two more than weights, unless a dict tells."""
    X, _ = iris
    fitted = linear_model.TheilSenRegressor(random_state=0).fit(X, X[:, 0])
    for n_bits, expected in ((5, 7), (16, 16), ({"op_inputs": 4, "op_weights": 6}, 4)):
        (quantizer,) = convert(fitted, X, n_bits=n_bits).quantized_module_.input_quantizers
        assert quantizer.n_bits == expected


def test_labels_that_change_are_worth_bits(iris):
    """Fewer bits are kept as long as labels stay."""
    X, y = iris
    few = svm.SVC(gamma=0.1).fit(X[:100], y[:100])  # far apart
    near = svm.SVC(gamma=0.1).fit(X[50:], y[50:])
    kept = [
        max(layer.kept_bits for layer in convert(one, of).quantized_module_.layers)
        for one, of in ((few, X[:100]), (near, X[50:]))
    ]
    assert kept[0] < kept[1]
    assert np.mean(convert(near, X[50:]).predict(X[50:]) == near.predict(X[50:])) >= 0.98


# Errors ----------------------------------------------------------------------------------


def test_what_is_no_model(iris):
    X, _ = iris
    for wrong in (object(), StandardScaler().fit(X), "model", None):
        with pytest.raises(UnsupportedEstimatorError, match="The parameter 'fitted'"):
            convert(wrong, X)
    with pytest.raises(UnsupportedEstimatorError, match="as it is"):
        convert(fe.Ridge().fit(X, X[:, 0]), X)
    with pytest.raises(NotFittedError):
        convert(svm.SVC(), X)
    with pytest.raises(TypeError, match="needs rows X"):
        convert(linear_model.TheilSenRegressor(random_state=0).fit(X, X[:, 0]))


def test_a_changed_model_is_told(iris):
    X, _ = iris
    model = clone(HOLDERS[1]).fit(X, X[:, 0])
    model.estimator_.coef_ = model.estimator_.coef_ + 1
    with pytest.raises(fe.ModelChangedError, match="from_sklearn_model"):
        model.predict(X)


def test_nothing_of_the_process_changes(iris):
    import torch

    X, _ = iris
    threads = torch.get_num_threads()
    convert(
        MLPRegressor(hidden_layer_sizes=(3,), random_state=0, max_iter=3000).fit(
            X, X[:, 0]
        ),
        X,
        n_bits=4,
    )
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "interpret"])
def test_models_of_boosting_libraries(library, iris):
    module = pytest.importorskip(library)
    X, y = iris
    if library == "xgboost":
        fitted, expected = (
            module.XGBClassifier(n_estimators=3, max_depth=2),
            "XGBClassifier",
        )
    elif library == "interpret":
        expected = "ExplainableBoostingClassifier"
        options = {"interactions": 0, "outer_bags": 1, "max_rounds": 50, "n_jobs": 1}
        fitted = getattr(module.glassbox, expected)(**options)
    else:
        fitted = module.LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1)
        expected = "LGBMClassifier"
    model = convert(fitted.fit(X, y))
    assert type(model) is getattr(fe, expected)
    np.testing.assert_array_equal(model.predict(X), fitted.predict(X))
