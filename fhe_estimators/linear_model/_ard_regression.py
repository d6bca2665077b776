"""Automatic relevance determination that predicts on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import BayesianRegressorMixin

__all__ = ["ARDRegression"]


class ARDRegression(BayesianRegressorMixin, linear_model.ARDRegression):
    """Automatic relevance determination that predicts on encrypted data.

    Bayesian ridge regression with a penalty for each feature, which removes some.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    max_iter : int, default=300
        Maximum number of iterations.
    tol : float, default=1e-3
        Tolerance: `fit` stops once coefficients change less.
    alpha_1 : float, default=1e-6
        Shape of the gamma prior of the precision of the noise.
    alpha_2 : float, default=1e-6
        Rate of the gamma prior of the precision of the noise.
    lambda_1 : float, default=1e-6
        Shape of the gamma prior of the precision of the coefficients.
    lambda_2 : float, default=1e-6
        Rate of the gamma prior of the precision of the coefficients.
    compute_score : bool, default=False
        Whether to compute the log marginal likelihood in each iteration.
    threshold_lambda : float, default=10000.0
        Features whose coefficient has a precision above it are removed.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    copy_X : bool, default=True
        Whether to copy `X`; False allows `fit` to overwrite it.
    verbose : bool, default=False
        Whether `fit` prints.
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
    coef_ : ndarray of shape (n_features,)
        Coefficients of the features.
    alpha_ : float
        Estimated precision of the noise.
    lambda_ : ndarray of shape (n_features,)
        Estimated precision of the coefficients.
    sigma_ : ndarray of shape (n_features, n_features)
        Estimated covariance of the coefficients.
    scores_ : ndarray of shape (n_iter_ + 1,)
        Log marginal likelihood in each iteration, with `compute_score`.
    n_iter_ : int
        Number of iterations.
    intercept_ : float
        What is added to the weighted sum.
    X_offset_ : ndarray of shape (n_features,)
        Mean of each feature, which is subtracted.
    X_scale_ : ndarray of shape (n_features,)
        What each feature is divided by: one.
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
    sklearn.linear_model.ARDRegression : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import ARDRegression
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2], [1, 2]], [3, 4, 5, 9, 8]
    >>> ARDRegression(n_bits=12).fit(X, y).predict(X).round(1)
    array([3., 4., 5., 9., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        max_iter=300,
        tol=0.001,
        alpha_1=1e-06,
        alpha_2=1e-06,
        lambda_1=1e-06,
        lambda_2=1e-06,
        compute_score=False,
        threshold_lambda=10000.0,
        fit_intercept=True,
        copy_X=True,
        verbose=False,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            max_iter=max_iter,
            tol=tol,
            alpha_1=alpha_1,
            alpha_2=alpha_2,
            lambda_1=lambda_1,
            lambda_2=lambda_2,
            compute_score=compute_score,
            threshold_lambda=threshold_lambda,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            verbose=verbose,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
