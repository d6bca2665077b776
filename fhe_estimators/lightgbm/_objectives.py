"""Objectives of LightGBM: what turns raw scores into predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhe_estimators._fit import refuse

__all__ = ["OBJECTIVES", "link_and_factor", "scaled"]

#: Objectives and their other names, by link, a key of `frontends.torch.LINKS`.
_NAMES = {
    "expit": "binary cross_entropy xentropy multiclassova multiclass_ova ova ovr",
    "exp": "gamma poisson tweedie",
    "identity": "fair huber mape mean_absolute_percentage_error quantile "
    "regression regression_l2 l2 mean_squared_error mse l2_root root_mean_squared_error "
    "rmse regression_l1 l1 mean_absolute_error mae",
    "softmax": "multiclass softmax",
    "softplus": "cross_entropy_lambda xentlambda",
}
OBJECTIVES = {name: link for link, names in _NAMES.items() for name in names.split()}


def link_and_factor(objective: str) -> tuple[str, float]:
    """Return the link of an objective, given as in a model's text, with its options.

    The logistic function may take a multiple of the raw score.
    """
    name, *options = objective.split()
    if name not in OBJECTIVES:
        refuse("objective", name, sorted(OBJECTIVES))
    factor = 1.0
    for option in options:
        key, _, value = option.partition(":")
        if key == "sqrt":
            refuse("reg_sqrt", True, [False])
        if key == "sigmoid":
            factor = float(value)
    return OBJECTIVES[name], factor


def scaled(link: str, factor: float) -> Callable[[Any], Any]:
    """Return a link of a multiple of the raw score."""
    from fhe_estimators.core.frontends.torch import LINKS

    return lambda score: LINKS[link](factor * score)
