"""Regression with the Huber loss that predicts on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import LinearRegressorMixin

__all__ = ["HuberRegressor"]


class HuberRegressor(LinearRegressorMixin, linear_model.HuberRegressor):
    """Regression with the Huber loss that predicts on encrypted data.

    Small errors count by their squares, large ones by their size: outliers pull less.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    epsilon : float, default=1.35
        Error, in units of ``scale_``, beyond which the loss is linear: the smaller, the
        less outliers count.
    max_iter : int, default=100
        Maximum number of iterations.
    alpha : float, default=1e-4
        Strength of the penalty; 0 for no penalty.
    warm_start : bool, default=False
        Whether `fit` starts from the solution of the previous `fit`.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    tol : float, default=1e-5
        Tolerance: the solver stops once the gradient is smaller.
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
    intercept_ : float
        What is added to the weighted sum.
    scale_ : float
        What errors are divided by before they are compared with `epsilon`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_iter_ : int
        Number of iterations.
    outliers_ : ndarray of shape (n_samples,)
        Whether each training row is an outlier.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.HuberRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import HuberRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2], [1, 2]], [3, 4, 5, 9, 8]
    >>> HuberRegressor(n_bits=12).fit(X, y).predict(X).round(1)
    array([3., 4., 5., 9., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        epsilon=1.35,
        max_iter=100,
        alpha=0.0001,
        warm_start=False,
        fit_intercept=True,
        tol=1e-05,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            epsilon=epsilon,
            max_iter=max_iter,
            alpha=alpha,
            warm_start=warm_start,
            fit_intercept=fit_intercept,
            tol=tol,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
