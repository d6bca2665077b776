"""From any fitted model to one that predicts on encrypted data."""

from __future__ import annotations

import copy
from collections.abc import Container
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier, is_outlier_detector, is_regressor
from sklearn.cluster import AffinityPropagation, KMeans, MeanShift
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_is_fitted

from fhe_estimators._sparse import dense_rows
from fhe_estimators.base import FHEMixin
from fhe_estimators.conversion._converted import (
    ConvertedClassifier,
    ConvertedOutlierDetector,
    ConvertedRegressor,
)
from fhe_estimators.conversion._mirrors import mirror_of
from fhe_estimators.conversion._refusals import refuse_known
from fhe_estimators.exceptions import UnsupportedEstimatorError

#: Classes that predict as an attribute of theirs does.
_WRAPPERS = (
    (BaseSearchCV, "best_estimator_"),
    (FrozenEstimator, "estimator"),
    (SelfTrainingClassifier, "estimator_"),
)


def convert(
    fitted: Any,
    X: Any = None,
    *,
    n_bits: Any = None,
    rounding_bits: Any = None,
    p_error: float | None = None,
) -> Any:
    """Return an estimator that predicts on encrypted data as a fitted one does in clear.

    Parameters
    ----------
    fitted : estimator
        A fitted estimator or pipeline of scikit-learn, XGBoost, LightGBM, interpret or
        skorch. It is neither changed nor fitted again.
    X : array-like of shape (n_samples, n_features), optional
        Rows like those that it was fitted on: ranges of integers come from them, and what
        is converted is compared with `fitted` on them. Trees do without, and what else
        knows the ranges of its features; see `from_sklearn_model` of the class. XGBoost
        after steps that return sparse rows needs it: what these leave out is missing to it.
    n_bits : int or dict, optional
        Bits of inputs, and of weights; see the class that is returned. By default its own
        default; trees keep their thresholds.
    rounding_bits : int or 'auto', optional
        Bits that tables of a converted model read, of kernels and neurons. By default as
        few as change the label of one row in a hundred of `X`, or leave numbers off by
        about a twentieth of their standard deviation. A number of them is for all tables;
        with a large `n_bits` there may be no cryptographic parameters for it. It has no
        effect elsewhere.
    p_error : float in (0, 1), optional
        Probability that a table, or a decrypted result, is wrong.

    Returns
    -------
    estimator : estimator
        Of a class of this package that mirrors that of `fitted`, or one of those that it
        inherits from, if there is one; else a `ConvertedClassifier`, `ConvertedRegressor`
        or `ConvertedOutlierDetector`. Of a pipeline, a pipeline whose last step is one: the
        steps before it stay with the client. Where they return sparse rows, as
        `OneHotEncoder` does, or without `X` nobody knows, one more step fills in the zeros:
        all features of a row are encrypted. Of a search, of its best estimator.

    Raises
    ------
    UnsupportedEstimatorError
        If `fitted` has no encrypted form, with the reason. It is a ``TypeError``.
    NotFittedError
        If it is not fitted.
    CompilationError
        If a row would take hours.

    Warns
    -----
    CostWarning
        If a row will take minutes. `fhe_estimators.inspection.cost` says what it takes.

    Examples
    --------
    >>> from fhe_estimators import convert
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> X, y = load_iris(return_X_y=True)
    >>> fitted = make_pipeline(PCA(2), LogisticRegression()).fit(X, y)
    >>> model = convert(fitted, X, n_bits=12)
    >>> model
    Pipeline(steps=[('pca', PCA(n_components=2)),
                    ('logisticregression', LogisticRegression(n_bits=12))])
    >>> bool((model.predict(X) == fitted.predict(X)).all())
    True
    """
    options = {"n_bits": n_bits, "p_error": p_error}
    if isinstance(fitted, Pipeline):
        return _converted_pipeline(fitted, X, {**options, "rounding_bits": rounding_bits})
    for kind, attribute in _WRAPPERS:
        if isinstance(fitted, kind):
            check_is_fitted(fitted)
            if not hasattr(fitted, attribute):
                raise UnsupportedEstimatorError(
                    f"This {type(fitted).__name__} has no {attribute}: set refit=True."
                )
            inner = getattr(fitted, attribute)
            return convert(inner, X, rounding_bits=rounding_bits, **options)
    if isinstance(fitted, FHEMixin):
        raise UnsupportedEstimatorError(
            f"{type(fitted).__name__} of fhe_estimators predicts encrypted as it is."
        )
    if _is_of_skorch(fitted):
        from fhe_estimators.neural_network import SkorchClassifier, SkorchRegressor

        twin = SkorchClassifier if is_classifier(fitted) else SkorchRegressor
        return twin.from_skorch(fitted, X, **options)
    refuse_known(fitted)
    if isinstance(fitted, MeanShift | AffinityPropagation):
        fitted = _of_centers(fitted)
    mirror, refusal = mirror_of(fitted), None
    if mirror is not None:
        try:
            return mirror.from_sklearn_model(fitted, X, **options)
        except InvalidParameterError as error:
            refusal = error
    try:
        rounding = {} if rounding_bits is None else {"rounding_bits": rounding_bits}
        return _class_for(fitted).from_sklearn_model(fitted, X, **options, **rounding)
    except UnsupportedEstimatorError:
        if refusal is None:
            raise
        raise refusal from None


