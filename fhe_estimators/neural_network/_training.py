"""What the ready-made estimators give to skorch: batches, loss, callbacks."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset
from skorch.exceptions import SkorchException
from torch import Tensor, nn

__all__ = [
    "Batches",
    "WeightedLoss",
    "callbacks_for",
    "check_callbacks",
    "check_sizes",
    "dataset_of",
    "explain_callbacks",
    "few_threads",
    "net_for",
    "resolve_optimizer",
    "train_once",
]

#: Rows times features times neurons from which on threads help.
_LARGE = 2**22

#: Part of the steps in which the learning rate rises.
_RISING = 0.3

#: Parts of the epochs between which neurons are pruned.
_PRUNING = (0.2, 0.6)


@contextmanager
def few_threads(size: int) -> Iterator[None]:
    """Compute with one thread where threads only wait for each other."""
    n_threads = torch.get_num_threads()
    if size >= _LARGE or n_threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


class Batches:
    """Batches of a dataset of tensors, taken whole instead of row by row.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Of tensors: features ``"X"`` and weights ``"sample_weight"``, and targets.
    batch_size : int
    seed : int, optional
        Of the order of rows in each pass; without, they come as they are.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int | None = None) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        y, parts = self.dataset.y, self.dataset.X
        x, weights = parts["X"], parts["sample_weight"]
        order = (
            torch.arange(len(x))
            if self.generator is None
            else torch.randperm(len(x), generator=self.generator)
        )
        for rows in order.split(self.batch_size):
            # Scores of skorch predict without targets.
            targets = torch.zeros(len(rows)) if y is None else y[rows]
            yield {"X": x[rows], "sample_weight": weights[rows]}, targets


class _WeightedMixin:
    """A net whose rows count differently: weights come with the features, as in skorch."""

    criterion_: Any
    device: Any

    def infer(self, x: Mapping[str, Tensor], **fit_params: Any) -> Any:
        """Return what the module computes from features."""
        return super().infer(x["X"], **fit_params)  # type: ignore[misc]

    def get_loss(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        X: Mapping[str, Tensor],
        training: bool = False,
    ) -> Tensor:
        """Return the mean loss of rows that count differently."""
        weights = X["sample_weight"].to(y_pred.device)
        loss: Tensor = self.criterion_(y_pred, y_true.to(y_pred.device), weights)
        return loss


class _ClassifierNet(_WeightedMixin, NeuralNetClassifier):
    """A classifier of skorch whose rows count differently."""


class _RegressorNet(_WeightedMixin, NeuralNetRegressor):
    """A regressor of skorch whose rows count differently."""


def net_for(loss: str, n_outputs: int) -> tuple[type[NeuralNet], dict[str, Any]]:
    """Return the kind of net for a loss, and what only that is given.

    Parameters
    ----------
    loss : {'binary_log_loss', 'log_loss', 'squared_error'}
    n_outputs : int
        Of the module.
    """
    if loss == "squared_error":
        return _RegressorNet, {}
    binary = loss == "binary_log_loss"
    return _ClassifierNet, {
        "classes": list(range(2 if binary else n_outputs)),
        "predict_nonlinearity": _two_columns if binary else _softmax_columns,
        # Nobody asked for it.
        "callbacks__valid_acc": None,
    }


def train_once(net: NeuralNet, dataset: Dataset, without: set[str]) -> None:
    """Train a net for one epoch, without the callbacks of some names."""
    callbacks = net.callbacks_
    net.callbacks_ = [entry for entry in callbacks if entry[0] not in without]
    try:
        net.partial_fit(dataset, epochs=1)
    finally:
        net.callbacks_ = callbacks


def check_callbacks(callbacks: list[Any] | None) -> None:
    """Raise if something is no callback of skorch.

    Raises
    ------
    ValueError
        With what it is. Callbacks may have names, in pairs, or be classes.
    """
    for entry in callbacks or []:
        callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
        kind = callback if inspect.isclass(callback) else type(callback)
        if not issubclass(kind, Callback):
            raise ValueError(
                "The parameter 'callbacks' must be a list of skorch.callbacks.Callback, or "
                f"of pairs of a name and one; got {entry!r} in it."
            )


def check_sizes(sizes: Any) -> None:
    """Raise if the sizes of hidden layers are no numbers of neurons.

    Raises
    ------
    ValueError
        With what was given.
    """
    given = [] if sizes is None else list(sizes)
    if not all(isinstance(size, int | np.integer) and size > 0 for size in given):
        raise ValueError(
            "The parameter 'hidden_layer_sizes' must hold positive integers, one for each "
            f"hidden layer; got {sizes!r}."
        )


@contextmanager
def explain_callbacks(*, held_out: bool) -> Iterator[None]:
    """Tell what a callback misses that reads the loss on rows that nobody held out."""
    try:
        yield
    except (KeyError, SkorchException) as error:
        if held_out or "valid" not in str(error):
            raise
        raise ValueError(
            "One of the 'callbacks' reads what is computed on rows that are held out, and "
            f"there are none ({error}). Use early_stopping=True, with validation_fraction, "
            "or let it read the training rows, as EarlyStopping(monitor='train_loss') does."
        ) from error


