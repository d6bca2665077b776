"""Discriminant analysis that predicts on encrypted data."""

from __future__ import annotations

from sklearn import discriminant_analysis

from fhe_estimators._linear import (
    LinearClassifierMixin,
)
from fhe_estimators.base import FHE_CONSTRAINTS

__all__ = [
    "LinearDiscriminantAnalysis",
]


class LinearDiscriminantAnalysis(
    LinearClassifierMixin, discriminant_analysis.LinearDiscriminantAnalysis
):
    """DOC LinearDiscriminantAnalysis."""

    _parameter_constraints = {
        **discriminant_analysis.LinearDiscriminantAnalysis._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

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
        p_error=2**-64,
    ):
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
        self.p_error = p_error

    def _link(self) -> str:
        return "sigmoid" if len(self.classes_) == 2 else "softmax"
