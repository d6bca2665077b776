"""XGBoost's scikit-learn estimators on encrypted data."""

try:
    import xgboost  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "fhe_estimators.xgboost needs XGBoost: pip install 'fhe-estimators[xgboost]'",
        name=error.name,
    ) from error

from fhe_estimators.xgboost._estimators import XGBClassifier, XGBRegressor
from fhe_estimators.xgboost._random_forest import XGBRFClassifier, XGBRFRegressor

__all__ = ["XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRegressor"]
