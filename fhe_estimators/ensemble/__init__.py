"""Ensembles of trees on encrypted data."""

from fhe_estimators.ensemble._ada_boost import AdaBoostClassifier
from fhe_estimators.ensemble._extra_trees import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
)
from fhe_estimators.ensemble._forest import (
    RandomForestClassifier,
    RandomForestRegressor,
)
from fhe_estimators.ensemble._gradient_boosting import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
)
from fhe_estimators.ensemble._hist_gradient_boosting import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from fhe_estimators.ensemble._isolation_forest import IsolationForest

__all__ = [
    "AdaBoostClassifier",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
    "IsolationForest",
    "RandomForestClassifier",
    "RandomForestRegressor",
]
