"""Least angle regression that predicts on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import LinearRegressorMixin

__all__ = ["Lars"]


class Lars(LinearRegressorMixin, linear_model.Lars):
    """Least angle regression that predicts on encrypted data.

    Least squares that takes features in one at a time, up to `n_nonzero_coefs`.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    verbose : bool or int, default=False
        Verbosity of `fit`; zero is silent.
    precompute : 'auto', bool or array-like of shape (n_features, n_features), \
        default='auto'
        Whether to compute the Gram matrix first, which helps with many rows; or that
        matrix.
    n_nonzero_coefs : int, default=500
        Maximum number of nonzero coefficients.
    eps : float, default=2.220446049250313e-16
        What is added to the diagonal of the Cholesky factors; more helps if features are
        nearly collinear.
    copy_X : bool, default=True
        Whether to copy `X`; False allows `fit` to overwrite it.
    fit_path : bool, default=True
        Whether to keep the whole path in ``coef_path_``.
    jitter : float or None, default=None
        Upper bound of uniform noise that is added to `y`, for stability; None adds none.
    random_state : int, RandomState instance or None, default=None
        Seed of `jitter`.
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
    alphas_ : ndarray of shape (n_alphas + 1,), or a list of them
        Maximum of the covariances, in absolute value, at each step of the path.
    active_ : list of int, or a list of them
        Indices of the features with a nonzero coefficient at the end of the path.
    coef_path_ : ndarray of shape (n_features, n_alphas + 1), or a list of them
        Coefficients along the path.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the features.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    n_iter_ : int or list of int
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
    sklearn.linear_model.Lars : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import Lars
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2], [1, 2]], [3, 4, 5, 9, 8]
    >>> Lars(n_nonzero_coefs=2, n_bits=12).fit(X, y).predict(X).round(1)
    array([3., 4., 5., 9., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        fit_intercept=True,
        verbose=False,
        precompute="auto",
        n_nonzero_coefs=500,
        eps=2.220446049250313e-16,
        copy_X=True,
        fit_path=True,
        jitter=None,
        random_state=None,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            fit_intercept=fit_intercept,
            verbose=verbose,
            precompute=precompute,
            n_nonzero_coefs=n_nonzero_coefs,
            eps=eps,
            copy_X=copy_X,
            fit_path=fit_path,
            jitter=jitter,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
