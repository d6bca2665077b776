"""CatBoost's scikit-learn estimators on encrypted data."""

try:
    import catboost  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "fhe_estimators.catboost needs CatBoost: pip install 'fhe-estimators[catboost]'",
        name=error.name,
    ) from error

from fhe_estimators.catboost._estimators import CatBoostClassifier, CatBoostRegressor

__all__ = ["CatBoostClassifier", "CatBoostRegressor"]
