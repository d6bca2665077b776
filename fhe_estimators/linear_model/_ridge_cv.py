"""Ridge regression that chooses its penalty, on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import LinearRegressorMixin

__all__ = ["RidgeCV"]


class RidgeCV(LinearRegressorMixin, linear_model.RidgeCV):
    """Ridge regression with cross-validation that predicts on encrypted data.

    Chooses the strength of the L2 penalty, by default leaving out one row at a time.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Values of `alpha` to try.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    scoring : str, callable or None, default=None
        Score by which cross-validation chooses; None is the squared error, or that of
        `score` if `cv` is given.
    cv : int, cross-validation generator, iterable or None, default=None
        How rows are split for cross-validation: an int is a number of folds, None leaves
        one row out at a time, efficiently.
    gcv_mode : {'auto', 'svd', 'eigen'} or None, default=None
        How rows are left out one at a time: by a singular value decomposition of `X`, or by
        an eigendecomposition. ``'auto'`` and None choose.
    store_cv_results : bool, default=False
        Whether to keep the scores of all `alphas` in ``cv_results_``, with ``cv=None``.
    alpha_per_target : bool, default=False
        Whether to choose `alpha` for each target separately, with ``cv=None``.
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
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, \
        n_alphas)
        The squared errors, or predictions, of rows left out, with `store_cv_results`.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the features.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    alpha_ : float or ndarray of shape (n_targets,)
        The best `alpha`.
    best_score_ : float or ndarray of shape (n_targets,)
        The score of the best `alpha`.
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
    sklearn.linear_model.RidgeCV : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import RidgeCV
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2], [1, 2]], [3, 4, 5, 9, 8]
    >>> RidgeCV(n_bits=12).fit(X, y).predict(X).round(1)
    array([3., 4., 5., 9., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        gcv_mode=None,
        store_cv_results=False,
        alpha_per_target=False,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            alphas=alphas,
            fit_intercept=fit_intercept,
            scoring=scoring,
            cv=cv,
            gcv_mode=gcv_mode,
            store_cv_results=store_cv_results,
            alpha_per_target=alpha_per_target,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
