"""Linear support vector machines that predict on encrypted data."""

from __future__ import annotations

from sklearn import svm

from fhe_estimators._linear import (
    LinearClassifierMixin,
    LinearRegressorMixin,
)
from fhe_estimators.base import FHE_CONSTRAINTS

__all__ = [
    "LinearSVC",
    "LinearSVR",
]


class LinearSVC(LinearClassifierMixin, svm.LinearSVC):
    """DOC LinearSVC."""

    _parameter_constraints = {
        **svm.LinearSVC._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

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
        p_error=2**-64,
    ):
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
        self.p_error = p_error


class LinearSVR(LinearRegressorMixin, svm.LinearSVR):
    """DOC LinearSVR."""

    _parameter_constraints = {
        **svm.LinearSVR._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

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
        p_error=2**-64,
    ):
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
        self.p_error = p_error
