"""What the ready-made estimators give to skorch: batches, loss, callbacks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from skorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn
from torch.utils.data import TensorDataset

__all__ = [
    "Batches",
    "NeuronPruning",
    "OneCycle",
    "PatientStopping",
    "WeightedLoss",
    "few_threads",
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
    """Batches of a dataset of tensors, cut out whole instead of row by row.

    Parameters
    ----------
    dataset : TensorDataset
        Of features, targets and weights.
    batch_size : int
    seed : int, optional
        Of the order of rows in each pass; without, they come as they are.
    """

    def __init__(
        self, dataset: TensorDataset, batch_size: int, seed: int | None = None
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
        x, y, weights = self.dataset.tensors
        order = (
            torch.arange(len(x))
            if self.generator is None
            else torch.randperm(len(x), generator=self.generator)
        )
        for rows in order.split(self.batch_size):
            yield x[rows], (y[rows], weights[rows])


class WeightedLoss(nn.Module):
    """Mean of a loss over rows that count differently.

    Parameters
    ----------
    loss : {'binary_log_loss', 'log_loss', 'squared_error'}
    """

    def __init__(self, loss: str) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, scores: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Return the mean loss of scores of shape (n_samples, n_outputs)."""
        y, weights = target
        if self.loss == "log_loss":
            losses = nn.functional.cross_entropy(scores, y, reduction="none")
        elif self.loss == "binary_log_loss":
            losses = nn.functional.binary_cross_entropy_with_logits(
                scores[:, 0], y.to(scores.dtype), reduction="none"
            )
        else:
            losses = ((scores - y) ** 2).mean(dim=1)
        return (losses * weights).mean()


class OneCycle(Callback):
    """Let the learning rate rise to the net's `lr` and fall to zero, along cosines.

    One cycle of L. N. Smith and N. Topin, "Super-convergence: Very fast training of neural
    networks using large learning rates", 2018.
    """

    def on_train_begin(self, net: Any, X: TensorDataset, **kwargs: Any) -> None:
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

    def on_epoch_end(self, net: Any, dataset_train: TensorDataset, **kwargs: Any) -> None:
        """Disconnect as many neurons as are due."""
        self.epochs_ += 1
        begin, end = _PRUNING
        done = (self.epochs_ / net.max_epochs - begin) / (end - begin)
        if done <= 0:
            return
        part = self.sparsity * (1 - max(0.0, 1 - done) ** 3)
        sizes = [layer.out_features for layer in net.module_.linears[:-1]]
        kept = tuple(max(1, size - round(part * size)) for size in sizes)
        net.module_.prune_neurons(kept, dataset_train.tensors[0].to(net.device))


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
