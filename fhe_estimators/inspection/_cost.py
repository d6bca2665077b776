"""What a model costs, before there is a key."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from fhe_estimators.base import FHEMixin
from fhe_estimators.core.circuit import Cost
from fhe_estimators.quantization import QuantizedModule


def cost(model: BaseEstimator | QuantizedModule) -> Cost:
    """Return what it costs to predict one encrypted row.

    Compiles the model if that was not done yet; makes no keys.

    Parameters
    ----------
    model : estimator of fhe_estimators, Pipeline, search or QuantizedModule
        Fitted. Of a pipeline its last step is encrypted, of a search what is in
        ``best_estimator_``.

    Returns
    -------
    cost : Cost
        It prints as a table.

    Raises
    ------
    TypeError
        If `model` is something else, or a pipeline that ends in something else.
    NotFittedError
        If `model` is not fitted.
    CompilationError
        If it would take hours.

    Examples
    --------
    >>> from fhe_estimators import DecisionTreeClassifier
    >>> from fhe_estimators.inspection import cost
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 1, 1, 1]
    >>> report = cost(DecisionTreeClassifier().fit(X, y))
    >>> report.tables
    {2: 1}
    """
    model = _encrypted(model)
    if isinstance(model, FHEMixin):
        check_is_fitted(model)
        if not model.quantized_module.is_compiled:
            model.compile()
    elif not model.is_compiled:
        model.compile()
    return model.fhe_circuit.cost


def _encrypted(model: Any) -> FHEMixin | QuantizedModule:
    """Return what is encrypted of a model: the last step, of the best one."""
    if isinstance(model, Pipeline):
        return _encrypted(model[-1])
    if isinstance(model, BaseSearchCV):
        check_is_fitted(model, "best_estimator_")
        return _encrypted(model.best_estimator_)
    if isinstance(model, FHEMixin | QuantizedModule):
        return model
    raise TypeError(
        "The parameter 'model' must be an estimator of fhe_estimators, a pipeline or a "
        f"search that ends in one, or a QuantizedModule; got {type(model).__name__}. "
        "Encrypted estimators are in fhe_estimators: import the class of that name from "
        "there, or pass the fitted model to its from_sklearn_model."
    )
