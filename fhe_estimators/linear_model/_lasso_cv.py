"""Lasso that chooses its penalty, on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import PathMixin

__all__ = ["LassoCV"]


class LassoCV(PathMixin, linear_model.LassoCV):
    """Lasso with cross-validation that predicts on encrypted data.

    Chooses the strength of the L1 penalty along a path.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    eps : float, default=1e-3
        Length of the path: the smallest `alpha` as a fraction of the largest.
    alphas : int or array-like of shape (n_alphas,), default=100
        Values of `alpha` to try: as many along the path, or those given.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    precompute : 'auto', bool or array-like of shape (n_features, n_features), \
        default='auto'
        Whether to compute the Gram matrix first, which helps with many rows; or that
        matrix.
    max_iter : int, default=1000
        Maximum number of passes over the coefficients.
    tol : float, default=1e-4
        Tolerance of the updates, then of the duality gap, at which `fit` stops.
    copy_X : bool, default=True
        Whether to copy `X`; False allows `fit` to overwrite it.
    cv : int, cross-validation generator, iterable or None, default=None
        How rows are split for cross-validation: an int is a number of folds, None five
        folds.
    verbose : bool or int, default=False
        Verbosity of `fit`; zero is silent.
    n_jobs : int or None, default=None
        Number of folds fitted at a time: None is one, -1 as many as processors.
    positive : bool, default=False
        Whether coefficients must not be negative.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of coefficients if `selection` is ``'random'``.
    selection : {'cyclic', 'random'}, default='cyclic'
        Whether coefficients are updated in turn or in random order.
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
    alpha_ : float
        The best `alpha`.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the features.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared error of each `alpha` on each fold.
    alphas_ : ndarray of shape (n_alphas,)
        The values of `alpha` that were tried.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Duality gap at the end.
    n_iter_ : int
        Number of passes over the coefficients, for the best parameters.
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
    sklearn.linear_model.LassoCV : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LassoCV
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2], [1, 2]], [3, 4, 5, 9, 8]
    >>> LassoCV(cv=2, n_bits=12).fit(X, y).predict(X).round(1)
    array([3., 4., 5., 9., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        eps=0.001,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=0.0001,
        copy_X=True,
        cv=None,
        verbose=False,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            tol=tol,
            copy_X=copy_X,
            cv=cv,
            verbose=verbose,
            n_jobs=n_jobs,
            positive=positive,
            random_state=random_state,
            selection=selection,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
