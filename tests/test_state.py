"""Fitted models that are changed by hand, or by their library, predict as they are now."""

import copy
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.linear_model import LinearRegression as SklearnLinearRegression
from sklearn.utils import get_tags

import fhe_estimators as fe
from fhe_estimators._state import digest, within
from fhe_estimators.base import parent_of
from fhe_estimators.exceptions import ModelChangedError, NotCompiledError
from fhe_estimators.neural_network import SkorchRegressor
from fhe_estimators.testing import all_estimators
from tests.neural_network.nets import regressor

#: What is assigned, from another fitted model, by the module of an estimator.
LINEAR = ("coef_", "intercept_")
NEIGHBORS = ("_fit_X", "_y", "_tree", "_fit_method", "n_samples_fit_")
SUPPORT = (
    *("support_", "support_vectors_", "_n_support"),
    *("dual_coef_", "_dual_coef_", "intercept_", "_intercept_"),
)
ATTRIBUTES = {
    "AdaBoostClassifier": ("estimators_", "estimator_weights_"),
    "ComplementNB": ("feature_log_prob_",),
    "EllipticEnvelope": ("location_", "precision_", "offset_"),
    "GaussianNB": ("theta_", "var_"),
    "KMeans": ("cluster_centers_",),
    "KNeighborsClassifier": NEIGHBORS,
    "KNeighborsRegressor": NEIGHBORS,
    "MiniBatchKMeans": ("cluster_centers_",),
    "MultinomialNB": ("feature_log_prob_", "class_log_prior_"),
    "OneClassSVM": SUPPORT,
    "PCA": ("components_", "mean_"),
    "QuadraticDiscriminantAnalysis": ("means_", "rotations_", "scalings_", "priors_"),
    "SVC": SUPPORT,
    "SVR": SUPPORT,
    "TruncatedSVD": ("components_",),
    "BernoulliNB": ("feature_log_prob_", "class_log_prior_"),
    "NearestCentroid": ("centroids_",),
    "DecisionTreeClassifier": ("tree_",),
    "DecisionTreeRegressor": ("tree_",),
    "ExplainableBoostingClassifier": ("term_scores_", "bins_", "intercept_"),
    "ExplainableBoostingRegressor": ("term_scores_", "bins_", "intercept_"),
    "ExtraTreesClassifier": ("estimators_",),
    "ExtraTreesRegressor": ("estimators_",),
    "GradientBoostingClassifier": ("estimators_", "init_"),
    "GradientBoostingRegressor": ("estimators_", "init_"),
    "HistGradientBoostingClassifier": ("_predictors", "_baseline_prediction"),
    "HistGradientBoostingRegressor": ("_predictors", "_baseline_prediction"),
    "IsolationForest": (
        "estimators_",
        "_decision_path_lengths",
        "_average_path_length_per_tree",
    ),
    "LGBMClassifier": ("_Booster",),
    "LGBMRegressor": ("_Booster",),
    "RandomForestClassifier": ("estimators_",),
    "RandomForestRegressor": ("estimators_",),
    "XGBClassifier": ("_Booster",),
    "XGBRFClassifier": ("_Booster",),
    "XGBRFRegressor": ("_Booster",),
    "XGBRegressor": ("_Booster",),
}
CLASSES = dict(all_estimators())
#: Those whose scores are differences of large numbers, or not continuous.
FINE = (
    *("ComplementNB", "EllipticEnvelope", "KNeighborsClassifier", "MultinomialNB", "PCA"),
    *("QuadraticDiscriminantAnalysis", "SVC"),
)
NETS = ("NeuralNetClassifier", "NeuralNetRegressor", "SkorchClassifier", "SkorchRegressor")
NAMES = [name for name in CLASSES if name not in NETS]
#: Those whose fitted attributes can be assigned: CatBoost's model is none.
WITH_ATTRIBUTES = [name for name in NAMES if not name.startswith("CatBoost")]


def options(cls):
    """Return parameters with which a model is small, always the same, and precise."""
    given = {"n_estimators": 6, "max_iter": 6, "random_state": 0, "n_jobs": 1}
    given |= {"iterations": 6, "thread_count": 1}
    given |= {"max_rounds": 100, "outer_bags": 1}
    names = cls().get_params()
    if "max_leaf_nodes" not in names and "max_iter" in names:
        del given["max_iter"]  # of solvers, not of trees
    if not cls.__module__.endswith("lightgbm._estimators") and "penalty" in names:
        del given["n_jobs"]
    fine = {"n_bits": 16} if cls.__name__ in FINE else {}
    return {**{k: value for k, value in given.items() if k in names}, **fine}


def data(cls, wine, diabetes, *, half=slice(None)):
    X, y = wine if is_classifier(cls()) else diabetes
    y = y + 1.0 if get_tags(cls()).target_tags.positive_only else y
    return X[half], y[half]


