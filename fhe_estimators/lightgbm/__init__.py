"""LightGBM's scikit-learn estimators on encrypted data."""

try:
    import lightgbm  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "fhe_estimators.lightgbm needs LightGBM: pip install 'fhe-estimators[lightgbm]'",
        name=error.name,
    ) from error

from fhe_estimators.lightgbm._estimators import LGBMClassifier, LGBMRegressor

__all__ = ["LGBMClassifier", "LGBMRegressor"]
