"""The elastic net that predicts on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import LinearRegressorMixin

__all__ = ["ElasticNet"]


class ElasticNet(LinearRegressorMixin, linear_model.ElasticNet):
    """Elastic-net regression that predicts on encrypted data.

    Least squares with a penalty on magnitudes and squares of coefficients.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. Close to 0, use `LinearRegression`.
    l1_ratio : float, default=0.5
        Part of L1 in the penalty: 0 is L2 only, 1 is `Lasso`.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    precompute : bool or array-like of shape (n_features, n_features), default=False
        Whether to compute the Gram matrix first, which helps with many rows; or that
        matrix.
    max_iter : int, default=1000
        Maximum number of passes over the coefficients.
    copy_X : bool, default=True
        Whether to copy `X`; False allows `fit` to overwrite it.
    tol : float, default=1e-4
        Tolerance of the updates, then of the duality gap, at which `fit` stops.
    warm_start : bool, default=False
        Whether `fit` starts from the solution of the previous `fit`.
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
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the features.
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
        ``coef_``, sparse.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    n_iter_ : int or list of int
        Number of iterations.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Duality gap at the end.
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
    sklearn.linear_model.ElasticNet : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import ElasticNet
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [3, 4, 5, 9]
    >>> model = ElasticNet(alpha=0.1, n_bits=12).fit(X, y)
    >>> model.predict(X).round(2)
    array([3.16, 4.14, 4.97, 8.73])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        precompute=False,
        max_iter=1000,
        copy_X=True,
        tol=0.0001,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            alpha=alpha,
            l1_ratio=l1_ratio,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
