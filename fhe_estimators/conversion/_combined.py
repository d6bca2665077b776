"""Estimators that combine others as torch modules: of what they combine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from torch import Tensor, nn

from fhe_estimators._sparse import dense_rows
from fhe_estimators.conversion._modules import (
    Combined,
    OneVsOne,
    normalized,
    weighted_mean,
)
from fhe_estimators.conversion._refusals import refused
from fhe_estimators.core.frontends.hummingbird import hummingbird_module

#: Returns the module of a method of an estimator, with some rows.
ModuleOf = Callable[[Any, str, np.ndarray], nn.Module]


def pipeline(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    before = estimator[:-1]
    if not before.steps:
        return of(estimator[-1], method, X)
    rows = np.asarray(dense_rows(before.transform(X)), np.float64)
    last = of(estimator[-1], method, rows)
    return nn.Sequential(hummingbird_module(before, X), last)


def search(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    return of(estimator.estimator_, method, X)


def bagging(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    if method == "decision_function" and not hasattr(estimator, "decision_function"):
        raise refused(estimator, "its estimators have no decision_function.")
    members = []
    for member, features in zip(
        estimator.estimators_, estimator.estimators_features_, strict=True
    ):
        used = method
        if method == "predict_proba" and not hasattr(member, "predict_proba"):
            used = "predict"
        found = of(member, used, X[:, features])
        if used != "decision_function" and is_classifier(estimator):
            found = _of_classes(found, member.classes_, len(estimator.classes_))
        members.append(found)
    mean = weighted_mean([1.0] * len(members))
    return Combined(members, mean, estimator.estimators_features_)


def _of_classes(module: nn.Module, classes: np.ndarray, n_classes: int) -> nn.Module:
    """Return a module with columns for all classes, of one with those of some."""
    if len(classes) == n_classes:
        return module
    places = np.asarray(classes, np.int64).tolist()

    def spread(found: list[Tensor], x: Tensor) -> Tensor:
        zero = found[0][:, :1] * 0
        columns = [zero] * n_classes
        for column, place in enumerate(places):
            columns[place] = found[0][:, column : column + 1]
        return torch.cat(columns, dim=1)

    return Combined([module], spread)


def voting(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    if method == "decision_function":
        raise refused(estimator, "it has no decision_function.")
    hard = getattr(estimator, "voting", "") == "hard"
    used = method if not hard else "predict"
    if is_classifier(estimator) and method == "predict" and not hard:
        used = "predict_proba"
    members = [of(member, used, X) for member in estimator.estimators_]
    weights = estimator._weights_not_none
    return Combined(members, weighted_mean(weights or [1.0] * len(members)))


def stacking(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    if estimator.passthrough:
        raise refused(
            estimator, "with passthrough=True rows are encrypted twice: set it False."
        )
    members = []
    for member, used in zip(estimator.estimators_, estimator.stack_method_, strict=True):
        if used == "predict" and is_classifier(member):
            raise refused(estimator, "its estimators have labels only.")
        found = of(member, used, X)
        if used == "predict_proba" and len(estimator.classes_) == 2:
            found = Combined([found], lambda results, x: results[0][:, 1:])
        members.append(found)
    together = Combined(members, lambda found, x: torch.cat(found, dim=1))
    rows = estimator.transform(X)
    final = of(estimator.final_estimator_, method, np.asarray(rows, np.float64))
    return nn.Sequential(together, final)


def one_vs_rest(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    if estimator.multilabel_:
        raise refused(estimator, "several labels at once are not returned.")
    members = [of(member, method, X) for member in estimator.estimators_]
    if method == "predict_proba":
        if len(members) == 1:
            return members[0]
        columns = [Combined([m], lambda found, x: found[0][:, 1:]) for m in members]
        return Combined(columns, normalized)
    return Combined(members, lambda found, x: torch.cat(found, dim=1))


def one_vs_one(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    if method == "predict_proba":
        raise refused(estimator, "it has no probabilities.")
    used = "decision_function"
    if not all(hasattr(member, used) for member in estimator.estimators_):
        raise refused(estimator, "its estimators have no decision_function.")
    members = [of(member, used, X) for member in estimator.estimators_]
    pairs = Combined(members, lambda found, x: torch.cat(found, dim=1))
    return OneVsOne(pairs, len(estimator.classes_), 1) if len(members) > 1 else pairs


def several_targets(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    members = [of(member, method, X) for member in estimator.estimators_]
    return Combined(members, lambda found, x: torch.cat(found, dim=1))


def chain(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    members: list[nn.Module] = []
    width, rows = X.shape[1], X
    for member in estimator.estimators_:
        found = of(member, method, rows)
        members.append(found)
        rows = np.column_stack([rows, member.predict(rows)])
    order = np.argsort(estimator.order_).tolist()

    class Chained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList(members)

        def forward(self, x: Tensor) -> Tensor:
            for member in self.members:
                x = torch.cat([x, member(x)], dim=1)
            found = x[:, width:]
            return torch.cat([found[:, place : place + 1] for place in order], dim=1)

    return Chained()


def calibrated(estimator: Any, method: str, X: np.ndarray, of: ModuleOf) -> nn.Module:
    members = [_one_calibrated(one, X, of) for one in estimator.calibrated_classifiers_]
    return Combined(members, weighted_mean([1.0] * len(members)))


def _one_calibrated(calibrated: Any, X: np.ndarray, of: ModuleOf) -> nn.Module:
    inner = calibrated.estimator
    if calibrated.method != "sigmoid":
        raise refused(inner, "it is calibrated by a function of many steps: use 'sigmoid'.")
    used = "decision_function" if hasattr(inner, "decision_function") else "predict_proba"
    scores = of(inner, used, X)
    numbers = [(float(c.a_), float(c.b_)) for c in calibrated.calibrators]

    def combine(found: list[Tensor], x: Tensor) -> Tensor:
        columns = found[0][:, -len(numbers) :]
        single = [
            torch.sigmoid(-(a * columns[:, place : place + 1] + b))
            for place, (a, b) in enumerate(numbers)
        ]
        if len(single) == 1:
            return torch.cat([1 - single[0], single[0]], dim=1)
        return normalized(single, x)

    return Combined([scores], combine)
