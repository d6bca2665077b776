"""Searches that know what an encrypted row costs."""

from fhe_estimators.model_selection._budget import best_within
from fhe_estimators.model_selection._candidates import cheap_candidates
from fhe_estimators.model_selection._pareto import ParetoSearchCV
from fhe_estimators.model_selection._plot import ParetoDisplay
from fhe_estimators.model_selection._scoring import COSTS, with_cost

__all__ = [
    "COSTS",
    "ParetoDisplay",
    "ParetoSearchCV",
    "best_within",
    "cheap_candidates",
    "with_cost",
]
