"""Poisson regression that predicts on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import GeneralizedLinearMixin

__all__ = ["PoissonRegressor"]


class PoissonRegressor(GeneralizedLinearMixin, linear_model.PoissonRegressor):
    """Poisson regression that predicts on encrypted data.

    For counts.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and applies the inverse of the link (the
    exponential, if the link is the logarithm) in clear.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty; 0 for no penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    solver : {'lbfgs', 'newton-cholesky'}, default='lbfgs'
        Algorithm. ``'newton-cholesky'`` suits many rows and few features.
    max_iter : int, default=100
        Maximum number of iterations.
    tol : float, default=1e-4
        Tolerance: the solver stops once the gradient is smaller.
    warm_start : bool, default=False
        Whether `fit` starts from the solution of the previous `fit`.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
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
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_iter_ : int
        Number of iterations.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.PoissonRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import PoissonRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [1, 2, 3, 9]
    >>> model = PoissonRegressor(alpha=0.1, n_bits=12).fit(X, y)
    >>> model.predict(X).round(2)
    array([1.41, 1.86, 2.71, 9.01])
    >>> [node.op_type for node in model.onnx_model.graph.node]
    ['Gemm', 'Exp']
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        alpha=1.0,
        fit_intercept=True,
        solver="lbfgs",
        max_iter=100,
        tol=0.0001,
        warm_start=False,
        verbose=0,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
