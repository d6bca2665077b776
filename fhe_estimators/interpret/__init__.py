"""interpret's explainable boosting machines on encrypted data."""

try:
    import interpret  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "fhe_estimators.interpret needs interpret: pip install 'fhe-estimators[interpret]'",
        name=error.name,
    ) from error

from fhe_estimators.interpret._estimators import (
    ExplainableBoostingClassifier,
    ExplainableBoostingRegressor,
)

__all__ = ["ExplainableBoostingClassifier", "ExplainableBoostingRegressor"]
