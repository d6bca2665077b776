"""What a model costs, before there is a key."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from fhe_estimators.core.circuit import Cost
from fhe_estimators.inspection._models import compiled
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
    return compiled(model).fhe_circuit.cost
