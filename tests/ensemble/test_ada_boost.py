"""What only AdaBoost does: trees vote for labels."""

import numpy as np
import pytest
from sklearn import ensemble, tree
from sklearn.linear_model import LogisticRegression

from fhe_estimators import AdaBoostClassifier
from fhe_estimators.core.numpy_module import NumpyModule

METHODS = ("decision_function", "predict_proba", "predict")

each_depth = pytest.mark.parametrize("depth", [1, 2])


def boosted(kind, depth, **parameters):
    base = tree.DecisionTreeClassifier(max_depth=depth, max_leaf_nodes=3)
    return kind(base, n_estimators=8, random_state=0, **parameters)


def several_classes(data, n_classes):
    """Return rows of the first classes; of one class all rows, under one label."""
    X, y = data
    return (X, y * 0) if n_classes == 1 else (X[y < n_classes], y[y < n_classes])


@each_depth
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_votes_are_those_of_the_parent(wine, depth, n_classes):
    """On the parent's own thresholds; the parent says what a single class is."""
    X, y = several_classes(wine, n_classes)
    parent = boosted(ensemble.AdaBoostClassifier, depth).fit(X, y)
    twin = AdaBoostClassifier.from_sklearn_model(parent, X)
    for method in METHODS:
        expected = getattr(parent, method)(X)
        found = getattr(twin, method)(X)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=2e-3)
    if n_classes > 1:
        np.testing.assert_allclose(
            NumpyModule(twin.onnx_model)(X), parent.predict_proba(X), atol=1e-6
        )


@pytest.mark.simulate
def test_stumps_need_no_table(breast_cancer):
    X, y = breast_cancer
    model = boosted(AdaBoostClassifier, 1).fit(X, y)
    assert model.compile().programmable_bootstrap_count == 0
    deeper = boosted(AdaBoostClassifier, 2).fit(X, y)
    assert deeper.compile().programmable_bootstrap_count > 0


def test_boosting_that_ends_early(wine):
    """A tree without errors is the last one; its weight is one."""
    X, y = wine
    model = AdaBoostClassifier(
        tree.DecisionTreeClassifier(random_state=0), n_bits=8, random_state=0
    ).fit(X, y)
    assert len(model.estimators_) < model.n_estimators == len(model.estimator_weights_)
    np.testing.assert_array_equal(model.predict(X), y)


def test_other_estimators_are_refused(wine):
    X, y = wine
    expected = r"'estimator'.*DecisionTreeClassifier.*Got LogisticRegression\(max_iter=5\)"
    base = LogisticRegression(max_iter=5)
    with pytest.raises(ValueError, match=expected):
        AdaBoostClassifier(base).fit(X, y)
    parent = ensemble.AdaBoostClassifier(tree.DecisionTreeClassifier()).fit(X, y)
    parent.set_params(estimator=base)
    with pytest.raises(ValueError, match=expected):
        AdaBoostClassifier.from_sklearn_model(parent, X)
