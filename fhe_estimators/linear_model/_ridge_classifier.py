"""Ridge classification that predicts on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import LinearClassifierMixin
from fhe_estimators._readings import Labels, Reading

__all__ = ["RidgeClassifier"]


class RidgeClassifier(LinearClassifierMixin, linear_model.RidgeClassifier):
    """Ridge classification that predicts on encrypted data.

    Ridge regression on labels -1 and 1.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and takes the label in clear.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty; 0 for no penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    copy_X : bool, default=True
        Whether to copy `X`; False allows `fit` to overwrite it.
    max_iter : int or None, default=None
        Maximum number of iterations of an iterative solver; None leaves it to the solver.
    tol : float, default=1e-4
        Tolerance at which an iterative solver stops.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    solver : {'auto', 'svd', 'cholesky', 'lsqr', 'sparse_cg', 'sag', 'saga', 'lbfgs'}, \
        default='auto'
        Algorithm. ``'auto'`` chooses one; ``'lbfgs'`` is the one for `positive`.
    positive : bool, default=False
        Whether coefficients must not be negative.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows in ``'sag'`` and ``'saga'``.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    range_margin : 'auto' or float, default='auto'
        How far beyond the training rows a feature may lie before it is clipped, on either
        side, as a part of its range, up to 1000. The grid stays as fine: inputs get
        ``log2(1 + 2 * range_margin)`` bits more, rounded up. ``"auto"`` takes no more bits
        and chooses the margin with the least expected error for rows like those of
        training.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
        Coefficients of the features.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        What is added to the weighted sum.
    n_iter_ : ndarray of shape (n_targets,) or None
        Number of iterations; None for solvers that do not iterate.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    solver_ : str
        The solver that was used.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.RidgeClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import RidgeClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = RidgeClassifier().fit(X, y)
    >>> model.predict(X)
    array([0, 0, 1, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=0.0001,
        class_weight=None,
        solver="auto",
        positive=False,
        random_state=None,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            class_weight=class_weight,
            solver=solver,
            positive=positive,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _readings(self) -> dict[str, list[Reading]]:
        readings = super()._readings()
        if self._label_binarizer.y_type_.startswith("multilabel"):
            readings["predict"] = [Reading(labels=Labels("each_above"))]
        return readings
