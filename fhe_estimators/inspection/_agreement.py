"""How far a model agrees with itself encrypted, and with one in floating point."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils.validation import _num_samples

from fhe_estimators._config import config_context
from fhe_estimators._reports import Report
from fhe_estimators.inspection._models import parent_model, predictor

#: How sure the interval of equal rows is.
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Comparison:
    """Predictions of one way to compute them, beside those of the quantized model.

    Parameters
    ----------
    mode : {'reference', 'disable', 'simulate', 'execute'}
        The model in floating point, or how ours was computed.
    n_rows : int
        Rows that were predicted.
    score : float
        Accuracy of a classifier, R2 of a regressor; nan without `y`.
    n_different : int
        Rows that are predicted otherwise than with ``fhe="disable"``.
    largest_difference : float
        Of numbers that are predicted; nan for labels.
    equal_from, equal_to : float
        Wilson's interval, of 95 % confidence, for the share of equal rows among all rows
        like these.
    """

    mode: str
    n_rows: int
    score: float
    n_different: int
    largest_difference: float
    equal_from: float
    equal_to: float


class Agreement(Report[Comparison]):
    """Comparisons, one for each way to compute predictions; prints as a table."""

    __slots__ = ()

    _index = "mode"

    def _cells(self) -> list[list[str]]:
        heads = [field.name.replace("_", " ") for field in fields(Comparison)]
        return [heads, *([_text(value) for value in astuple(row)] for row in self)]


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check_count(n_encrypted: int, X: Any) -> None:
    """Raise if there are fewer rows than are to be encrypted."""
    most = _num_samples(X)
    check_scalar(n_encrypted, "n_encrypted", int, min_val=0, max_val=most)


def agreement(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    reference: Any = None,
    simulate: bool = True,
    n_encrypted: int = 0,
) -> Agreement:
    """Compare predictions in floating point, quantized, simulated and encrypted.

    Parameters
    ----------
    model : classifier or regressor of fhe_estimators, Pipeline or search
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Rows to predict.
    y : array-like of shape (n_samples,), optional
        What is right, for scores.
    reference : estimator or 'parent', optional
        A fitted model in floating point, scikit-learn's for example, to compare with;
        ``"parent"`` is the model itself before it was quantized, an estimator of the
        mirrored class with the same fitted attributes.
    simulate : bool, default=True
        Whether to predict all rows with the cryptography simulated.
    n_encrypted : int, default=0
        How many rows, the first ones, are predicted encrypted, which may take seconds each:
        see `cost`.

    Returns
    -------
    comparisons : Agreement
        It prints as a table. Encrypted and simulated predictions are equal to quantized
        ones but for the `p_error` that was asked for.

    Raises
    ------
    TypeError
        If `model` is no such estimator.
    ValueError
        If `X` has no rows, or fewer than `n_encrypted`, or `reference` is another text.
    NotFittedError
        If `model` is not fitted.

    Examples
    --------
    >>> from fhe_estimators import DecisionTreeClassifier
    >>> from fhe_estimators.inspection import agreement
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 1, 1, 1]
    >>> model = DecisionTreeClassifier().fit(X, y)
    >>> print(agreement(model, X, y))
    mode      n rows  score  n different  largest difference  equal from  equal to
    disable   4       1      0            nan                 0.5101      1
    simulate  4       1      0            nan                 0.5101      1
    """
    predictor(model)
    check_count(n_encrypted, X)
    if isinstance(reference, str):
        if reference != "parent":
            raise ValueError(
                "The parameter 'reference' must be a fitted estimator, 'parent' for the "
                f"model itself in floating point, or None; got {reference!r}."
            )
        reference = parent_model(model)
    with config_context(fhe="disable"):
        quantized = np.asarray(model.predict(X))
    n_rows = len(quantized)
    labels = is_classifier(model)

    def compared(mode: str, predicted: np.ndarray) -> Comparison:
        n = len(predicted)
        # Rows with several outputs are equal where all of them are.
        here, there = (array[:n].reshape(n, -1) for array in (predicted, quantized))
        different, largest = (here != there).any(axis=1), np.nan
        if not labels:
            largest = float(np.abs(here - there).max())
        count = int(different.sum())
        equal = binomtest(n - count, n).proportion_ci(_CONFIDENCE, "wilson")
        score = np.nan
        if y is not None:
            score = (accuracy_score if labels else r2_score)(
                _safe_indexing(y, slice(n)), predicted
            )
        return Comparison(mode, n, float(score), count, largest, equal.low, equal.high)

    found = []
    if reference is not None:
        found.append(compared("reference", np.asarray(reference.predict(X))))
    found.append(compared("disable", quantized))
    for mode, n in (("simulate", n_rows * simulate), ("execute", n_encrypted)):
        if n:
            with config_context(fhe=mode):
                rows = _safe_indexing(X, slice(n))
                found.append(compared(mode, np.asarray(model.predict(rows))))
    return Agreement(found)
