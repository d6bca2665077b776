"""Linear and generalized linear models that predict on encrypted data."""

from __future__ import annotations

from sklearn import linear_model

from fhe_estimators._linear import (
    GeneralizedLinearMixin,
    LinearClassifierMixin,
    LinearRegressorMixin,
)
from fhe_estimators.base import FHE_CONSTRAINTS

__all__ = [
    "ElasticNet",
    "GammaRegressor",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "RidgeClassifier",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
]


class LinearRegression(LinearRegressorMixin, linear_model.LinearRegression):
    """DOC LinearRegression."""

    _parameter_constraints = {
        **linear_model.LinearRegression._parameter_constraints,
        **FHE_CONSTRAINTS,
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
        self.p_error = p_error


class Ridge(LinearRegressorMixin, linear_model.Ridge):
    """DOC Ridge."""

    _parameter_constraints = {
        **linear_model.Ridge._parameter_constraints,
        **FHE_CONSTRAINTS,
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
        self.p_error = p_error


class Lasso(LinearRegressorMixin, linear_model.Lasso):
    """DOC Lasso."""

    _parameter_constraints = {
        **linear_model.Lasso._parameter_constraints,
        **FHE_CONSTRAINTS,
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
        self.p_error = p_error


class ElasticNet(LinearRegressorMixin, linear_model.ElasticNet):
    """DOC ElasticNet."""

    _parameter_constraints = {
        **linear_model.ElasticNet._parameter_constraints,
        **FHE_CONSTRAINTS,
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
        self.p_error = p_error


class SGDRegressor(LinearRegressorMixin, linear_model.SGDRegressor):
    """DOC SGDRegressor."""

    _parameter_constraints = {
        **linear_model.SGDRegressor._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

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
        p_error=2**-64,
    ):
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
        self.p_error = p_error


class LogisticRegression(LinearClassifierMixin, linear_model.LogisticRegression):
    """DOC LogisticRegression."""

    _parameter_constraints = {
        **linear_model.LogisticRegression._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=0.0001,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_bits=8,
        p_error=2**-64,
    ):
        super().__init__(
            C=C,
            l1_ratio=l1_ratio,
            dual=dual,
            tol=tol,
            fit_intercept=fit_intercept,
            intercept_scaling=intercept_scaling,
            class_weight=class_weight,
            random_state=random_state,
            solver=solver,
            max_iter=max_iter,
            verbose=verbose,
            warm_start=warm_start,
        )
        self.n_bits = n_bits
        self.p_error = p_error

    def _link(self) -> str:
        return "sigmoid" if len(self.classes_) == 2 else "softmax"


class RidgeClassifier(LinearClassifierMixin, linear_model.RidgeClassifier):
    """DOC RidgeClassifier."""

    _parameter_constraints = {
        **linear_model.RidgeClassifier._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=0.0001,
        class_weight=None,
        solver="auto",
        positive=False,
        random_state=None,
        n_bits=8,
        p_error=2**-64,
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            class_weight=class_weight,
            solver=solver,
            positive=positive,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.p_error = p_error


class SGDClassifier(LinearClassifierMixin, linear_model.SGDClassifier):
    """DOC SGDClassifier."""

    _parameter_constraints = {
        **linear_model.SGDClassifier._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

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
        p_error=2**-64,
    ):
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
        self.p_error = p_error

    def _link(self) -> str:
        kind = {"log_loss": "sigmoid", "modified_huber": "clip"}.get(self.loss)
        if kind is None:
            return "identity"
        return kind if len(self.classes_) == 2 else f"ovr_{kind}"


class PoissonRegressor(GeneralizedLinearMixin, linear_model.PoissonRegressor):
    """DOC PoissonRegressor."""

    _parameter_constraints = {
        **linear_model.PoissonRegressor._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        alpha=1.0,
        fit_intercept=True,
        solver="lbfgs",
        max_iter=100,
        tol=0.0001,
        warm_start=False,
        verbose=0,
        n_bits=8,
        p_error=2**-64,
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.n_bits = n_bits
        self.p_error = p_error


class GammaRegressor(GeneralizedLinearMixin, linear_model.GammaRegressor):
    """DOC GammaRegressor."""

    _parameter_constraints = {
        **linear_model.GammaRegressor._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        alpha=1.0,
        fit_intercept=True,
        solver="lbfgs",
        max_iter=100,
        tol=0.0001,
        warm_start=False,
        verbose=0,
        n_bits=8,
        p_error=2**-64,
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.n_bits = n_bits
        self.p_error = p_error


class TweedieRegressor(GeneralizedLinearMixin, linear_model.TweedieRegressor):
    """DOC TweedieRegressor."""

    _parameter_constraints = {
        **linear_model.TweedieRegressor._parameter_constraints,
        **FHE_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        power=0.0,
        alpha=1.0,
        fit_intercept=True,
        link="auto",
        solver="lbfgs",
        max_iter=100,
        tol=0.0001,
        warm_start=False,
        verbose=0,
        n_bits=8,
        p_error=2**-64,
    ):
        super().__init__(
            power=power,
            alpha=alpha,
            fit_intercept=fit_intercept,
            link=link,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.n_bits = n_bits
        self.p_error = p_error
