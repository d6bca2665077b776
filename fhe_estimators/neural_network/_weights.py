"""Rows that count more or less while skorch trains a net."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

#: Under this name weights go beside the rows; the module is not given them.
_WEIGHTS = "fhe_estimators.sample_weight"


@contextmanager
def weighing(net: Any, rows: Any, weights: Tensor) -> Iterator[None]:
    """Let a net multiply the loss of each row by its weight, for a while.

    The loss of a batch is the mean over its rows; weights have the mean one over all.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialized.
    rows : tensor or dict of tensor
        What it is going to be trained on: the very object.
    weights : tensor of shape (n_samples,)

    Raises
    ------
    ValueError
        If the criterion has no attribute ``reduction``, as those of torch have.
    """
    if not hasattr(net.criterion_, "reduction"):
        kind = type(net.criterion_).__name__
        raise ValueError(
            "The parameter sample_weight needs a criterion with the attribute 'reduction', "
            f"as those of torch.nn have; got {kind}. Leave the weights out, or weigh rows "
            "in get_loss of the net, which is given a dict as X."
        )
    original = type(net)
    named = rows if isinstance(rows, dict) else {"X": rows}
    weighted = {**named, _WEIGHTS: weights / weights.mean()}

    class Weighing(original):  # type: ignore[misc,valid-type] # known at run time only
        def get_dataset(self, X: Any, y: Any = None) -> Any:
            return super().get_dataset(weighted if X is rows else X, y)

        def infer(self, x: Any, **fit_params: Any) -> Any:
            if isinstance(x, Mapping) and _WEIGHTS in x:
                given = {name: part for name, part in x.items() if name != _WEIGHTS}
                x = given if isinstance(rows, dict) else given["X"]
            return super().infer(x, **fit_params)

        def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, **more: Any) -> Tensor:
            if not (isinstance(X, Mapping) and _WEIGHTS in X):
                plain: Tensor = super().get_loss(y_pred, y_true, X=X, **more)
                return plain
            # Callbacks may have built another one.
            criterion = self.criterion_
            reduction, criterion.reduction = criterion.reduction, "none"
            try:
                losses = super().get_loss(y_pred, y_true, X=X, **more)
            finally:
                criterion.reduction = reduction
            losses = losses.reshape(len(losses), -1).mean(dim=1)
            mean: Tensor = torch.mean(losses * X[_WEIGHTS].to(losses))
            return mean

    # The net stays the object that it is: its optimizer holds its tensors.
    net.__class__ = Weighing
    try:
        yield
    finally:
        net.__class__ = original
