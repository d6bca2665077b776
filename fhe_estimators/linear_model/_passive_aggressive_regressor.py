"""Passive-aggressive regressor that predicts on encrypted data."""

from sklearn import linear_model

from fhe_estimators._linear import LinearRegressorMixin

__all__ = ["PassiveAggressiveRegressor"]


class PassiveAggressiveRegressor(
    LinearRegressorMixin, linear_model.PassiveAggressiveRegressor
):
    """Passive-aggressive regressor that predicts on encrypted data.

    .. deprecated:: 1.8 of scikit-learn
        ``SGDRegressor("epsilon_insensitive", penalty=None, learning_rate="pa1", eta0=C)``

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    C : float, default=1.0
        Maximum step size, or, with the squared loss, the less regularized the larger.
    fit_intercept : bool, default=True
        Whether to fit an intercept; without, it is zero.
    max_iter : int, default=1000
        Maximum number of passes over the rows; `partial_fit` makes one.
    tol : float or None, default=1e-3
        Tolerance: less progress in a pass is none. None makes all `max_iter` passes.
    early_stopping : bool, default=False
        Whether to stop once the score on validation rows, instead of the training loss, no
        longer improves.
    validation_fraction : float, default=0.1
        Fraction of the rows that is held out for early stopping.
    n_iter_no_change : int, default=5
        Number of passes without progress after which `fit` stops.
    shuffle : bool, default=True
        Whether to shuffle the rows for each pass.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    loss : {'epsilon_insensitive', 'squared_epsilon_insensitive'}, \
        default='epsilon_insensitive'
        Loss of an error beyond `epsilon`: its size (PA-I), or the square (PA-II).
    epsilon : float, default=0.1
        Error up to which a row changes nothing.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows and of the validation rows.
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
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_iter_ : int
        Number of passes over the rows.
    t_ : int
        Number of updates.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.linear_model.PassiveAggressiveRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import PassiveAggressiveRegressor
    >>> PassiveAggressiveRegressor().fit([[-1], [1]], [3, 5]).predict([[-1], [1]]).round()
    array([3., 5.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        C=1.0,
        fit_intercept=True,
        max_iter=1000,
        tol=0.001,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        shuffle=True,
        verbose=0,
        loss="epsilon_insensitive",
        epsilon=0.1,
        random_state=None,
        warm_start=False,
        average=False,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            C=C,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            shuffle=shuffle,
            verbose=verbose,
            loss=loss,
            epsilon=epsilon,
            random_state=random_state,
            warm_start=warm_start,
            average=average,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
