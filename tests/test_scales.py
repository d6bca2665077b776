"""Numbers of several scales: far leaves, targets in other units, huge rows, twins."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score

import fhe_estimators as fe
from fhe_estimators._config import fitting
from fhe_estimators.base import parent_of


@pytest.fixture(scope="module")
def fraud():
    """Rows to train on and to test, of which one in a hundred is positive."""
    X, y = make_classification(
        3000,
        8,
        n_informative=5,
        weights=[0.99],
        flip_y=0.004,
        class_sep=1.5,
        random_state=2,
    )
    return X[1::2], y[1::2], X[::2], y[::2]


@pytest.fixture(scope="module")
def far_targets():
    """Rows, targets of which four in 2,000 are a million, and what they were."""
    random = np.random.default_rng(0)
    X = random.normal(size=(2000, 5))
    y = 2 * X[:, 0] + np.sin(3 * X[:, 1]) + X[:, 2] * X[:, 3]
    far = y.copy()
    far[random.choice(len(y), 4, replace=False)] = 1e6
    return X, far, y


def own(model, X, method):
    """Return what the trees give as scikit-learn has them, with the same thresholds."""
    with fitting():
        return getattr(model, method)(X)


def boosted(cls, **parameters):
    return cls(n_estimators=40, learning_rate=0.5, random_state=0, **parameters)


def test_one_huge_leaf_of_a_classifier(fraud):
    """A mislabelled row makes a leaf of 7e9; no row that is not in it may lose by it."""
    X, y, X_test, y_test = fraud
    model = boosted(fe.GradientBoostingClassifier, n_bits=6, binning="quantile").fit(X, y)
    assert max(np.abs(tree.value).max() for tree in model._trees()) > 1e9
    found = model.decision_function(X_test)
    expected = own(model, X_test, "decision_function")
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0.05)
    precision = average_precision_score(y_test, expected)
    assert precision > 0.5
    assert abs(average_precision_score(y_test, found) - precision) < 0.005
    assert len(np.unique(found)) > 300


@pytest.mark.simulate
def test_huge_leaves_have_parameters(fraud):
    X, y, X_test, _ = fraud
    model = fe.GradientBoostingClassifier(
        n_estimators=12, learning_rate=2.0, random_state=0, n_bits=4
    )
    model.fit(X, y)
    assert max(np.abs(tree.value).max() for tree in model._trees()) > 1e9
    found = model.decision_function(X_test[:50], fhe="simulate")
    np.testing.assert_array_equal(found, model.decision_function(X_test[:50]))


@pytest.mark.simulate
def test_wide_functions_of_one_feature_have_parameters(diabetes):
    """No table reads them, but those that compare integers give what they are made of."""
    X, y = diabetes
    model = fe.RandomForestRegressor(
        3,
        max_depth=2,
        n_bits={"op_inputs": 2, "op_weights": 16},
        input_encoding="integer",
        random_state=0,
    )
    model.fit(X[:, 2:3], y)
    found = model.predict(X[:20, 2:3], fhe="simulate")
    np.testing.assert_array_equal(found, model.predict(X[:20, 2:3]))
    (decoder,) = model.quantized_module_.output_quantizers
    assert decoder.highest.max() > 2**16


@pytest.mark.simulate
def test_a_far_leaf_of_one_feature_has_parameters():
    """Parameters set a limit to the weights of encrypted bits, without a table too."""
    X = np.arange(8.0).reshape(-1, 1)
    y = np.append(np.sin(X[:-1, 0]), 1e6)
    parent = parent_of(fe.GradientBoostingRegressor)(n_estimators=3, max_depth=3)
    twin = fe.GradientBoostingRegressor.from_sklearn_model(parent.fit(X, y), X)
    found = twin.predict(X, fhe="simulate")
    np.testing.assert_array_equal(found, twin.predict(X))
    np.testing.assert_allclose(found, parent.predict(X), rtol=1e-9, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "least"),
    # Leaves of random splits are large: a million is in most sums.
    [("RandomForestRegressor", 0.7), ("ExtraTreesRegressor", 0.2)],
)
def test_far_targets_do_not_erase_the_others(far_targets, name, least):
    X, far, y = far_targets
    options = {"max_depth": 6, "random_state": 0, "n_bits": 6, "binning": "quantile"}
    model = getattr(fe, name)(10, **options).fit(X, far)
    found, expected = model.predict(X), own(model, X, "predict")
    rank = spearmanr(expected, y).statistic
    assert rank > least
    assert abs(spearmanr(found, y).statistic - rank) < 0.005


@pytest.mark.parametrize("name", ["DecisionTree", "ExtraTrees", "RandomForest"])
@pytest.mark.parametrize("n_bits", [6, {"op_inputs": 6, "op_weights": 7}])
def test_targets_in_different_units(diabetes, name, n_bits):
    """Each is predicted as well as alone."""
    X, y = diabetes
    several = np.stack([y, 1e-4 * X[:, 2] + 1e-7 * y, 1e6 * y**2], axis=1)
    options = {"max_depth": 4, "random_state": 0}
    if name != "DecisionTree":
        options["n_estimators"] = 8
    model = getattr(fe, f"{name}Regressor")(n_bits=n_bits, **options).fit(X, several)
    found, expected = model.predict(X), own(model, X, "predict")
    error = np.sqrt(np.mean((found - expected) ** 2, axis=0))
    assert (error <= 0.01 * expected.std(axis=0)).all()


@pytest.mark.parametrize("with_rows", [False, True])
@pytest.mark.parametrize(
    "name", ["GradientBoostingClassifier", "HistGradientBoostingClassifier"]
)
def test_twins_say_by_how_much_they_differ(fraud, name, with_rows):
    X, y, X_test, _ = fraud
    cls = getattr(fe, name)
    number = "max_iter" if "Hist" in name else "n_estimators"
    model = parent_of(cls)(learning_rate=0.5, random_state=0, **{number: 40}).fit(X, y)
    twin = cls.from_sklearn_model(model, X if with_rows else None)
    found, expected = (m.decision_function(X_test) for m in (twin, model))
    (decoder,) = twin.quantized_module_.output_quantizers
    (bound,) = decoder.rounding_error_bound
    # The sums of the parent have a precision, too.
    precision = 1e-13 * np.abs(expected).max()
    assert np.abs(found - expected).max() <= bound + precision
    assert bound < 0.1
    np.testing.assert_array_equal(twin.predict(X_test), model.predict(X_test))
    assert len(np.unique(found)) >= 0.9 * len(np.unique(expected))


@pytest.mark.parametrize("name", ["DecisionTree", "ExtraTrees", "GradientBoosting"])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_twins_without_rows(request, name, kind):
    data = "breast_cancer" if kind == "Classifier" else "diabetes"
    X, y = request.getfixturevalue(data)
    cls = getattr(fe, name + kind)
    few = {} if name == "DecisionTree" else {"n_estimators": 10}
    model = parent_of(cls)(max_depth=3, random_state=0, **few).fit(X, y)
    twin = cls.from_sklearn_model(model)
    if kind == "Classifier":
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))
        return
    found, expected = twin.predict(X), model.predict(X)
    assert np.abs(found - expected).max() <= 1e-3 * expected.std()


def test_a_far_constant_target_hides_no_other():
    """Trees of one leaf say nothing of what sums of outputs are."""
    X = np.arange(40.0).reshape(-1, 1)
    y = np.stack([np.full(40, 1e7), np.sin(X[:, 0] / 5)], axis=1)
    model = fe.RandomForestRegressor(4, random_state=0, n_bits=6).fit(X, y)
    found, expected = model.predict(X), own(model, X, "predict")
    np.testing.assert_allclose(found[:, 0], 1e7, rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=0.05)


def test_small_shares_are_predicted_as_well_as_large_ones():
    """That all add up to one does not give them a unit in common."""
    random = np.random.default_rng(0)
    X = random.random((300, 3))
    rare, common = 1e-3 * X[:, 0], 0.5 * X[:, 1]
    shares = np.stack([rare, common, 1 - rare - common], axis=1)
    model = fe.RandomForestRegressor(5, max_depth=6, n_bits=6, random_state=0)
    model.fit(X, shares)
    found, expected = model.predict(X), own(model, X, "predict")
    error = np.sqrt(np.mean((found - expected) ** 2, axis=0))
    assert (error <= 0.01 * expected.std(axis=0)).all()


@pytest.mark.parametrize("factor", [1e12, 1e20])
def test_targets_of_linear_models_in_different_units(factor, diabetes):
    X, y = diabetes
    model = fe.Ridge(n_bits=12).fit(X, np.stack([y, factor * y], axis=1))
    found = model.predict(X)
    np.testing.assert_allclose(found[:, 0], found[:, 1] / factor, atol=0.1 * y.std() / 2**8)
    parent = parent_of(fe.Ridge)().fit(X, y)
    np.testing.assert_allclose(found[:, 0], parent.predict(X), atol=y.std() / 2**8)


def test_bins_of_a_twin_take_rows(breast_cancer):
    X, y = breast_cancer
    model = parent_of(fe.DecisionTreeClassifier)(max_depth=2).fit(X, y)
    with pytest.raises(ValueError, match=r"n_bits=3 .*X"):
        fe.DecisionTreeClassifier.from_sklearn_model(model, n_bits=3)


@pytest.mark.fhe
@pytest.mark.parametrize("name", ["DecisionTreeClassifier", "GradientBoostingRegressor"])
def test_predictions_at_a_high_p_error_are_some_that_trees_can_give(name, diabetes):
    X, y = diabetes
    y = y > 150 if "Classifier" in name else y
    few = {"n_estimators": 3} if "Boosting" in name else {}
    model = getattr(fe, name)(max_depth=3, p_error=0.5, random_state=0, n_bits=2, **few)
    model.fit(X, y)
    found = model.predict(X[:40], fhe="execute")
    if "Classifier" in name:
        assert set(found) <= {False, True}
        return
    (decoder,) = model.quantized_module_.output_quantizers
    low = model._base + decoder.base
    assert (found >= low - 1e-6).all()
    assert (found <= low + decoder.scale * decoder.highest + 1e-6).all()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning:sklearn")
def test_nearest_centroid_of_huge_numbers():
    """Squared distances to these centroids are infinite."""
    X, y = np.array([[0.0], [1.0], [5.0], [6.0]]), [0, 0, 1, 1]
    model = fe.NearestCentroid().fit(X * 1e200, y)
    assert model.predict(np.array([[2.0], [4.0]]) * 1e200).tolist() == [0, 1]
