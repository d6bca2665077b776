"""Fitted estimators as ONNX models."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn import svm
from sklearn.base import is_classifier

from fhe_estimators.conversion._modules import OneVsOne
from fhe_estimators.conversion._scores import forest_of, module_of
from fhe_estimators.core.frontends.torch import export_torch, export_trees
from fhe_estimators.core.numpy_module import NumpyModule

if TYPE_CHECKING:
    from onnx import ModelProto


class Exported(NamedTuple):
    """What a method of an estimator computes.

    Parameters
    ----------
    model : ModelProto
    outputs : ndarray of shape (n_samples, n_outputs)
        What it gives on example rows.
    is_forest : bool
        Whether it is a sum of trees.
    counts_votes : bool
        Whether outputs are votes, and less than half of one more or less.
    """

    model: ModelProto
    outputs: np.ndarray
    is_forest: bool
    counts_votes: bool


def export(estimator: Any, method: str, X: np.ndarray) -> Exported:
    """Return a method of a fitted estimator as an ONNX model.

    Parameters
    ----------
    estimator : estimator
    method : {'predict_proba', 'decision_function', 'predict'}
        Of a classifier, ``"predict"`` gives votes for labels.
    X : ndarray of float64 of shape (n_samples, n_features)
        Some rows.

    Raises
    ------
    UnsupportedEstimatorError
        If it has no encrypted form.
    """
    is_of_labels = is_classifier(estimator) and method == "predict"
    forest = None if is_of_labels else forest_of(estimator, method)
    if forest is not None:
        model = export_trees(forest.trees, X.shape[1], forest.base, forest.link)
        rows = X.astype(np.float32)
        return Exported(model, NumpyModule(model).outputs(rows)[0], True, False)
    module = module_of(estimator, method, X).eval()
    with warnings.catch_warnings():
        # Tracing tells of every size that decides on something; those of columns may.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        model = export_torch(module, [X])
    counts_votes = (
        isinstance(module, OneVsOne)
        and isinstance(estimator, svm.SVC | svm.NuSVC)
        and not estimator.break_ties
    )
    return Exported(model, NumpyModule(model).outputs(X)[0], False, counts_votes)