def _converted_pipeline(fitted: Pipeline, X: Any, options: dict[str, Any]) -> Pipeline:
    check_is_fitted(fitted)
    *steps, (name, last) = fitted.steps
    rows = fitted[:-1].transform(X) if steps and X is not None else X
    dense = []
    # Without rows nobody knows what steps return; what is dense already stays as it is.
    if steps and (rows is None or sparse.issparse(rows)):
        step = _dense_step(last)
        rows = None if rows is None else step.transform(rows)
        dense = [(_free_name("dense", fitted.named_steps), step)]
    twin = convert(last, rows, **options)
    found = copy.copy(fitted)
    found.steps = [*copy.deepcopy(steps), *dense, (name, twin)]
    return found


def _dense_step(last: Any) -> FunctionTransformer:
    """Return a step that gives a model dense rows, which mean to it what sparse ones do."""
    # XGBoost takes for missing what a sparse matrix leaves out.
    of_xgboost = any(base.__module__.startswith("xgboost.") for base in type(last).__mro__)
    options = {"absent": np.nan} if of_xgboost else None
    return FunctionTransformer(
        dense_rows, accept_sparse=True, feature_names_out="one-to-one", kw_args=options
    )


def _free_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken, as near to one as can be."""
    while name in taken:
        name += "_"
    return name


def _of_centers(fitted: Any) -> KMeans:
    """Return a model that predicts the nearest of the same centers."""
    check_is_fitted(fitted)
    centers = fitted.cluster_centers_
    if not len(centers):
        raise UnsupportedEstimatorError(
            f"This {type(fitted).__name__} found no centers: it predicts -1 for all rows."
        )
    model = KMeans(len(centers))
    model.cluster_centers_, model.labels_ = np.array(centers, np.float64), fitted.labels_
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(fitted, name):
            setattr(model, name, getattr(fitted, name))
    return model


def _is_of_skorch(model: Any) -> bool:
    return any(base.__module__.startswith("skorch.") for base in type(model).__mro__)


def _class_for(model: Any) -> Any:
    """Return the class that holds estimators of a kind.

    Raises
    ------
    UnsupportedEstimatorError
        If there is none.
    """
    for is_one, cls in (
        (is_classifier, ConvertedClassifier),
        (is_regressor, ConvertedRegressor),
        (is_outlier_detector, ConvertedOutlierDetector),
    ):
        try:
            if is_one(model):
                return cls
        except (AttributeError, TypeError):  # it is no estimator at all
            break
    raise UnsupportedEstimatorError(
        "The parameter 'fitted' must be a fitted classifier, regressor or outlier "
        f"detector, or a class that fhe_estimators mirrors; got {type(model).__name__}."
    )