class WeightedLoss(nn.Module):
    """Mean of a loss over rows that count differently.

    Parameters
    ----------
    loss : {'binary_log_loss', 'log_loss', 'squared_error'}
    """

    def __init__(self, loss: str) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, scores: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """Return the mean loss of scores of shape (n_samples, n_outputs)."""
        if self.loss == "log_loss":
            losses = nn.functional.cross_entropy(scores, y, reduction="none")
        elif self.loss == "binary_log_loss":
            losses = nn.functional.binary_cross_entropy_with_logits(
                scores[:, 0], y.to(scores.dtype), reduction="none"
            )
        else:
            losses = ((scores - y) ** 2).mean(dim=1)
        return (losses * weights).mean()


def dataset_of(x: Tensor, y: Tensor, weights: Tensor) -> Dataset:
    """Return rows as nets whose rows count differently take them."""
    return Dataset({"X": x, "sample_weight": weights}, y)


def _two_columns(scores: Tensor) -> Tensor:
    """Return the probabilities of two classes from the logit of the second."""
    return torch.sigmoid(torch.cat([-scores, scores], dim=1))


def _softmax_columns(scores: Tensor) -> Tensor:
    """Return the probabilities of several classes from their scores."""
    return torch.softmax(scores, dim=1)


def resolve_optimizer(optimizer: str | type) -> type[torch.optim.Optimizer]:
    """Return the class of an optimizer, given or named.

    Raises
    ------
    ValueError
        If it is neither a class of ``torch.optim`` nor the name of one.
    """
    found = (
        getattr(torch.optim, optimizer, None) if isinstance(optimizer, str) else optimizer
    )
    if not (inspect.isclass(found) and issubclass(found, torch.optim.Optimizer)):
        raise ValueError(
            f"The parameter 'optimizer' must be a class of torch.optim or the name of one, "
            f"such as 'Adam' or 'SGD'; got {optimizer!r}."
        )
    return found


class OneCycle(Callback):
    """Let the learning rate rise to the net's `lr` and fall to zero, along cosines.

    One cycle of L. N. Smith and N. Topin, "Super-convergence: Very fast training of neural
    networks using large learning rates", 2018.
    """

    def on_train_begin(self, net: Any, X: Dataset, **kwargs: Any) -> None:
        """Start to count steps."""
        self.n_steps_ = net.max_epochs * math.ceil(len(X) / net.batch_size)
        self.step_ = 0

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the rate of the step."""
        if not training:
            return
        done = (self.step_ + 0.5) / self.n_steps_
        rising = done < _RISING
        angle = done / _RISING if rising else 1 + (done - _RISING) / (1 - _RISING)
        for group in net.optimizer_.param_groups:
            group["lr"] = net.lr * (1 - math.cos(math.pi * angle)) / 2
        self.step_ += 1


class NeuronPruning(Callback):
    """Disconnect part of the hidden neurons, a few after each epoch.

    The part grows fast at first and slowly at the end, as the cube law of M. Zhu and
    S. Gupta, "To prune, or not to prune", 2017; what is left is trained on.

    Parameters
    ----------
    sparsity : float
        Part of the neurons of each hidden layer.
    """

    def __init__(self, sparsity: float) -> None:
        self.sparsity = sparsity

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start to count epochs."""
        self.epochs_ = 0

    def on_epoch_end(self, net: Any, dataset_train: Dataset, **kwargs: Any) -> None:
        """Disconnect as many neurons as are due."""
        self.epochs_ += 1
        begin, end = _PRUNING
        done = (self.epochs_ / net.max_epochs - begin) / (end - begin)
        if done <= 0:
            return
        part = self.sparsity * (1 - max(0.0, 1 - done) ** 3)
        sizes = [layer.out_features for layer in net.module_.linears[:-1]]
        kept = tuple(max(1, size - round(part * size)) for size in sizes)
        net.module_.prune_neurons(kept, dataset_train.X["X"].to(net.device))


class PatientStopping(EarlyStopping):
    """`EarlyStopping` that begins after neurons are pruned: before, nets are larger."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start to count epochs."""
        super().on_train_begin(net, **kwargs)
        self.epochs_ = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Compare the loss with the best one."""
        self.epochs_ += 1
        if self.epochs_ >= _PRUNING[1] * net.max_epochs:
            super().on_epoch_end(net, **kwargs)


def callbacks_for(sparsity: float, patience: int | None) -> list[tuple[str, Callback]]:
    """Return the callbacks that train a net until it is fitted, with their names.

    Parameters
    ----------
    sparsity : float
        Part of the hidden neurons that is removed.
    patience : int or None
        Epochs without improvement until training stops; None never stops early.
    """
    callbacks: list[tuple[str, Callback]] = [("one_cycle", OneCycle())]
    if sparsity:
        callbacks.append(("neuron_pruning", NeuronPruning(sparsity)))
    if patience is not None:
        stopping = PatientStopping(patience=patience, load_best=True)
        callbacks.append(("early_stopping", stopping))
    return callbacks
