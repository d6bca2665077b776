"""Projections of encrypted rows, decrypted by the client."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import decomposition
from sklearn.utils._set_output import _wrap_data_with_container

from fhe_estimators._config import current_mode, is_fitting
from fhe_estimators._linear import LinearMixin
from fhe_estimators._readings import Reading
from fhe_estimators._tags import Tags

__all__ = ["PCA", "TruncatedSVD"]


class _ProjectionMixin(LinearMixin):
    """What `transform` returns is linear in the row."""

    components_: np.ndarray

    def fit_transform(self, X: Any, y: Any = None, *, fhe: str | None = None) -> Any:
        """Fit, then transform the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `transform`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
        """
        if is_fitting():  # the parent's `fit` calls it
            return super().fit_transform(X, y)  # type: ignore[misc]
        return self.fit(X).transform(X, fhe=fhe)  # type: ignore[attr-defined]

    def transform(self, X: Any, *, fhe: str | None = None) -> Any:
        """Project rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the projection is computed: with quantized integers in clear, with the
            cryptography simulated, or on encrypted rows. By default the mode of
            `config_context`, which is ``"disable"`` outside of one.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
        """
        with self._mode(fhe):
            scores = self._scores(X, lambda rows: rows)
        return _wrap_data_with_container("transform", scores, X, self)

    def __sklearn_tags__(self) -> Tags:
        """Return tags that say that results are in double precision."""
        tags = super().__sklearn_tags__()
        assert tags.transformer_tags is not None
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags

    def _readings(self) -> dict[str, list[Reading]]:
        return {"transform": [Reading()]}


class PCA(_ProjectionMixin, decomposition.PCA):
    """Principal components of encrypted rows.

    `inverse_transform` and scores of likelihood stay in clear.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, their
    projection is computed on encrypted integers without a bootstrap, and the client
    decrypts it.

    Parameters
    ----------
    n_components : int, float, 'mle' or None, default=None
        Number of components; if a float, as many as explain that part of the variance; None
        keeps all.
    copy : bool, default=True
        Whether `fit` leaves the rows as they are.
    whiten : bool, default=False
        Whether components are divided by their standard deviations.
    svd_solver : {'auto', 'full', 'covariance_eigh', 'arpack', 'randomized'}, \
        default='auto'
        Solver.
    tol : float, default=0.0
        Tolerance at which the solver stops.
    iterated_power : 'auto' or int, default='auto'
        Iterations of the solver ``'randomized'``.
    n_oversamples : int, default=10
        Further random vectors of the solver ``'randomized'``.
    power_iteration_normalizer : {'auto', 'QR', 'LU', 'none'}, default='auto'
        How the solver ``'randomized'`` normalizes.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn.
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
    components_ : ndarray of shape (n_components, n_features)
        What rows are projected on.
    explained_variance_ : ndarray of shape (n_components,)
        Variance of each component.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Part of the variance that each dimension of `transform` explains.
    singular_values_ : ndarray of shape (n_components,)
        Singular value of each component.
    mean_ : ndarray of shape (n_features,)
        Mean of each feature.
    n_components_ : int
        Number of components.
    n_samples_ : int
        Number of training rows.
    noise_variance_ : float
        Variance beside the components.
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
    sklearn.decomposition.PCA : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import PCA
    >>> X = [[0, 0], [1, 1], [2, 2], [4, 4]]
    >>> PCA(1, n_bits=12).fit(X).transform([[1, 1], [3, 3]]).round(1)
    array([[-1.1],
           [ 1.8]])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        n_components=None,
        *,
        copy=True,
        whiten=False,
        svd_solver="auto",
        tol=0.0,
        iterated_power="auto",
        n_oversamples=10,
        power_iteration_normalizer="auto",
        random_state=None,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_components=n_components,
            copy=copy,
            whiten=whiten,
            svd_solver=svd_solver,
            tol=tol,
            iterated_power=iterated_power,
            n_oversamples=n_oversamples,
            power_iteration_normalizer=power_iteration_normalizer,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _linear_map(self) -> tuple[np.ndarray, np.ndarray, str]:
        coef = np.asarray(self.components_, np.float64)
        if self.whiten:
            scale = np.sqrt(self.explained_variance_)
            # As in the parent: what does not vary is not divided by zero.
            scale = np.maximum(scale, np.finfo(scale.dtype).eps)
            coef = coef / scale[:, np.newaxis]
        return coef, -coef @ self.mean_, "identity"

    def score(self, X: Any, y: Any = None) -> float:  # type: ignore[override] # no modes
        """Return the mean logarithm of the likelihood, in clear.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.

        Returns
        -------
        log_likelihood : float

        Raises
        ------
        ValueError
            In another mode than ``"disable"``.
        """
        return float(np.mean(self.score_samples(X)))

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the logarithm of the likelihood of each row, in clear.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            In another mode than ``"disable"``.
        """
        if current_mode() != "disable":
            raise ValueError(
                f"score_samples of {type(self).__name__} needs the rows in clear; got "
                f"fhe={current_mode()!r}. Use fhe='disable' where the rows may be seen."
            )
        return super().score_samples(X)


class TruncatedSVD(_ProjectionMixin, decomposition.TruncatedSVD):
    """Singular vectors of encrypted rows: components without a mean.

    `inverse_transform` stays in clear.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, their
    projection is computed on encrypted integers without a bootstrap, and the client
    decrypts it.

    Parameters
    ----------
    n_components : int, default=2
        Number of components.
    algorithm : {'arpack', 'randomized'}, default='randomized'
        Solver.
    n_iter : int, default=5
        Iterations of the solver ``'randomized'``.
    n_oversamples : int, default=10
        Further random vectors of the solver ``'randomized'``.
    power_iteration_normalizer : {'auto', 'QR', 'LU', 'none'}, default='auto'
        How the solver ``'randomized'`` normalizes.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn.
    tol : float, default=0.0
        Tolerance at which the solver stops.
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
    components_ : ndarray of shape (n_components, n_features)
        What rows are projected on.
    explained_variance_ : ndarray of shape (n_components,)
        Variance of each component.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Part of the variance that each dimension of `transform` explains.
    singular_values_ : ndarray of shape (n_components,)
        Singular value of each component.
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
    sklearn.decomposition.TruncatedSVD : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import TruncatedSVD
    >>> X = [[0, 0], [1, 1], [2, 2], [4, 4]]
    >>> TruncatedSVD(1, n_bits=12).fit(X).transform([[1, 1], [3, 3]]).round(1)
    array([[1.4],
           [4.2]])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        n_components=2,
        *,
        algorithm="randomized",
        n_iter=5,
        n_oversamples=10,
        power_iteration_normalizer="auto",
        random_state=None,
        tol=0.0,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_components=n_components,
            algorithm=algorithm,
            n_iter=n_iter,
            n_oversamples=n_oversamples,
            power_iteration_normalizer=power_iteration_normalizer,
            random_state=random_state,
            tol=tol,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _linear_map(self) -> tuple[np.ndarray, np.ndarray, str]:
        coef = np.asarray(self.components_, np.float64)
        return coef, np.zeros(len(coef)), "identity"
