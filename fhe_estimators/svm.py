"""Linear support vector machines that predict on encrypted data."""

from __future__ import annotations

from sklearn import svm

from fhe_estimators._linear import (
    LinearClassifierMixin,
    LinearRegressorMixin,
)

__all__ = ["LinearSVC", "LinearSVR"]


class LinearSVC(LinearClassifierMixin, svm.LinearSVC):
    """Linear support vector classification that predicts on encrypted data.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and takes the label in clear.

    Parameters
    ----------
    penalty : {'l1', 'l2'}, default='l2'
        Norm of the coefficients that is penalized.
    loss : {'hinge', 'squared_hinge'}, default='squared_hinge'
        Loss of a row on the wrong side of the margin: its distance, or the square.
    dual : 'auto' or bool, default='auto'
        Whether to solve the dual problem; ``'auto'`` chooses by the shape of the data.
    tol : float, default=1e-4
        Tolerance at which the solver stops.
    C : float, default=1.0
        Inverse of the strength of the penalty.
    multi_class : {'ovr', 'crammer_singer'}, default='ovr'
        Each class against the rest, or all classes at once.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    intercept_scaling : float, default=1
        Constant feature by which the intercept is fitted: the larger, the less the penalty
        shrinks it.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows in the dual problem.
    max_iter : int, default=1000
        Maximum number of iterations.
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
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the features.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        What is added to the weighted sum.
    classes_ : ndarray of shape (n_classes,)
        The labels.
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
    sklearn.svm.LinearSVC : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LinearSVC
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = LinearSVC(n_bits={"op_inputs": 6, "op_weights": 8}).fit(X, y)
    >>> model.predict(X)
    array([0, 0, 1, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        penalty="l2",
        loss="squared_hinge",
        *,
        dual="auto",
        tol=0.0001,
        C=1.0,
        multi_class="ovr",
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        verbose=0,
        random_state=None,
        max_iter=1000,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            penalty=penalty,
            loss=loss,
            dual=dual,
            tol=tol,
            C=C,
            multi_class=multi_class,
            fit_intercept=fit_intercept,
            intercept_scaling=intercept_scaling,
            class_weight=class_weight,
            verbose=verbose,
            random_state=random_state,
            max_iter=max_iter,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error


class LinearSVR(LinearRegressorMixin, svm.LinearSVR):
    """Linear support vector regression that predicts on encrypted data.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    epsilon : float, default=0.0
        Error up to which the loss is zero, in units of `y`.
    tol : float, default=1e-4
        Tolerance at which the solver stops.
    C : float, default=1.0
        Inverse of the strength of the penalty.
    loss : {'epsilon_insensitive', 'squared_epsilon_insensitive'}, \
        default='epsilon_insensitive'
        Loss of an error beyond `epsilon`: its size, or the square.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    intercept_scaling : float, default=1.0
        Constant feature by which the intercept is fitted: the larger, the less the penalty
        shrinks it.
    dual : 'auto' or bool, default='auto'
        Whether to solve the dual problem; ``'auto'`` chooses by the shape of the data.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows in the dual problem.
    max_iter : int, default=1000
        Maximum number of iterations.
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
    intercept_ : float or ndarray of shape (1,)
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
    sklearn.svm.LinearSVR : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LinearSVR
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [3, 4, 5, 9]
    >>> model = LinearSVR(C=10, n_bits=12, random_state=0).fit(X, y)
    >>> model.predict(X).round(2)
    array([3., 4., 5., 9.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        epsilon=0.0,
        tol=0.0001,
        C=1.0,
        loss="epsilon_insensitive",
        fit_intercept=True,
        intercept_scaling=1.0,
        dual="auto",
        verbose=0,
        random_state=None,
        max_iter=1000,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            epsilon=epsilon,
            tol=tol,
            C=C,
            loss=loss,
            fit_intercept=fit_intercept,
            intercept_scaling=intercept_scaling,
            dual=dual,
            verbose=verbose,
            random_state=random_state,
            max_iter=max_iter,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
