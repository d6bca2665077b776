"""Logistic regression that chooses its penalty, on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import LogisticMixin

__all__ = ["LogisticRegressionCV"]


class LogisticRegressionCV(LogisticMixin, linear_model.LogisticRegressionCV):
    """Logistic regression with cross-validation that predicts on encrypted data.

    Chooses the strength of the penalty and its part of L1.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and takes labels and probabilities (the logistic
    function for two classes, softmax for more) in clear.

    Parameters
    ----------
    Cs : int or list of float, default=10
        Values of `C` to try: as many, from 1e-4 to 1e4 in a logarithmic scale, or those
        given.
    l1_ratios : array-like of shape (n_l1_ratios,), 'warn' or None, default='warn'
        Values of `l1_ratio` to try; ``'warn'`` is ``(0,)`` with a warning that this will be
        the default.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    cv : int, cross-validation generator, iterable or None, default=None
        How rows are split for cross-validation: an int is a number of folds, None five
        folds.
    dual : bool, default=False
        Whether to solve the dual problem: ``'liblinear'`` without L1 penalty can.
    penalty : {'l1', 'l2', 'elasticnet'}, default='deprecated'
        Norm of the coefficients that is penalized: L1, L2 or both.

        .. deprecated:: 1.8 of scikit-learn
            Use `l1_ratios` instead.
    scoring : str, callable or None, default='warn'
        Score by which cross-validation chooses; None is the accuracy, and so is ``'warn'``,
        with a warning that this will be another one.
    solver : {'lbfgs', 'liblinear', 'newton-cg', 'newton-cholesky', 'sag', 'saga'}, \
        default='lbfgs'
        Algorithm. ``'liblinear'`` is for two classes only.
    tol : float, default=1e-4
        Tolerance at which the solver stops.
    max_iter : int, default=100
        Maximum number of iterations.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    n_jobs : int or None, default=None
        Number of folds fitted at a time: None is one, -1 as many as processors.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    refit : bool, default=True
        Whether to fit all rows again with the best parameters, or to average the
        coefficients of the folds.
    intercept_scaling : float, default=1.0
        Constant feature by which ``'liblinear'`` fits the intercept: the larger, the less
        the penalty shrinks it.
    random_state : int, RandomState instance or None, default=None
        Seed of ``'liblinear'``, ``'sag'`` and ``'saga'``, which take rows in random order.
    use_legacy_attributes : bool or 'warn', default='warn'
        Whether ``C_`` and the like have an entry for each class, which all are the same;
        ``'warn'`` is True with a warning that this will be False.
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
    Cs_ : ndarray of shape (n_Cs,)
        The values of `C` that were tried.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        The values of `l1_ratio` that were tried.
    coefs_paths_ : dict of ndarray or ndarray
        Coefficients of each fold for each `C` and `l1_ratio`.
    scores_ : dict of ndarray or ndarray
        Scores of each fold for each `C` and `l1_ratio`.
    C_ : ndarray of shape (1,) or (n_classes,), or float
        The best `C`.
    l1_ratio_ : ndarray of shape (1,) or (n_classes,), or float
        The best `l1_ratio`.
    n_iter_ : ndarray of shape (1, n_folds, n_Cs) or (1, n_folds, n_Cs, n_l1_ratios)
        Number of iterations.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.LogisticRegressionCV : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LogisticRegressionCV
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> grid = {"Cs": 3, "l1_ratios": (0,), "scoring": "accuracy"}
    >>> model = LogisticRegressionCV(**grid, cv=2, use_legacy_attributes=False).fit(X, y)
    >>> model.predict(X)
    array([0, 0, 1, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios="warn",
        fit_intercept=True,
        cv=None,
        dual=False,
        penalty="deprecated",
        scoring="warn",
        solver="lbfgs",
        tol=0.0001,
        max_iter=100,
        class_weight=None,
        n_jobs=None,
        verbose=0,
        refit=True,
        intercept_scaling=1.0,
        random_state=None,
        use_legacy_attributes="warn",
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            Cs=Cs,
            l1_ratios=l1_ratios,
            fit_intercept=fit_intercept,
            cv=cv,
            dual=dual,
            penalty=penalty,
            scoring=scoring,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            class_weight=class_weight,
            n_jobs=n_jobs,
            verbose=verbose,
            refit=refit,
            intercept_scaling=intercept_scaling,
            random_state=random_state,
            use_legacy_attributes=use_legacy_attributes,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
