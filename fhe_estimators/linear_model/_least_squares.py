"""Least squares regression, plain and penalized."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import LINEAR_CONSTRAINTS, LinearRegressorMixin


class LinearRegression(LinearRegressorMixin, linear_model.LinearRegression):
    """Least squares regression that predicts on encrypted data.

    Fitted as by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    copy_X : bool, default=True
        Whether `fit` leaves `X` as it is; False allows it to write there.
    tol : float, default=1e-6
        Precision of the solver for sparse data, which is refused here: no effect.
    n_jobs : int or None, default=None
        Targets fitted at a time if `positive`: None is one, -1 as many as processors.
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
        Weights of the features.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    n_features_in_ : int
        Number of features.
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

    _parameter_constraints = {
        **linear_model.LinearRegression._parameter_constraints,
        **LINEAR_CONSTRAINTS,
    }

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
    ):
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


class Ridge(LinearRegressorMixin, linear_model.Ridge):
    """Ridge regression that predicts on encrypted data.

    Least squares with a penalty on squared coefficients, fitted as by scikit-learn, in
    clear. With ``fhe="execute"`` rows are encrypted, the raw score
    ``X @ coef_.T + intercept_`` is computed on encrypted integers without a bootstrap, and
    what the client decrypts is the prediction.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, 0 for none; one number, or one for each target.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    copy_X : bool, default=True
        Whether `fit` leaves `X` as it is; False allows it to write there.
    max_iter : int or None, default=None
        Most iterations of an iterative solver; None leaves it to the solver.
    tol : float, default=1e-4
        Precision at which an iterative solver stops.
    solver : {'auto', 'svd', 'cholesky', 'lsqr', 'sparse_cg', 'sag', 'saga', 'lbfgs'}, \
        default='auto'
        Algorithm. ``'auto'`` picks one; ``'lbfgs'`` is the one for `positive`.
    positive : bool, default=False
        Whether coefficients must not be negative.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows in ``'sag'`` and ``'saga'``.
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
        Weights of the features.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.Ridge : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import Ridge
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [3, 4, 5, 9]
    >>> model = Ridge(alpha=0.1, n_bits={"op_inputs": 12, "op_weights": 8}).fit(X, y)
    >>> model.predict(X).round(2)
    array([3.05, 4.06, 4.97, 8.92])
    >>> model.quantized_module.input_quantizers[0].n_bits
    12
    """

    _parameter_constraints = {
        **linear_model.Ridge._parameter_constraints,
        **LINEAR_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=0.0001,
        solver="auto",
        positive=False,
        random_state=None,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            solver=solver,
            positive=positive,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error


class Lasso(LinearRegressorMixin, linear_model.Lasso):
    """Lasso regression that predicts on encrypted data.

    Least squares with a penalty on magnitudes of coefficients, which sets some to zero,
    fitted as by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty; close to 0, use `LinearRegression`.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    precompute : bool or array-like of shape (n_features, n_features), default=False
        Whether to compute the Gram matrix first, which helps with many rows; or that
        matrix.
    copy_X : bool, default=True
        Whether `fit` leaves `X` as it is; False allows it to write there.
    max_iter : int, default=1000
        Most passes over the coefficients.
    tol : float, default=1e-4
        Size of the updates, then of the duality gap, at which `fit` stops.
    warm_start : bool, default=False
        Whether `fit` starts from the result of the last `fit`.
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
        Weights of the features.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.Lasso : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import Lasso
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [3, 4, 5, 9]
    >>> model = Lasso(alpha=0.1, n_bits=12).fit(X, y)
    >>> model.predict(X).round(2)
    array([3.13, 4.04, 5.04, 8.78])
    """

    _parameter_constraints = {
        **linear_model.Lasso._parameter_constraints,
        **LINEAR_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        precompute=False,
        copy_X=True,
        max_iter=1000,
        tol=0.0001,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            precompute=precompute,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error


class ElasticNet(LinearRegressorMixin, linear_model.ElasticNet):
    """Elastic-net regression that predicts on encrypted data.

    Least squares with a penalty on magnitudes and squares of coefficients, fitted as by
    scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw score
    ``X @ coef_.T + intercept_`` is computed on encrypted integers without a bootstrap, and
    what the client decrypts is the prediction.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of both penalties together; close to 0, use `LinearRegression`.
    l1_ratio : float, default=0.5
        Part of magnitudes in the penalty: 0 is all squares, 1 is `Lasso`.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    precompute : bool or array-like of shape (n_features, n_features), default=False
        Whether to compute the Gram matrix first, which helps with many rows; or that
        matrix.
    max_iter : int, default=1000
        Most passes over the coefficients.
    copy_X : bool, default=True
        Whether `fit` leaves `X` as it is; False allows it to write there.
    tol : float, default=1e-4
        Size of the updates, then of the duality gap, at which `fit` stops.
    warm_start : bool, default=False
        Whether `fit` starts from the result of the last `fit`.
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
        Weights of the features.
    intercept_ : float or ndarray of shape (n_targets,)
        What is added to the weighted sum.
    n_features_in_ : int
        Number of features.
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

    _parameter_constraints = {
        **linear_model.ElasticNet._parameter_constraints,
        **LINEAR_CONSTRAINTS,
    }

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
    ):
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
