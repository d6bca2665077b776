"""Rows that count more or less while skorch trains a net."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

#: Under this name weights go beside the rows; the module is not given them.
_WEIGHTS = "fhe_estimators.sample_weight"


def with_weights(rows: Any, weights: Tensor) -> dict[str, Any]:
    """Return the rows, alone or under names, with their weights beside them."""
    named = rows if isinstance(rows, dict) else {"X": rows}
    return {**named, _WEIGHTS: weights / weights.mean()}


@contextmanager
def weighing(net: Any) -> Iterator[None]:
    """Let a net multiply the loss of each row by its weight, for a while.

    Rows come from `with_weights`. The loss of a batch is the mean over its rows, weights
    have the mean one over all.

    Raises
    ------
    ValueError
        If the criterion has no attribute ``reduction``, as those of torch have.
    """
    criterion = net.criterion_
    if not hasattr(criterion, "reduction"):
        raise ValueError(
            "The parameter sample_weight needs a criterion with the attribute 'reduction', "
            "as those of torch.nn have; got "
            f"{type(criterion).__name__}. Leave the weights "
            "out, or give them in a dict as X and weigh rows in get_loss."
        )
    original = type(net)

    class Weighing(original):  # type: ignore[misc,valid-type] # known at run time only
        def infer(self, x: Any, **fit_params: Any) -> Any:
            given = {name: part for name, part in x.items() if name != _WEIGHTS}
            rows = given["X"] if len(given) == 1 else given
            return super().infer(rows, **fit_params)

        def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, **more: Any) -> Tensor:
            reduction, criterion.reduction = criterion.reduction, "none"
            try:
                losses = super().get_loss(y_pred, y_true, X=X, **more)
            finally:
                criterion.reduction = reduction
            losses = losses.reshape(len(losses), -1).mean(dim=1)
            weights = X[_WEIGHTS].to(losses)
            mean: Tensor = torch.mean(losses * weights)
            return mean

    # The net stays the object that it is: its optimizer holds its tensors.
    net.__class__ = Weighing
    try:
        yield
    finally:
        net.__class__ = original
