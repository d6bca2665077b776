"""Linear regression by stochastic gradient descent that predicts on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import (
    LinearRegressorMixin,
)

__all__ = ["SGDRegressor"]


class SGDRegressor(LinearRegressorMixin, linear_model.SGDRegressor):
    """Linear regression by stochastic gradient descent that predicts on encrypted data.

    Fitted row by row; `partial_fit` goes on with more rows.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    loss : str, default='squared_error'
        Loss function to minimize: ``'squared_error'``, ``'huber'``,
        ``'epsilon_insensitive'`` or ``'squared_epsilon_insensitive'``.
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
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows and of the validation rows.
    learning_rate : str, default='invscaling'
        Schedule of the step size: ``'constant'``, ``'optimal'``, ``'invscaling'``,
        ``'adaptive'``, or passive-aggressive, ``'pa1'`` or ``'pa2'``.
    eta0 : float, default=0.01
        Initial step size, or the aggressiveness; ``'optimal'`` ignores it.
    power_t : float, default=0.25
        How fast ``'invscaling'`` slows down: steps shrink as ``t**-power_t``.
    early_stopping : bool, default=False
        Whether to stop once the score on validation rows, instead of the training loss, no
        longer improves.
    validation_fraction : float, default=0.1
        Fraction of the rows that is held out for early stopping.
    n_iter_no_change : int, default=5
        Number of passes without progress after which `fit` stops.
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
    coef_ : ndarray of shape (n_features,)
        Coefficients of the features.
    intercept_ : ndarray of shape (1,)
        What is added to the weighted sum.
    n_iter_ : int
        Number of passes over the rows.
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
    sklearn.linear_model.SGDRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import SGDRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [3, 4, 5, 9]
    >>> model = SGDRegressor(max_iter=100, tol=None, random_state=0).fit(X, y)
    >>> model.predict(X).round(2)
    array([2.1 , 3.76, 4.  , 9.19])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        loss="squared_error",
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
        random_state=None,
        learning_rate="invscaling",
        eta0=0.01,
        power_t=0.25,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
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
            random_state=random_state,
            learning_rate=learning_rate,
            eta0=eta0,
            power_t=power_t,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            average=average,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
