"""Least squares that predicts on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import LinearRegressorMixin

__all__ = ["LinearRegression"]


class LinearRegression(LinearRegressorMixin, linear_model.LinearRegression):
    """Least squares regression that predicts on encrypted data.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    copy_X : bool, default=True
        Whether to copy `X`; False allows `fit` to overwrite it.
    tol : float, default=1e-6
        Tolerance of the solver for sparse data, which is refused here: no effect.
    n_jobs : int or None, default=None
        Number of targets fitted at a time if `positive`: None is one, -1 as many as
        processors.
    positive : bool, default=False
        Whether coefficients must not be negative.
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
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the features.
    rank_ : int
        Rank of `X`.
    singular_ : ndarray of shape (min(n_samples, n_features),)
        Singular values of `X`.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
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
    sklearn.linear_model.LinearRegression : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LinearRegression
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [3, 4, 5, 9]
    >>> model = LinearRegression(n_bits=12).fit(X, y)
    >>> model.predict(X).round(2)
    array([3., 4., 5., 9.])
    >>> model.predict(X, fhe="execute").round(2)  # on encrypted rows
    array([3., 4., 5., 9.])
    >>> [node.op_type for node in model.onnx_model.graph.node]
    ['Gemm']
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        fit_intercept=True,
        copy_X=True,
        tol=1e-06,
        n_jobs=None,
        positive=False,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            tol=tol,
            n_jobs=n_jobs,
            positive=positive,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
