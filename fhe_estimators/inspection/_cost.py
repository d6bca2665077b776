"""What a model costs, before there is a key."""

from __future__ import annotations

from sklearn.utils.validation import check_is_fitted

from fhe_estimators.base import FHEMixin
from fhe_estimators.core.circuit import Cost
from fhe_estimators.quantization import QuantizedModule


def cost(model: FHEMixin | QuantizedModule) -> Cost:
    """Return what it costs to predict one encrypted row.

    Compiles the model if that was not done yet; makes no keys.

    Parameters
    ----------
    model : estimator of fhe_estimators or QuantizedModule
        Fitted.

    Returns
    -------
    cost : Cost
        It prints as a table.

    Raises
    ------
    TypeError
        If `model` is something else, a pipeline for example.
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
    if isinstance(model, QuantizedModule):
        if not model.is_compiled:
            model.compile()
        return model.fhe_circuit.cost
    if not isinstance(model, FHEMixin):
        raise TypeError(
            f"The parameter 'model' must be an estimator of fhe_estimators or a "
            f"QuantizedModule; got {type(model).__name__}. Pass the last step of a "
            "pipeline, pipeline[-1], and the best_estimator_ of a search."
        )
    check_is_fitted(model)
    if not model.quantized_module.is_compiled:
        model.compile()
    return model.fhe_circuit.cost
