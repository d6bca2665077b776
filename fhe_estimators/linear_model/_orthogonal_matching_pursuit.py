"""Orthogonal matching pursuit that predicts on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import LinearRegressorMixin

__all__ = ["OrthogonalMatchingPursuit"]


class OrthogonalMatchingPursuit(
    LinearRegressorMixin, linear_model.OrthogonalMatchingPursuit
):
    """Orthogonal matching pursuit that predicts on encrypted data.

    Least squares on few features, chosen one after the other.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    n_nonzero_coefs : int or None, default=None
        Maximum number of nonzero coefficients; None is a tenth of the features, at least
        one. `tol` overrides it.
    tol : float or None, default=None
        Squared norm of the errors at which `fit` stops to add features; overrides
        `n_nonzero_coefs`.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    precompute : 'auto' or bool, default='auto'
        Whether to compute the Gram matrix first, which helps with many rows.
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
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    n_iter_ : int or list of int
        Number of iterations.
    n_nonzero_coefs_ : int or None
        Maximum number of nonzero coefficients.
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
    sklearn.linear_model.OrthogonalMatchingPursuit : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import OrthogonalMatchingPursuit
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2], [1, 2]], [3, 4, 5, 9, 8]
    >>> OrthogonalMatchingPursuit(n_nonzero_coefs=2).fit(X, y).predict(X).round(1)
    array([3., 4., 5., 9., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        n_nonzero_coefs=None,
        tol=None,
        fit_intercept=True,
        precompute="auto",
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_nonzero_coefs=n_nonzero_coefs,
            tol=tol,
            fit_intercept=fit_intercept,
            precompute=precompute,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
