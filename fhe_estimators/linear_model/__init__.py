"""Linear and generalized linear models that predict on encrypted data."""

from fhe_estimators.linear_model._ard_regression import ARDRegression
from fhe_estimators.linear_model._bayesian_ridge import BayesianRidge
from fhe_estimators.linear_model._elastic_net import ElasticNet
from fhe_estimators.linear_model._elastic_net_cv import ElasticNetCV
from fhe_estimators.linear_model._gamma_regressor import GammaRegressor
from fhe_estimators.linear_model._huber_regressor import HuberRegressor
from fhe_estimators.linear_model._lars import Lars
from fhe_estimators.linear_model._lasso import Lasso
from fhe_estimators.linear_model._lasso_cv import LassoCV
from fhe_estimators.linear_model._lasso_lars import LassoLars
from fhe_estimators.linear_model._linear_regression import LinearRegression
from fhe_estimators.linear_model._logistic_regression import LogisticRegression
from fhe_estimators.linear_model._logistic_regression_cv import LogisticRegressionCV
from fhe_estimators.linear_model._orthogonal_matching_pursuit import (
    OrthogonalMatchingPursuit,
)
from fhe_estimators.linear_model._passive_aggressive_classifier import (
    PassiveAggressiveClassifier,
)
from fhe_estimators.linear_model._passive_aggressive_regressor import (
    PassiveAggressiveRegressor,
)
from fhe_estimators.linear_model._perceptron import Perceptron
from fhe_estimators.linear_model._poisson_regressor import PoissonRegressor
from fhe_estimators.linear_model._quantile_regressor import QuantileRegressor
from fhe_estimators.linear_model._ridge import Ridge
from fhe_estimators.linear_model._ridge_classifier import RidgeClassifier
from fhe_estimators.linear_model._ridge_cv import RidgeCV
from fhe_estimators.linear_model._sgd_classifier import SGDClassifier
from fhe_estimators.linear_model._sgd_regressor import SGDRegressor
from fhe_estimators.linear_model._tweedie_regressor import TweedieRegressor

__all__ = [
    "ARDRegression",
    "BayesianRidge",
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "HuberRegressor",
    "Lars",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "LinearRegression",
    "LogisticRegression",
    "LogisticRegressionCV",
    "OrthogonalMatchingPursuit",
    "PassiveAggressiveClassifier",
    "PassiveAggressiveRegressor",
    "Perceptron",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
]
