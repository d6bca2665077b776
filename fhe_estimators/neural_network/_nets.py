"""scikit-learn estimators that hold a skorch net, in clear.

They are what the encrypted estimators mirror: these inherit everything from here, and
compute the outputs of the network on quantized integers.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

__all__ = ["NetClassifier", "NetEstimator", "NetRegressor", "to_tensor"]


class NetEstimator(BaseEstimator):
    """Holds a skorch net, `net_`, and pickles it by its parameters and tensors.

    Brevitas's layers hold classes that are made when they are built, which no pickle can
    name. A pickle therefore has what rebuilds the net: its parameters, from which skorch
    initializes it, and the tensors of its module and its optimizer.
    """

    #: What `validate_data` is told about targets.
    _target_checks: ClassVar[dict[str, Any]] = {}

    @property
    def history_(self) -> Any:
        """The history of skorch: what was recorded in each epoch."""
        check_is_fitted(self, "net_")
        return self.net_.history

    def _outputs(self, X: Any) -> np.ndarray:
        """Return what the network computes, of shape (n_samples, n_outputs)."""
        check_is_fitted(self, "net_")
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self._forward(X).detach().cpu().double().numpy()

    def _targets(self, y: Any, *, reset: bool) -> np.ndarray:
        """Return targets as numbers; with `reset`, forget those of earlier fits (hook)."""
        raise NotImplementedError

    def _forward(self, X: np.ndarray) -> Tensor:
        """Return what the module computes from validated rows (hook)."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        net = state.pop("net_", None)
        if net is not None:
            state["_net_state"] = {
                "net": clone(net),
                "module": net.module_.state_dict(),
                "optimizer": net.optimizer_.state_dict(),
                "history": net.history.to_list(),
            }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        stored = state.pop("_net_state", None)
        super().__setstate__(state)
        if stored is None:
            return
        net = stored["net"]
        # The first weights are overwritten: nobody's random numbers are used up for them.
        with torch.random.fork_rng(devices=[]):
            net.initialize()
        net.module_.load_state_dict(stored["module"])
        # Brevitas makes new parameters when it loads some.
        net.initialize_optimizer()
        net.optimizer_.load_state_dict(stored["optimizer"])
        net.history.extend(stored["history"])
        net.module_.eval()
        self.net_ = net


def to_tensor(array: np.ndarray, **options: Any) -> Tensor:
    """Return an array as a tensor, with a `dtype` and on a `device`.

    It may be one that torch does not take: read-only, or reversed.
    """
    return torch.as_tensor(np.require(array, requirements=["C", "W"]), **options)


class NetClassifier(ClassifierMixin, NetEstimator):
    """A classifier that holds a skorch net."""

    classes_: np.ndarray

    def _targets(self, y: Any, *, reset: bool) -> np.ndarray:
        """Return the place of each row's class; with `reset`, set the classes."""
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y)
            if len(self.classes_) < 2:
                raise ValueError(
                    f"{type(self).__name__} needs rows of at least two classes; got one "
                    f"class: {self.classes_[0]!r}."
                )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has labels that are not among the classes of the fitted model: "
                f"{unknown}. Fit anew, or name all classes in the first partial_fit."
            )
        return np.searchsorted(self.classes_, y)

    def _probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return probabilities from what the network computes (hook)."""
        raise NotImplementedError

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, of shape (n_samples, n_classes)."""
        return self._probabilities(self._outputs(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of the probability of each class."""
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row."""
        probabilities = self._probabilities(self._outputs(X))
        return self.classes_[np.argmax(probabilities, axis=1)]


class NetRegressor(RegressorMixin, NetEstimator):
    """A regressor that holds a skorch net."""

    _target_checks: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _targets(self, y: Any, *, reset: bool) -> np.ndarray:
        """Return targets, of shape (n_samples, n_outputs)."""
        y = np.asarray(y, dtype=np.float64)
        if reset:
            self._flat = y.ndim == 1
        return y.reshape(len(y), -1)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions, of shape (n_samples,) or (n_samples, n_outputs)."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs
