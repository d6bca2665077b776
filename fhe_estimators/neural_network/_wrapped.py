"""Any net of skorch as a scikit-learn estimator, in clear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import Tensor

from fhe_estimators.neural_network._nets import (
    NetClassifier,
    NetEstimator,
    NetRegressor,
    to_tensor,
)

__all__ = ["WrappedClassifier", "WrappedRegressor", "separated"]


def separated(X: Any) -> tuple[Any, dict[str, Any]]:
    """Return the rows, and what else is given for each row.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or mapping
        A mapping has the rows under ``"X"``. skorch passes the rest to the forward method
        of the module, by name, and all to ``get_loss``: that is how it weighs rows.

    Raises
    ------
    ValueError
        If a mapping has no rows.
    """
    if not isinstance(X, Mapping):
        return X, {}
    if "X" not in X:
        raise ValueError(
            "A dict that is given as X must hold the rows under the key 'X'; got the keys "
            f"{', '.join(map(repr, X)) or 'none'}."
        )
    return X["X"], {name: values for name, values in X.items() if name != "X"}


class _Wrapped(NetEstimator):
    """What the wrappers of a classifier and of a regressor share."""

    _parameter_constraints: dict[str, list[Any]] = {
        "net": [NeuralNet],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        net,
        *,
        n_bits=6,
        rounding="exact",
        rounding_bits="auto",
        random_state=None,
        p_error=2**-64,
    ):
        self.net = net
        self.n_bits = n_bits
        self.rounding = rounding
        self.rounding_bits = rounding_bits
        self.random_state = random_state
        self.p_error = p_error

    def fit(self, X, y, **fit_params):
        """Fit a clone of `net`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or dict
            A dict holds the rows under ``"X"`` and, under other names, what the forward
            method of the module is given beside them while it is trained: for example
            ``"sample_weight"``. Without them, the method must predict.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        **fit_params : dict
            Passed to the net: to the forward method of its module.

        Returns
        -------
        self : object
        """
        self._validate_params()
        X, others = separated(X)
        X, y = validate_data(self, X, y, dtype=np.float64, **self._target_checks)
        check_consistent_length(X, *others.values())
        targets = self._targets(y, reset=True)
        with self._seeded():
            self.net_ = clone(self.net).initialize()
            dtype = precision(self.net_.module_)
            x, y = to_tensor(X, dtype=dtype), to_tensor(targets)
            y = y.to(dtype) if y.is_floating_point() else y
            rows = x if not others else {"X": x, **_tensors(others, dtype)}
            self.net_.partial_fit(rows, self._shaped(y, x), **fit_params)
        self.net_.module_.eval()
        return self

    @classmethod
    def _holding(cls, net: NeuralNet, X: Any) -> Any:
        """Return an estimator that holds a net that skorch has fitted, on rows like `X`.

        Raises
        ------
        NotFittedError
            If it is not fitted.
        """
        check_is_fitted(net, "module_")
        model: Any = cls(net)
        model._validate_params()
        validate_data(model, X, dtype=np.float64)
        model.net_ = net
        return model

    def _shaped(self, y: Tensor, x: Tensor) -> Tensor:
        """Return targets in the shape of the module's output, (n_samples,) or with columns.

        A loss would broadcast one shape against the other, row against row.
        """
        try:
            # Two rows: a single one may be squeezed away.
            output = self._output(x[[0, -1]])
        except Exception:
            # A callback may still set the shapes of the module, as training begins. If
            # not, training raises the same.
            return y
        if output.ndim > 1:
            return y
        n_targets = y.shape[1:].numel()
        if n_targets > 1:
            raise ValueError(
                f"The module of 'net' gives one number for each row, but y has "
                f"{n_targets} columns. Build it with that many outputs."
            )
        return y.reshape(-1)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Let torch draw from `random_state`, if one is given, and forget about it."""
        if self.random_state is None:
            yield
            return
        seed = int(check_random_state(self.random_state).randint(2**31))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield

    def _forward(self, X: np.ndarray) -> Tensor:
        # One row is computed as two: it may be squeezed away otherwise.
        rows = np.concatenate([X, X]) if len(X) == 1 else X
        output = self._output(to_tensor(rows, dtype=precision(self.net_.module_)))
        return output.reshape(len(rows), -1)[: len(X)]

    def _output(self, x: Tensor) -> Tensor:
        # torch's data loader draws a number that nobody uses.
        with torch.random.fork_rng(devices=[]):
            outputs = self.net_.forward(x)
        # Only the first of several outputs is predicted from, as in skorch.
        first: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return first


