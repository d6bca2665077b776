"""What the tests of XGBoost and of LightGBM share."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from fhe_estimators import LGBMClassifier, LGBMRegressor, XGBClassifier, XGBRegressor
from fhe_estimators.base import parent_of

#: Fine leaves: what is left of an error is not rounding.
FINE = {"op_inputs": 4, "op_weights": 16}

CLASSIFIERS = [XGBClassifier, LGBMClassifier]
REGRESSORS = [XGBRegressor, LGBMRegressor]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Threads wait for each other by spinning: on a busy machine that takes seconds."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # where LightGBM looks
    with threadpool_limits(1, user_api="openmp"):
        yield


def library_of(model):
    """Return the mirrored class with the same booster."""
    parent = parent_of(type(model))
    own = parent.__new__(parent)
    own.__dict__.update(vars(model))
    return own


def assert_same(found, expected):
    assert found.shape == expected.shape
    # Leaves are rounded: scores change by half a percent of their deviation, in the mean of
    # rows. Rows that are all in one leaf have none.
    deviation, size = np.std(expected), np.abs(expected).max()
    assert np.sqrt(np.mean((found - expected) ** 2)) <= 5e-3 * deviation + 1e-3 * size
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-2 * deviation)


def split(data):
    return train_test_split(*data, random_state=0)


def log_loss(model, X, y):
    return -np.log(model.predict_proba(X)[np.arange(len(y)), y]).mean()
