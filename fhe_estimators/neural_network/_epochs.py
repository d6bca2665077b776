"""A bar for the epochs of a net."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback

from fhe_estimators._config import shows_progress
from fhe_estimators._progress import shown


class _Bar(Callback):
    """Moves a bar on at the end of each epoch."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Move the bar on."""
        if self.bar is not None:
            self.bar.update()

    def __getstate__(self) -> dict[str, Any]:
        return {"bar": None}  # of a net that a checkpoint keeps


@contextmanager
def epochs_shown(net: NeuralNet, count: int | None = None) -> Iterator[None]:
    """Let an initialized net show how far its training is, if that is asked for.

    Parameters
    ----------
    net : NeuralNet
    count : int, optional
        Of epochs; those of the net by default.
    """
    if not shows_progress():
        yield
        return
    callbacks = net.callbacks_
    total = net.max_epochs if count is None else count
    with shown((), "fit", total, unit="epoch") as bar:
        net.callbacks_ = [*callbacks, ("progress of fhe_estimators", _Bar(bar))]
        try:
            yield
        finally:
            net.callbacks_ = callbacks
