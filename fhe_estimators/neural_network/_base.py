"""What estimators that hold a net of skorch share, in clear and encrypted.

Each mirrors a class that predicts in clear: it inherits everything from that and computes
the outputs of the network on quantized integers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    clone,
    is_classifier,
)
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)
from torch import Tensor

from fhe_estimators._readings import Labels, Reading
from fhe_estimators.base import FHE_CONSTRAINTS, FHEMixin, Tags, parent_of
from fhe_estimators.core.graph import as_tuple
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.quantized_module import ROUNDINGS, RoundingOptions

__all__ = [
    "EncryptedNetMixin",
    "NetClassifier",
    "NetEstimator",
    "NetRegressor",
    "to_tensor",
]


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
        """Return the outputs of the network, (n_samples, n_outputs)."""
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

    def _targets(self, y: Any, *, reset: bool, classes: Any = None) -> np.ndarray:
        """Return the place of each row's class; with `reset`, set the classes.

        They are `classes` if these are given, else those of `y`.
        """
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
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


class EncryptedNetMixin(FHEMixin):
    """Outputs come from the integer graph; stands left of the class in clear."""

    _fhe_constraints: ClassVar[dict[str, list[Any]]] = {
        "p_error": FHE_CONSTRAINTS["p_error"],
        "rounding": [StrOptions(set(ROUNDINGS)), None],
    }
    #: How ranges of results of tables are chosen.
    _calibration: ClassVar[str] = "minmax"
    #: What `from_sklearn_model` takes, in words.
    _taken: ClassVar[str] = ""

    net_: Any
    rounding: Any
    _flat: bool
    classes_: np.ndarray
    #: Sums that training has made narrow are covered by tables as they are.
    accumulator_range: str = "worst_case"
    rounding_bits: Any

    def _outputs(self, X: Any) -> np.ndarray:
        scores = self._scores(X, super()._outputs)  # type: ignore[misc]
        # Only the first of several outputs is predicted from, as in skorch.
        first = self.quantized_module_.clear_module.outputs(*as_tuple(scores))[0]
        return first.reshape(len(first), -1)

    def _readings(self) -> dict[str, list[Reading]]:
        if not hasattr(self, "classes_"):
            form = "vector" if self._flat else "table"
            return {"predict": [Reading(end=True, form=form)]}
        probabilities = Reading(end=True, link=self._link_of_outputs())
        threshold = getattr(self.net_, "threshold", None)
        labels = Labels("largest", labels=self.classes_)
        if threshold is not None:
            labels = Labels("above", float(threshold), self.classes_)
        readings = {
            "predict": [replace(probabilities, labels=labels)],
            "predict_proba": [probabilities],
        }
        if hasattr(self, "decision_function"):
            form = "vector" if len(self.classes_) == 2 else "table"
            readings["decision_function"] = [Reading(end=True, form=form)]
        return readings

    def _link_of_outputs(self) -> str:
        """Return what makes probabilities of outputs, a key of ``Reading.LINKS`` (hook)."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.fhe_tags.exact = self.rounding != "approximate"
        return tags

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        self._rounding()

    def _rounding(self) -> RoundingOptions:
        """Return how accumulators are rounded in front of tables."""
        return RoundingOptions(
            self.rounding, self.rounding_bits, labels=is_classifier(self)
        )

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        X = self._validated(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        self.onnx_model_ = self._to_onnx()
        self.quantized_module_ = to_quantized_module(
            self.onnx_model_,
            Calibration([X], sample_weight),
            Options(
                self._bit_widths(),
                ranges=self._calibration,
                rounding=self._rounding(),
                accumulator_range=self.accumulator_range,
                p_error=self.p_error,
            ),
        )
        self._remember()

    def _state(self) -> list[Any]:
        """Return the kinds of layers, and all tensors."""
        module = self.net_.module_
        tensors = module.state_dict().values()
        return [
            *(type(layer).__qualname__ for layer in module.modules()),
            *(tensor.detach().cpu().numpy() for tensor in tensors),
        ]

    @classmethod
    def _holder(cls, model: Any, X: Any = None) -> Any:
        mirrored = parent_of(cls)
        if not isinstance(model, mirrored):
            kind = type(model)
            raise TypeError(
                f"{cls.__name__}.from_sklearn_model takes a fitted "
                f"{cls._taken or f'{cls.__name__} of fhe_estimators'}; got a "
                f"{kind.__name__} of {kind.__module__.partition('.')[0]}."
            )
        check_is_fitted(model)
        return cls._copy_of(model)