def _tensors(arrays: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return arrays as tensors, floating point numbers in a type."""
    tensors = {name: to_tensor(np.asarray(array)) for name, array in arrays.items()}
    return {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def precision(module: torch.nn.Module) -> torch.dtype:
    """Return the type of floating point numbers that a module computes with."""
    floats = (p.dtype for p in module.parameters() if p.is_floating_point())
    return next(floats, torch.float32)


class WrappedClassifier(NetClassifier, _Wrapped):
    """A classifier of skorch, in clear."""

    def fit(self, X, y, **fit_params):
        """Fit a clone of `net`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or dict
            A dict holds the rows under ``"X"`` and, under other names, what the forward
            method of the module is given beside them while it is trained: for example
            ``"sample_weight"``. Without them, the method must predict.
        y : array-like of shape (n_samples,)
            Labels of any kind.
        **fit_params : dict
            Passed to the net: to the forward method of its module.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the module has not as many outputs as there are classes.
        """
        super().fit(X, y, **fit_params)
        n_found = self._probabilities(np.zeros((1, self._n_outputs()))).shape[1]
        if n_found != len(self.classes_):
            raise ValueError(
                f"The module of 'net' tells {n_found} classes apart, but y has "
                f"{len(self.classes_)}: {self.classes_}. Build it with that many outputs."
            )
        return self

    def _n_outputs(self) -> int:
        return self._forward(np.zeros((1, self.n_features_in_))).shape[1]

    def _targets(self, y: np.ndarray, *, reset: bool) -> np.ndarray:
        places = super()._targets(y, reset=reset)
        binary = isinstance(self.net, NeuralNetBinaryClassifier)
        return places.astype(np.float64) if binary else places

    def _probabilities(self, outputs: np.ndarray) -> np.ndarray:
        # It follows from the criterion; there is no public way to it.
        nonlinearity = self.net_._get_predict_nonlinearity()
        scores = outputs[:, 0] if outputs.shape[1] == 1 else outputs
        probabilities: np.ndarray = nonlinearity(to_tensor(scores)).numpy()
        return probabilities

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row, or what the net's threshold says."""
        probabilities = self._probabilities(self._outputs(X))
        threshold = getattr(self.net_, "threshold", None)
        if threshold is None:
            return self.classes_[np.argmax(probabilities, axis=1)]
        probability = probabilities[:, 1]
        return self.classes_[(probability > threshold).astype(int)]

    @classmethod
    def _holding(cls, net: NeuralNet, X: Any) -> WrappedClassifier:
        """Return a classifier that holds a net that skorch has fitted."""
        model = super()._holding(net, X)
        # skorch predicts places: those that the module tells apart.
        n_classes = model._probabilities(np.zeros((1, model._n_outputs()))).shape[1]
        model.classes_ = np.arange(n_classes)
        return model


class WrappedRegressor(NetRegressor, _Wrapped):
    """A regressor of skorch, in clear."""

    @classmethod
    def _holding(cls, net: NeuralNet, X: Any) -> WrappedRegressor:
        """Return a regressor that holds a net that skorch has fitted."""
        model = super()._holding(net, X)
        rows = to_tensor(np.zeros((2, model.n_features_in_)), dtype=precision(net.module_))
        model._flat = model._output(rows).ndim == 1
        return model
