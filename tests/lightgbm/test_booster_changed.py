"""LightGBM's own ways to change a fitted model."""

import lightgbm
import numpy as np
import pytest

from fhe_estimators import LGBMClassifier, LGBMRegressor
from tests.boosters import assert_same, library_of, one_thread

__all__ = ["one_thread"]  # a fixture


def set_leaf(model):
    model.booster_.set_leaf_output(0, 1, 300.0)


def read(model):
    model.booster_.model_from_string(_other(model).model_to_string())


def assign(model):
    model._Booster = _other(model)


def _other(model):
    random = np.random.default_rng(0)
    X = random.normal(size=(100, model.n_features_in_))
    own = lightgbm.LGBMRegressor(n_estimators=4, verbosity=-1)
    return own.fit(X, 100 * X[:, 0]).booster_


@pytest.mark.parametrize("change", [set_leaf, read, assign])
def test_lightgbm_booster(diabetes, change):
    X, y = diabetes
    model = LGBMRegressor(n_estimators=3, n_bits={"op_inputs": 4, "op_weights": 12})
    before = model.fit(X, y).predict(X)
    change(model)
    assert_same(model.predict(X), library_of(model).predict(X))
    assert np.abs(model.predict(X) - before).max() > 1


def test_lightgbm_order_of_trees_is_no_matter(wine):
    """Shuffled trees of one output give the same scores, hence the same labels."""
    X, y = wine
    model = LGBMClassifier(n_estimators=5).fit(X, y > 0)
    before = model.predict_proba(X)
    model.booster_.shuffle_models()
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-2)
