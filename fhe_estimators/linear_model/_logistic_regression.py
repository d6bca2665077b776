"""Logistic regression that predicts on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import LogisticMixin

__all__ = ["LogisticRegression"]


class LogisticRegression(LogisticMixin, linear_model.LogisticRegression):
    """Logistic regression that predicts on encrypted data.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and takes labels and probabilities (the logistic
    function for two classes, softmax for more) in clear.

    Parameters
    ----------
    penalty : {'l1', 'l2', 'elasticnet'} or None, default='deprecated'
        Norm of the coefficients that is penalized: L1, L2, both, or none.

        .. deprecated:: 1.8 of scikit-learn
            Use `l1_ratio` instead, and ``C=np.inf`` for no penalty.
    C : float, default=1.0
        Inverse of the strength of the penalty; ``np.inf`` for no penalty.
    l1_ratio : float, default=0.0
        Part of L1 in the penalty; the rest is L2. ``'liblinear'`` takes 0 or 1, ``'saga'``
        numbers between too, the other solvers 0.
    dual : bool, default=False
        Whether to solve the dual problem: ``'liblinear'`` without L1 penalty can.
    tol : float, default=1e-4
        Tolerance at which the solver stops.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    intercept_scaling : float, default=1
        Constant feature by which ``'liblinear'`` fits the intercept: the larger, the less
        the penalty shrinks it.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    random_state : int, RandomState instance or None, default=None
        Seed of ``'liblinear'``, ``'sag'`` and ``'saga'``, which take rows in random order.
    solver : {'lbfgs', 'liblinear', 'newton-cg', 'newton-cholesky', 'sag', 'saga'}, \
        default='lbfgs'
        Algorithm. ``'liblinear'`` is for two classes only.
    max_iter : int, default=100
        Maximum number of iterations.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    warm_start : bool, default=False
        Whether `fit` starts from the solution of the previous `fit`.
    n_jobs : int or None, default=None
        Has no effect.

        .. deprecated:: 1.8 of scikit-learn
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
    classes_ : ndarray of shape (n_classes,)
        The labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the features.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        What is added to the weighted sum.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_iter_ : ndarray of shape (1,)
        Number of iterations.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LogisticRegression
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = LogisticRegression(C=10).fit(X, y)
    >>> model.predict(X)
    array([0, 0, 1, 1])
    >>> model.predict(X, fhe="execute")  # on encrypted rows
    array([0, 0, 1, 1])
    >>> model.predict_proba([[1, 1]]).round(1)
    array([[0.6, 0.4]])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=0.0001,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            penalty=penalty,
            C=C,
            l1_ratio=l1_ratio,
            dual=dual,
            tol=tol,
            fit_intercept=fit_intercept,
            intercept_scaling=intercept_scaling,
            class_weight=class_weight,
            random_state=random_state,
            solver=solver,
            max_iter=max_iter,
            verbose=verbose,
            warm_start=warm_start,
            n_jobs=n_jobs,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
