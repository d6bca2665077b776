"""Tools to test estimators: discovery, and checks in the manner of scikit-learn."""

from fhe_estimators.testing._checks import (
    check_fhe_estimator,
    parametrize_with_fhe_checks,
)
from fhe_estimators.testing._discovery import all_estimators
from fhe_estimators.testing._expected_failures import expected_failed_checks

__all__ = [
    "all_estimators",
    "check_fhe_estimator",
    "expected_failed_checks",
    "parametrize_with_fhe_checks",
]
