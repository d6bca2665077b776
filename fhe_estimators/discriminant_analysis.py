"""Discriminant analysis that predicts on encrypted data."""

from __future__ import annotations

from sklearn import discriminant_analysis

from fhe_estimators._linear import LogisticMixin

__all__ = ["LinearDiscriminantAnalysis"]


class LinearDiscriminantAnalysis(
    LogisticMixin, discriminant_analysis.LinearDiscriminantAnalysis
):
    """Linear discriminant analysis that predicts on encrypted data.

    Classes as normal distributions of one covariance. `transform` stays in clear.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and takes labels and probabilities (the logistic
    function for two classes, softmax for more) in clear.

    Parameters
    ----------
    solver : {'svd', 'lsqr', 'eigen'}, default='svd'
        Algorithm. ``'svd'`` needs no covariance matrix; the others allow `shrinkage`.
    shrinkage : 'auto', float or None, default=None
        How far, from 0 to 1, covariances are drawn to a diagonal matrix. ``'auto'``
        estimates it (Ledoit-Wolf).
    priors : array-like of shape (n_classes,) or None, default=None
        Prior probabilities of the classes; None takes the frequencies in `y`.
    n_components : int or None, default=None
        Number of dimensions that `transform` keeps; None keeps all.
    store_covariance : bool, default=False
        Whether ``'svd'`` also computes ``covariance_``; the others always do.
    tol : float, default=1e-4
        Singular values below it count as zero in ``'svd'``.
    covariance_estimator : estimator or None, default=None
        With ``fit`` and ``covariance_``, used instead of `shrinkage`.
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
    covariance_ : ndarray of shape (n_features, n_features)
        Covariance within classes.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Part of the variance that each dimension of `transform` explains.
    means_ : ndarray of shape (n_classes, n_features)
        Mean row of each class.
    priors_ : ndarray of shape (n_classes,)
        Prior probability of each class.
    scalings_ : ndarray of shape (rank, n_classes - 1)
        Axes that `transform` projects on.
    xbar_ : ndarray of shape (n_features,)
        Mean of all rows.
    classes_ : ndarray of shape (n_classes,)
        The labels.
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
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LinearDiscriminantAnalysis
    >>> X = [[0, 0], [1, 0], [0, 1], [3, 3], [4, 3], [3, 4]]
    >>> model = LinearDiscriminantAnalysis().fit(X, [0, 0, 0, 1, 1, 1])
    >>> model.predict(X)
    array([0, 0, 0, 1, 1, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        solver="svd",
        shrinkage=None,
        priors=None,
        n_components=None,
        store_covariance=False,
        tol=0.0001,
        covariance_estimator=None,
        *,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            solver=solver,
            shrinkage=shrinkage,
            priors=priors,
            n_components=n_components,
            store_covariance=store_covariance,
            tol=tol,
            covariance_estimator=covariance_estimator,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
