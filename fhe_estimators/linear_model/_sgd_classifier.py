"""Linear classification by stochastic gradient descent that predicts on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import (
    LinearClassifierMixin,
)

__all__ = ["SGDClassifier"]


class SGDClassifier(LinearClassifierMixin, linear_model.SGDClassifier):
    """Linear classifier by stochastic gradient descent that predicts on encrypted data.

    Fitted row by row; `partial_fit` goes on with more rows.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and takes labels, and probabilities for
    ``'log_loss'`` and ``'modified_huber'``, in clear.

    Parameters
    ----------
    loss : str, default='hinge'
        Loss function to minimize: ``'hinge'`` (a support vector machine), ``'log_loss'``
        (logistic regression), ``'modified_huber'``, ``'squared_hinge'``, ``'perceptron'``,
        or one of `SGDRegressor`.
    penalty : {'l2', 'l1', 'elasticnet'} or None, default='l2'
        Norm of the coefficients that is penalized: L2, L1, both, or none.
    alpha : float, default=1e-4
        Strength of the penalty; the learning rate ``'optimal'`` depends on it too.
    l1_ratio : float, default=0.15
        Part of L1 in the penalty ``'elasticnet'``, from 0 to 1.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    max_iter : int, default=1000
        Maximum number of passes over the rows; `partial_fit` makes one.
    tol : float or None, default=1e-3
        Tolerance: less progress in a pass is none. None makes all `max_iter` passes.
    shuffle : bool, default=True
        Whether to shuffle the rows for each pass.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    epsilon : float, default=0.1
        Error up to which the insensitive losses are zero, or beyond which ``'huber'`` is
        linear. Other losses ignore it.
    n_jobs : int or None, default=None
        Number of classes fitted at a time if there are more than two: None is one, -1 as
        many as processors.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows and of the validation rows.
    learning_rate : str, default='optimal'
        Schedule of the step size: ``'constant'``, ``'optimal'``, ``'invscaling'``,
        ``'adaptive'``, or passive-aggressive, ``'pa1'`` or ``'pa2'``.
    eta0 : float, default=0.01
        Initial step size, or the aggressiveness; ``'optimal'`` ignores it.
    power_t : float, default=0.5
        How fast ``'invscaling'`` slows down: steps shrink as ``t**-power_t``.
    early_stopping : bool, default=False
        Whether to stop once the score on validation rows, instead of the training loss, no
        longer improves.
    validation_fraction : float, default=0.1
        Fraction of the rows that is held out for early stopping.
    n_iter_no_change : int, default=5
        Number of passes without progress after which `fit` stops.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    warm_start : bool, default=False
        Whether `fit` starts from the solution of the previous `fit`.
    average : bool or int, default=False
        Whether the coefficients are averages over the updates; if an int, from so many rows
        on.
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
    n_iter_ : int
        Number of passes over the rows.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    t_ : int
        Number of updates.
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
    sklearn.linear_model.SGDClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import SGDClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    >>> model.predict(X)
    array([0, 0, 1, 1])
    >>> model.predict_proba(X).shape
    (4, 2)
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        loss="hinge",
        *,
        penalty="l2",
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        max_iter=1000,
        tol=0.001,
        shuffle=True,
        verbose=0,
        epsilon=0.1,
        n_jobs=None,
        random_state=None,
        learning_rate="optimal",
        eta0=0.01,
        power_t=0.5,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        class_weight=None,
        warm_start=False,
        average=False,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            loss=loss,
            penalty=penalty,
            alpha=alpha,
            l1_ratio=l1_ratio,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            shuffle=shuffle,
            verbose=verbose,
            epsilon=epsilon,
            n_jobs=n_jobs,
            random_state=random_state,
            learning_rate=learning_rate,
            eta0=eta0,
            power_t=power_t,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            class_weight=class_weight,
            warm_start=warm_start,
            average=average,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _link(self) -> str:
        kind = {"log_loss": "sigmoid", "modified_huber": "clip"}.get(self.loss)
        if kind is None:
            return "identity"
        return kind if len(self.classes_) == 2 else f"ovr_{kind}"
