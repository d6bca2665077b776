"""What boosted trees have beside the others: initial estimators, rows of validation."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import train_test_split

import fhe_estimators as fe
from fhe_estimators.base import parent_of
from tests.ensembles import fitted, on_bins


def test_validation_rows_are_put_on_the_grid(breast_cancer):
    X, y = breast_cancer
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    model = fe.HistGradientBoostingClassifier(
        early_stopping=True, random_state=0, binning="adaptive"
    )
    fitted(model, X, y, X_val=X_val, y_val=y_val)
    parent = parent_of(type(model))(early_stopping=True, random_state=0, max_leaf_nodes=8)
    parent.fit(on_bins(model, X), y, X_val=on_bins(model, X_val), y_val=y_val)
    np.testing.assert_array_equal(model.validation_score_, parent.validation_score_)


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_initial_estimator_is_refused(wine, kind):
    init = {"Classifier": DummyClassifier, "Regressor": DummyRegressor}[kind]()
    cls = getattr(fe, f"GradientBoosting{kind}")
    with pytest.raises(ValueError, match="'init' parameter"):
        cls(init=init).fit(*wine)
    model = parent_of(cls)(init=init, n_estimators=2).fit(*wine)
    with pytest.raises(ValueError, match="'init' parameter"):
        cls.from_sklearn_model(model, wine[0])


@pytest.mark.simulate
def test_stumps_need_no_bootstrap(breast_cancer):
    X, y = breast_cancer
    model = fe.GradientBoostingClassifier(max_depth=1, n_estimators=100).fit(X, y)
    assert model.compile().programmable_bootstrap_count == 0
    assert model.score(X, y) > 0.97
