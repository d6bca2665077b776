"""Linear support vector machines that predict on encrypted data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import svm
from sklearn.utils._param_validation import Hidden, StrOptions

from fhe_estimators._fit import refuse_sparse
from fhe_estimators._linear import (
    LINEAR_CONSTRAINTS,
    LinearClassifierMixin,
    LinearMixin,
    LinearRegressorMixin,
)
from fhe_estimators._outliers import FHEOutlierMixin
from fhe_estimators._readings import Labels, Reading
from fhe_estimators.base import FHEClassifierMixin, FHEMixin, FHERegressorMixin

__all__ = ["SVC", "SVR", "LinearSVC", "LinearSVR", "OneClassSVM"]


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


#: Kernels that are no function of the row alone, or take a table for each support vector.
_LINEAR_KERNEL = [StrOptions({"linear"})]


class _LinearKernelMixin(LinearMixin):
    """For parents that libsvm fits, with the kernel that is linear."""

    _fhe_constraints = {**LINEAR_CONSTRAINTS, "kernel": _LINEAR_KERNEL}

    def _validate_for_predict(self, X: Any) -> np.ndarray:
        refuse_sparse(X)
        rows: np.ndarray = super()._validate_for_predict(X)  # type: ignore[misc]
        return rows


class SVC(_LinearKernelMixin, FHEClassifierMixin, svm.SVC):
    """Support vector classification by lines that predicts on encrypted data.

    Pairs of classes are told apart. Fitted models of other kernels are converted by
    `convert`, with a table for each support vector.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the score
    ``X @ coef_.T + intercept_`` of each pair of classes is computed on encrypted integers
    without a bootstrap, and the client decrypts them and counts votes in clear.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty.
    kernel : {'linear'}, default='linear'
        Others are not linear in the row. 'rbf' in scikit-learn: that takes a table for each
        support vector, and `convert` makes it of a fitted model.
    degree : int, default=3
        Of other kernels; it has no effect.
    gamma : {'scale', 'auto'} or float, default='scale'
        Of other kernels; it has no effect.
    coef0 : float, default=0.0
        Of other kernels; it has no effect.
    shrinking : bool, default=True
        Whether the solver leaves out rows that hardly matter.
    probability : bool, default='deprecated'
        Deprecated by scikit-learn. True has no encrypted form and is refused: use
        CalibratedClassifierCV.
    tol : float, default=1e-3
        Tolerance at which the solver stops.
    cache_size : float, default=200
        Memory for the kernel while it is fitted, in MB.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    verbose : int, default=False
        Verbosity of `fit`; zero is silent.
    max_iter : int, default=-1
        Maximum number of iterations.
    decision_function_shape : {'ovo', 'ovr'}, default='ovr'
        Whether `decision_function` returns scores of pairs, or of classes.
    break_ties : bool, default=False
        Whether, of classes that win as many pairs, the one is taken that wins them by most.
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
    class_weight_ : ndarray of shape (n_classes,)
        Weight of each class.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    coef_ : ndarray of shape (n_pairs, n_features)
        Coefficients of the features, of each pair of classes.
    dual_coef_ : ndarray of shape (n_rows, n_support)
        Weights of the support vectors.
    fit_status_ : int
        0 if the solver has succeeded.
    intercept_ : ndarray of shape (n_pairs,)
        What is added to the weighted sum, of each pair of classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_iter_ : ndarray of shape (n_pairs,)
        Number of iterations, for each pair of classes.
    support_ : ndarray of int32 of shape (n_support,)
        Which training rows the support vectors are.
    support_vectors_ : ndarray of shape (n_support, n_features)
        The support vectors.
    n_support_ : ndarray of int32
        Number of support vectors, of each class.
    probA_ : ndarray of shape (n_pairs,)
        Of probabilities, which are refused: empty.
    probB_ : ndarray of shape (n_pairs,)
        Of probabilities, which are refused: empty.
    shape_fit_ : tuple of int
        Shape of the training rows.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.svm.SVC : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import SVC
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> SVC().fit(X, y).predict(X)
    array([0, 0, 1, 1])
    """

    # Probabilities come from scores of pairs by iteration.
    _fhe_constraints = {
        **_LinearKernelMixin._fhe_constraints,
        "probability": [Hidden(StrOptions({"deprecated"})), "boolean"],
    }

    classes_: np.ndarray

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        C=1.0,
        kernel="linear",
        degree=3,
        gamma="scale",
        coef0=0.0,
        shrinking=True,
        probability="deprecated",
        tol=0.001,
        cache_size=200,
        class_weight=None,
        verbose=False,
        max_iter=-1,
        decision_function_shape="ovr",
        break_ties=False,
        random_state=None,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            C=C,
            kernel=kernel,
            degree=degree,
            gamma=gamma,
            coef0=coef0,
            shrinking=shrinking,
            probability=probability,
            tol=tol,
            cache_size=cache_size,
            class_weight=class_weight,
            verbose=verbose,
            max_iter=max_iter,
            decision_function_shape=decision_function_shape,
            break_ties=break_ties,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        if self.probability is True:
            raise ValueError(
                "The parameter probability=True of SVC has no encrypted form. Leave it out "
                "and use CalibratedClassifierCV(SVC())."
            )

    def _importance(
        self, X: np.ndarray, sample_weight: np.ndarray | None
    ) -> np.ndarray | None:
        """Return weights as those of `LinearClassifierMixin`, for the closest pair."""
        if len(self.classes_) == 2:
            return LinearClassifierMixin._importance(self, X, sample_weight)
        return FHEMixin._importance(self, X, sample_weight)

    def _decision_function(self, X: Any) -> np.ndarray:
        scores = self._scores(X, super()._decision_function)
        return scores.ravel() if len(self.classes_) == 2 else scores

    def _dense_predict(self, X: np.ndarray) -> np.ndarray:
        scores = self._scores(X, super()._decision_function, validated=True)
        if len(self.classes_) == 2:
            return (scores[:, 0] > 0).astype(np.intp)
        return Reading.LINKS["pair_votes"](scores).argmax(axis=1)

    def _readings(self) -> dict[str, list[Reading]]:
        if len(self.classes_) == 2:
            labels = Labels("above", labels=self.classes_)
            return {
                "decision_function": [Reading(form="vector")],
                "predict": [Reading(labels=labels)],
            }
        labels = Labels("largest", labels=self.classes_)
        by_scores = self.decision_function_shape == "ovr"
        ties = "pair_scores" if by_scores and self.break_ties else "pair_votes"
        return {
            "decision_function": [Reading(link="pair_scores" if by_scores else "none")],
            "predict": [Reading(link=ties, labels=labels)],
        }


class SVR(_LinearKernelMixin, FHERegressorMixin, svm.SVR):
    """Support vector regression by a line that predicts on encrypted data.

    Fitted models of other kernels are converted by `convert`, with a table for each support
    vector.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and what the client decrypts is the prediction.

    Parameters
    ----------
    kernel : {'linear'}, default='linear'
        Others are not linear in the row. 'rbf' in scikit-learn: that takes a table for each
        support vector, and `convert` makes it of a fitted model.
    degree : int, default=3
        Of other kernels; it has no effect.
    gamma : {'scale', 'auto'} or float, default='scale'
        Of other kernels; it has no effect.
    coef0 : float, default=0.0
        Of other kernels; it has no effect.
    tol : float, default=1e-3
        Tolerance at which the solver stops.
    C : float, default=1.0
        Inverse of the strength of the penalty.
    epsilon : float, default=0.1
        Error up to which the loss is zero, in units of `y`.
    shrinking : bool, default=True
        Whether the solver leaves out rows that hardly matter.
    cache_size : float, default=200
        Memory for the kernel while it is fitted, in MB.
    verbose : int, default=False
        Verbosity of `fit`; zero is silent.
    max_iter : int, default=-1
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
    coef_ : ndarray of shape (1, n_features)
        Coefficients of the features.
    dual_coef_ : ndarray of shape (n_rows, n_support)
        Weights of the support vectors.
    fit_status_ : int
        0 if the solver has succeeded.
    intercept_ : ndarray of shape (1,)
        What is added to the weighted sum.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_iter_ : int
        Number of iterations.
    n_support_ : ndarray of int32
        Number of support vectors, of each class.
    shape_fit_ : tuple of int
        Shape of the training rows.
    support_ : ndarray of int32 of shape (n_support,)
        Which training rows the support vectors are.
    support_vectors_ : ndarray of shape (n_support, n_features)
        The support vectors.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.svm.SVR : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import SVR
    >>> X, y = [[0, 0], [1, 0], [0, 1], [2, 2]], [3, 4, 5, 9]
    >>> SVR(C=100, epsilon=0, n_bits=12).fit(X, y).predict(X).round(1)
    array([3., 4., 5., 9.])
    """

    _fhe_constraints = {**LINEAR_CONSTRAINTS, "kernel": _LINEAR_KERNEL}

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        kernel="linear",
        degree=3,
        gamma="scale",
        coef0=0.0,
        tol=0.001,
        C=1.0,
        epsilon=0.1,
        shrinking=True,
        cache_size=200,
        verbose=False,
        max_iter=-1,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            kernel=kernel,
            degree=degree,
            gamma=gamma,
            coef0=coef0,
            tol=tol,
            C=C,
            epsilon=epsilon,
            shrinking=shrinking,
            cache_size=cache_size,
            verbose=verbose,
            max_iter=max_iter,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _dense_predict(self, X: np.ndarray) -> np.ndarray:
        scores = self._scores(X, super()._dense_predict, validated=True)
        return scores[:, 0] if scores.ndim == 2 else scores

    def _readings(self) -> dict[str, list[Reading]]:
        return {"predict": [Reading(form="vector")]}


class OneClassSVM(_LinearKernelMixin, FHEOutlierMixin, svm.OneClassSVM):
    """A line that outliers lie beyond, for encrypted data.

    It keeps the rows of training away from the origin. Fitted models of other kernels are
    converted by `convert`, with a table for each support vector.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it: it is negative for outliers.

    Parameters
    ----------
    kernel : {'linear'}, default='linear'
        Others are not linear in the row. 'rbf' in scikit-learn: that takes a table for each
        support vector, and `convert` makes it of a fitted model.
    degree : int, default=3
        Of other kernels; it has no effect.
    gamma : {'scale', 'auto'} or float, default='scale'
        Of other kernels; it has no effect.
    coef0 : float, default=0.0
        Of other kernels; it has no effect.
    tol : float, default=1e-3
        Tolerance at which the solver stops.
    nu : float, default=0.5
        Upper bound of the part of training rows beyond the line, lower bound of that of
        support vectors.
    shrinking : bool, default=True
        Whether the solver leaves out rows that hardly matter.
    cache_size : float, default=200
        Memory for the kernel while it is fitted, in MB.
    verbose : int, default=False
        Verbosity of `fit`; zero is silent.
    max_iter : int, default=-1
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
    coef_ : ndarray of shape (1, n_features)
        Coefficients of the features.
    dual_coef_ : ndarray of shape (n_rows, n_support)
        Weights of the support vectors.
    fit_status_ : int
        0 if the solver has succeeded.
    intercept_ : ndarray of shape (1,)
        What is added to the weighted sum.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_iter_ : int
        Number of iterations.
    n_support_ : ndarray of int32
        Number of support vectors, of each class.
    offset_ : float
        What is subtracted from scores.
    shape_fit_ : tuple of int
        Shape of the training rows.
    support_ : ndarray of int32 of shape (n_support,)
        Which training rows the support vectors are.
    support_vectors_ : ndarray of shape (n_support, n_features)
        The support vectors.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.svm.OneClassSVM : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import OneClassSVM
    >>> X = [[4, 4], [4, 5], [5, 4], [5, 5], [6, 6]]
    >>> OneClassSVM(nu=0.2).fit(X).predict([[5, 6], [0, 1]])
    array([ 1, -1])
    """

    _fhe_constraints = {**LINEAR_CONSTRAINTS, "kernel": _LINEAR_KERNEL}

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        kernel="linear",
        degree=3,
        gamma="scale",
        coef0=0.0,
        tol=0.001,
        nu=0.5,
        shrinking=True,
        cache_size=200,
        verbose=False,
        max_iter=-1,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            kernel=kernel,
            degree=degree,
            gamma=gamma,
            coef0=coef0,
            tol=tol,
            nu=nu,
            shrinking=shrinking,
            cache_size=cache_size,
            verbose=verbose,
            max_iter=max_iter,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _decision_function(self, X: Any) -> np.ndarray:
        scores = self._scores(X, super()._decision_function)
        return scores.ravel()

    def _dense_predict(self, X: np.ndarray) -> np.ndarray:
        scores = self._scores(X, super()._decision_function, validated=True)
        return np.where(scores[:, 0] > 0, 1, -1)

    def _readings(self) -> dict[str, list[Reading]]:
        labels = Labels("above", labels=np.array([-1, 1]))
        return {
            "decision_function": [Reading(form="vector")],
            "predict": [Reading(labels=labels)],
        }