def parent_with(model):
    """Return the library's own model with what ours holds."""
    parent = parent_of(type(model))
    own = parent.__new__(parent)
    own.__dict__.update(vars(model))
    return own


def raw(model, X):
    names = ("decision_function", "predict_joint_log_proba", "predict_proba", "predict")
    name = next((name for name in names if hasattr(model, name)), "transform")
    name = "transform" if hasattr(model, "cluster_centers_") else name
    return getattr(model, name)(X)


def assert_follows(model, X, share=0.97):
    """Predictions are the library's, but for rounding."""
    found, expected = raw(model, X), raw(parent_with(model), X)
    assert found.shape == expected.shape
    error = np.sqrt(np.mean((found - expected) ** 2, axis=0))
    assert (error <= 0.06 * np.std(expected, axis=0) + 1e-9).all()
    if is_classifier(model):
        own = parent_with(model)
        assert np.mean(model.predict(X) == own.predict(X)) >= share


# Every estimator -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", WITH_ATTRIBUTES)
def test_attributes_of_another_model(name, wine, diabetes, caplog):
    """What is assigned counts, and nothing of the model before it."""
    cls = CLASSES[name]
    X, y = data(cls, wine, diabetes)
    other = cls(**options(cls)).fit(*data(cls, wine, diabetes, half=slice(None, None, 2)))
    model = cls(**options(cls)).fit(X, y)
    before = raw(model, X)
    for attribute in ATTRIBUTES.get(name, LINEAR):
        setattr(model, attribute, copy.deepcopy(getattr(other, attribute)))
    with caplog.at_level(logging.INFO, "fhe_estimators"):
        assert_follows(model, X)
    assert not np.array_equal(raw(model, X), before)
    (record,) = caplog.records
    assert name in record.getMessage()
    # It is lowered once, and the copy knows.
    module = model.quantized_module
    raw(model, X)
    assert model.quantized_module is module
    again = pickle.loads(pickle.dumps(model))
    stored = again.quantized_module_
    np.testing.assert_array_equal(raw(again, X), raw(model, X))
    assert again.quantized_module_ is stored


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_unchanged_models_are_left_alone(name, wine, diabetes):
    """Nothing is lowered again after fitting, copying, or another set of parameters."""
    cls = CLASSES[name]
    X, y = data(cls, wine, diabetes)
    model = cls(**options(cls)).fit(X, y)
    twin = cls.from_sklearn_model(model, X)
    for one in (model, twin, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        module = one.quantized_module_
        raw(one.set_params(p_error=2**-40), X)
        assert one.quantized_module_ is module


# In place --------------------------------------------------------------------------------


def test_coefficients_in_place(wine):
    X, y = wine
    model = fe.LogisticRegression(solver="newton-cholesky").fit(X, y)
    model.coef_[:, ::2] *= 0.5
    assert_follows(model, X)


@pytest.mark.parametrize("name", ["DecisionTreeRegressor", "RandomForestRegressor"])
def test_leaves_in_place_stay_on_the_grid(diabetes, name):
    """The client sees the bins of `fit`, and not the thresholds."""
    X, y = diabetes
    model = getattr(fe, name)(random_state=0, **({} if "Tree" in name else {"n_jobs": 1}))
    bin_edges = model.fit(X, y)._bin_edges
    tree = getattr(model, "tree_", None) or model.estimators_[3].tree_
    tree.value[:] *= 3
    assert_follows(model, X)
    assert model._bin_edges is bin_edges


def test_one_tree_replaced(diabetes):
    """Thresholds that are no edges become edges: nothing is rounded but leaves."""
    X, y = diabetes
    model = fe.GradientBoostingRegressor(n_estimators=5).fit(X, y)
    other = parent_of(type(model))(n_estimators=5, max_depth=4).fit(X, -y)
    model.estimators_[2] = other.estimators_[2]
    assert_follows(model, X)


def test_parameters_that_predictions_depend_on(diabetes):
    X, y = diabetes
    model = fe.GradientBoostingRegressor(n_estimators=5).fit(X, y)
    assert_follows(model.set_params(learning_rate=0.3), X)
    flags = fe.BernoulliNB().fit(X - X.mean(axis=0), y > 150)
    assert_follows(flags.set_params(binarize=0.02), X - X.mean(axis=0))


def test_coefficients_of_federated_learning(wine):
    """The mean of models that saw different rows."""
    X, y = wine
    parts = [fe.LogisticRegression(solver="newton-cholesky", n_bits=12) for _ in range(2)]
    for number, part in enumerate(parts):
        part.fit(X[number::2], y[number::2])
    model = parts[0]
    for name in LINEAR:
        setattr(model, name, np.mean([getattr(part, name) for part in parts], axis=0))
    assert_follows(model, X, share=0.99)
    assert model.score(X, y) > 0.95


# What is compiled ------------------------------------------------------------------------


@pytest.mark.simulate
def test_circuit_is_dropped(wine):
    X, y = wine
    model = fe.NearestCentroid().fit(X, y)
    model.compile()
    model.centroids_ = model.centroids_[::-1].copy()
    with pytest.raises(NotCompiledError):
        model.fhe_circuit  # noqa: B018
    simulated = model.predict(X, fhe="simulate")
    np.testing.assert_array_equal(simulated, model.predict(X))
    assert model.fhe_circuit_.p_error == model.p_error
    assert np.mean(simulated == parent_with(model).predict(X)) > 0.97


@pytest.mark.fhe
@pytest.mark.parametrize(
    ("name", "parameters"), [("Ridge", {}), ("DecisionTreeRegressor", {"max_depth": 5})]
)
def test_encrypted(diabetes, name, parameters):
    X, y = diabetes
    model = getattr(fe, name)(n_bits=3, p_error=2**-40, **parameters).fit(X, y)
    before = model.predict(X[:4], fhe="execute")
    other = getattr(fe, name)(n_bits=3, **parameters).fit(X, -y)
    for attribute in ATTRIBUTES.get(name, LINEAR):
        setattr(model, attribute, getattr(other, attribute))
    after = model.predict(X[:4], fhe="execute")
    np.testing.assert_array_equal(after, model.predict(X[:4]))
    assert (np.sign(after) == -np.sign(before)).all()


def test_threads_lower_once(diabetes, monkeypatch):
    X, y = diabetes
    model = fe.Ridge(n_bits=12).fit(X, y)
    calls = []
    lower = type(model)._lower_again
    monkeypatch.setattr(
        type(model), "_lower_again", lambda self: (calls.append(1), lower(self))
    )
    model.coef_ = -model.coef_
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.predict(X), range(8)))
    assert len(calls) == 1
    assert all(np.array_equal(found[0], one) for one in found)
    assert_follows(model, X)


