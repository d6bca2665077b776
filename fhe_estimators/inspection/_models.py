"""What is encrypted of a model."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from fhe_estimators.base import FHEMixin, in_floating_point
from fhe_estimators.quantization import QuantizedModule


def compiled(model: Any) -> FHEMixin | QuantizedModule:
    """Return what is encrypted of a fitted model, compiled; see `encrypted_part`."""
    part = encrypted_part(model)
    if isinstance(part, FHEMixin):
        check_is_fitted(part)
        if not part.quantized_module.is_compiled:
            part.compile()
    elif not part.is_compiled:
        part.compile()
    return part


def predictor(model: Any) -> FHEMixin:
    """Return the encrypted classifier or regressor that a fitted model is or ends in."""
    part = encrypted_part(model)
    if not isinstance(part, FHEMixin) or not hasattr(model, "predict"):
        raise TypeError(
            "The parameter 'model' must be a classifier or a regressor, or end in one; got "
            f"{type(part).__name__}."
        )
    check_is_fitted(part)
    return part


def parent_model(model: Any) -> Any:
    """Return a fitted model in floating point: the last step is of the mirrored class."""
    if isinstance(model, Pipeline):
        parent = copy.copy(model)
        name, last = model.steps[-1]
        parent.steps = [*model.steps[:-1], (name, parent_model(last))]
        return parent
    if isinstance(model, BaseSearchCV):
        return parent_model(model.best_estimator_)
    return in_floating_point(model)


def encrypted_part(model: Any) -> FHEMixin | QuantizedModule:
    """Return what is encrypted of a model: the last step, of the best one."""
    if isinstance(model, Pipeline):
        return encrypted_part(model[-1])
    if isinstance(model, BaseSearchCV):
        check_is_fitted(model, "best_estimator_")
        return encrypted_part(model.best_estimator_)
    if isinstance(model, FHEMixin | QuantizedModule):
        return model
    raise TypeError(
        "The parameter 'model' must be an estimator of fhe_estimators, a pipeline or a "
        f"search that ends in one, or a QuantizedModule; got {type(model).__name__}. "
        "Encrypted estimators are in fhe_estimators: import the class of that name from "
        "there, or pass the fitted model to its from_sklearn_model."
    )
