"""Every estimator against scikit-learn's checks, then against ours."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fhe_estimators.testing import (
    all_estimators,
    expected_failed_checks,
    parametrize_with_fhe_checks,
)

ESTIMATORS = [cls() for _, cls in all_estimators()]


# The checks fit on few iterations; scikit-learn ignores this in its own run of them.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)
def test_sklearn_checks(estimator, check):
    check(estimator)


@parametrize_with_fhe_checks(ESTIMATORS)
def test_fhe_checks(estimator, check):
    check(estimator)