# What cannot be lowered ------------------------------------------------------------------


def test_no_ranges(wine):
    """Coefficients that were never fitted say nothing about the ranges of features."""
    X, _ = wine
    model = fe.LogisticRegression(n_bits=12)
    model.coef_, model.intercept_ = np.ones((3, X.shape[1])) * [[0], [1], [2]], np.zeros(3)
    model.classes_ = np.arange(3)
    with pytest.raises(ModelChangedError, match=r"ranges.*from_sklearn_model\(model, X\)"):
        model.predict(X)
    twin = fe.LogisticRegression.from_sklearn_model(model, X)
    assert_follows(twin, X)


@pytest.mark.parametrize(
    ("coef", "words"),
    [
        (np.ones(3), "3 coefficients for 10 features"),
        (np.full(10, np.nan), "not finite: .*StandardScaler"),
        (np.full(10, np.inf), "not finite: .*StandardScaler"),
        (np.ones((2, 2, 10)), "LinearRegression was changed"),
    ],
)
def test_coefficients_without_a_meaning(diabetes, coef, words):
    X, y = diabetes
    model = fe.LinearRegression().fit(X, y)
    model.coef_ = coef
    with pytest.raises(ModelChangedError, match=words):
        model.predict(X)
    assert not hasattr(model, "fhe_circuit_")
    model.fit(X, y).predict(X)


def test_another_initial_estimator(diabetes):
    X, y = diabetes
    model = fe.GradientBoostingRegressor(n_estimators=3).fit(X, y)
    model.init_ = SklearnLinearRegression().fit(X, y)
    with pytest.raises(ModelChangedError, match=r"'init'.*'zero'"):
        model.predict(X)


def test_nets_need_rows(diabetes):
    """How precise layers must be is measured on rows, which are not kept."""
    X, y = diabetes
    net = regressor(module__n_inputs=10, module__n_outputs=1, module__n_neurons=5)
    model = SkorchRegressor(net, n_bits=3, rounding_bits=4, random_state=0).fit(X, y)
    before = model.predict(X)
    tensors = list(model.net_.module_.parameters())
    tensors[-1].data += 1000
    with pytest.raises(ModelChangedError, match=r"SkorchRegressor\.from_sklearn_model"):
        model.predict(X)
    twin = SkorchRegressor.from_sklearn_model(model, X)
    np.testing.assert_allclose(twin.predict(X), before + 1000, atol=0.2 * np.std(y))


# Parts -----------------------------------------------------------------------------------


def test_digests_tell_models_apart():
    one, two = np.arange(6.0), np.arange(6.0).reshape(2, 3)
    parts = [[one], [two], [one, 1], [one, 2], [one.astype("f4")], [one, one], [b"a"], []]
    assert len({digest(part) for part in parts}) == len(parts)
    assert digest([two.T.copy()]) != digest([two])
    assert digest([np.asfortranarray(two)]) == digest([two])


def test_rows_that_stand_for_others():
    low, high = np.array([-1.0, 5.0]), np.array([1.0, 5.0])
    rows = within(low, high)
    assert ((rows >= low) & (rows <= high)).all()
    np.testing.assert_array_equal(rows, within(low, high))
