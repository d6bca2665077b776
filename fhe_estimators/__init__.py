"""scikit-learn estimators that predict on encrypted data.

Importing the package loads neither scikit-learn nor torch nor the encryption engine:
names are resolved when they are first used.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fhe_estimators._config import config_context
from fhe_estimators._version import __version__

# Written by `make mirror`, down to the end of the table.
if TYPE_CHECKING:
    from fhe_estimators.catboost import CatBoostClassifier as CatBoostClassifier
    from fhe_estimators.catboost import CatBoostRegressor as CatBoostRegressor
    from fhe_estimators.cluster import KMeans as KMeans
    from fhe_estimators.cluster import MiniBatchKMeans as MiniBatchKMeans
    from fhe_estimators.conversion import ConvertedClassifier as ConvertedClassifier
    from fhe_estimators.conversion import (
        ConvertedOutlierDetector as ConvertedOutlierDetector,
    )
    from fhe_estimators.conversion import ConvertedRegressor as ConvertedRegressor
    from fhe_estimators.conversion import convert as convert
    from fhe_estimators.covariance import EllipticEnvelope as EllipticEnvelope
    from fhe_estimators.decomposition import PCA as PCA
    from fhe_estimators.decomposition import TruncatedSVD as TruncatedSVD
    from fhe_estimators.discriminant_analysis import (
        LinearDiscriminantAnalysis as LinearDiscriminantAnalysis,
    )
    from fhe_estimators.discriminant_analysis import (
        QuadraticDiscriminantAnalysis as QuadraticDiscriminantAnalysis,
    )
    from fhe_estimators.ensemble import AdaBoostClassifier as AdaBoostClassifier
    from fhe_estimators.ensemble import ExtraTreesClassifier as ExtraTreesClassifier
    from fhe_estimators.ensemble import ExtraTreesRegressor as ExtraTreesRegressor
    from fhe_estimators.ensemble import (
        GradientBoostingClassifier as GradientBoostingClassifier,
    )
    from fhe_estimators.ensemble import (
        GradientBoostingRegressor as GradientBoostingRegressor,
    )
    from fhe_estimators.ensemble import (
        HistGradientBoostingClassifier as HistGradientBoostingClassifier,
    )
    from fhe_estimators.ensemble import (
        HistGradientBoostingRegressor as HistGradientBoostingRegressor,
    )
    from fhe_estimators.ensemble import IsolationForest as IsolationForest
    from fhe_estimators.ensemble import RandomForestClassifier as RandomForestClassifier
    from fhe_estimators.ensemble import RandomForestRegressor as RandomForestRegressor
    from fhe_estimators.exceptions import AccuracyWarning as AccuracyWarning
    from fhe_estimators.exceptions import BitWidthError as BitWidthError
    from fhe_estimators.exceptions import ClippingWarning as ClippingWarning
    from fhe_estimators.exceptions import CompilationError as CompilationError
    from fhe_estimators.exceptions import CostWarning as CostWarning
    from fhe_estimators.exceptions import ForkedProcessError as ForkedProcessError
    from fhe_estimators.exceptions import GraphError as GraphError
    from fhe_estimators.exceptions import InsecureRandomnessError as InsecureRandomnessError
    from fhe_estimators.exceptions import ModelChangedError as ModelChangedError
    from fhe_estimators.exceptions import NotCompiledError as NotCompiledError
    from fhe_estimators.exceptions import (
        UnsupportedEstimatorError as UnsupportedEstimatorError,
    )
    from fhe_estimators.exceptions import (
        UnsupportedOperatorError as UnsupportedOperatorError,
    )
    from fhe_estimators.exceptions import WrapAroundWarning as WrapAroundWarning
    from fhe_estimators.interpret import (
        ExplainableBoostingClassifier as ExplainableBoostingClassifier,
    )
    from fhe_estimators.interpret import (
        ExplainableBoostingRegressor as ExplainableBoostingRegressor,
    )
    from fhe_estimators.lightgbm import LGBMClassifier as LGBMClassifier
    from fhe_estimators.lightgbm import LGBMRegressor as LGBMRegressor
    from fhe_estimators.linear_model import ARDRegression as ARDRegression
    from fhe_estimators.linear_model import BayesianRidge as BayesianRidge
    from fhe_estimators.linear_model import ElasticNet as ElasticNet
    from fhe_estimators.linear_model import ElasticNetCV as ElasticNetCV
    from fhe_estimators.linear_model import GammaRegressor as GammaRegressor
    from fhe_estimators.linear_model import HuberRegressor as HuberRegressor
    from fhe_estimators.linear_model import Lars as Lars
    from fhe_estimators.linear_model import Lasso as Lasso
    from fhe_estimators.linear_model import LassoCV as LassoCV
    from fhe_estimators.linear_model import LassoLars as LassoLars
    from fhe_estimators.linear_model import LinearRegression as LinearRegression
    from fhe_estimators.linear_model import LogisticRegression as LogisticRegression
    from fhe_estimators.linear_model import LogisticRegressionCV as LogisticRegressionCV
    from fhe_estimators.linear_model import (
        OrthogonalMatchingPursuit as OrthogonalMatchingPursuit,
    )
    from fhe_estimators.linear_model import (
        PassiveAggressiveClassifier as PassiveAggressiveClassifier,
    )
    from fhe_estimators.linear_model import (
        PassiveAggressiveRegressor as PassiveAggressiveRegressor,
    )
    from fhe_estimators.linear_model import Perceptron as Perceptron
    from fhe_estimators.linear_model import PoissonRegressor as PoissonRegressor
    from fhe_estimators.linear_model import QuantileRegressor as QuantileRegressor
    from fhe_estimators.linear_model import Ridge as Ridge
    from fhe_estimators.linear_model import RidgeClassifier as RidgeClassifier
    from fhe_estimators.linear_model import RidgeCV as RidgeCV
    from fhe_estimators.linear_model import SGDClassifier as SGDClassifier
    from fhe_estimators.linear_model import SGDRegressor as SGDRegressor
    from fhe_estimators.linear_model import TweedieRegressor as TweedieRegressor
    from fhe_estimators.naive_bayes import BernoulliNB as BernoulliNB
    from fhe_estimators.naive_bayes import ComplementNB as ComplementNB
    from fhe_estimators.naive_bayes import GaussianNB as GaussianNB
    from fhe_estimators.naive_bayes import MultinomialNB as MultinomialNB
    from fhe_estimators.neighbors import KNeighborsClassifier as KNeighborsClassifier
    from fhe_estimators.neighbors import KNeighborsRegressor as KNeighborsRegressor
    from fhe_estimators.neighbors import NearestCentroid as NearestCentroid
    from fhe_estimators.neural_network import NeuralNetClassifier as NeuralNetClassifier
    from fhe_estimators.neural_network import NeuralNetRegressor as NeuralNetRegressor
    from fhe_estimators.neural_network import SkorchClassifier as SkorchClassifier
    from fhe_estimators.neural_network import SkorchRegressor as SkorchRegressor
    from fhe_estimators.neural_network import (
        SparseQuantNeuralNetwork as SparseQuantNeuralNetwork,
    )
    from fhe_estimators.quantization import NumpyModule as NumpyModule
    from fhe_estimators.quantization import QuantizedArray as QuantizedArray
    from fhe_estimators.quantization import QuantizedModule as QuantizedModule
    from fhe_estimators.quantization import UniformQuantizer as UniformQuantizer
    from fhe_estimators.svm import SVC as SVC
    from fhe_estimators.svm import SVR as SVR
    from fhe_estimators.svm import LinearSVC as LinearSVC
    from fhe_estimators.svm import LinearSVR as LinearSVR
    from fhe_estimators.svm import OneClassSVM as OneClassSVM
    from fhe_estimators.tree import DecisionTreeClassifier as DecisionTreeClassifier
    from fhe_estimators.tree import DecisionTreeRegressor as DecisionTreeRegressor
    from fhe_estimators.xgboost import XGBClassifier as XGBClassifier
    from fhe_estimators.xgboost import XGBRegressor as XGBRegressor
    from fhe_estimators.xgboost import XGBRFClassifier as XGBRFClassifier
    from fhe_estimators.xgboost import XGBRFRegressor as XGBRFRegressor

_MODULE_OF = {
    "CatBoostClassifier": "catboost",
    "CatBoostRegressor": "catboost",
    "KMeans": "cluster",
    "MiniBatchKMeans": "cluster",
    "ConvertedClassifier": "conversion",
    "ConvertedOutlierDetector": "conversion",
    "ConvertedRegressor": "conversion",
    "convert": "conversion",
    "EllipticEnvelope": "covariance",
    "PCA": "decomposition",
    "TruncatedSVD": "decomposition",
    "LinearDiscriminantAnalysis": "discriminant_analysis",
    "QuadraticDiscriminantAnalysis": "discriminant_analysis",
    "AdaBoostClassifier": "ensemble",
    "ExtraTreesClassifier": "ensemble",
    "ExtraTreesRegressor": "ensemble",
    "GradientBoostingClassifier": "ensemble",
    "GradientBoostingRegressor": "ensemble",
    "HistGradientBoostingClassifier": "ensemble",
    "HistGradientBoostingRegressor": "ensemble",
    "IsolationForest": "ensemble",
    "RandomForestClassifier": "ensemble",
    "RandomForestRegressor": "ensemble",
    "AccuracyWarning": "exceptions",
    "BitWidthError": "exceptions",
    "ClippingWarning": "exceptions",
    "CompilationError": "exceptions",
    "CostWarning": "exceptions",
    "ForkedProcessError": "exceptions",
    "GraphError": "exceptions",
    "InsecureRandomnessError": "exceptions",
    "ModelChangedError": "exceptions",
    "NotCompiledError": "exceptions",
    "UnsupportedEstimatorError": "exceptions",
    "UnsupportedOperatorError": "exceptions",
    "WrapAroundWarning": "exceptions",
    "ExplainableBoostingClassifier": "interpret",
    "ExplainableBoostingRegressor": "interpret",
    "LGBMClassifier": "lightgbm",
    "LGBMRegressor": "lightgbm",
    "ARDRegression": "linear_model",
    "BayesianRidge": "linear_model",
    "ElasticNet": "linear_model",
    "ElasticNetCV": "linear_model",
    "GammaRegressor": "linear_model",
    "HuberRegressor": "linear_model",
    "Lars": "linear_model",
    "Lasso": "linear_model",
    "LassoCV": "linear_model",
    "LassoLars": "linear_model",
    "LinearRegression": "linear_model",
    "LogisticRegression": "linear_model",
    "LogisticRegressionCV": "linear_model",
    "OrthogonalMatchingPursuit": "linear_model",
    "PassiveAggressiveClassifier": "linear_model",
    "PassiveAggressiveRegressor": "linear_model",
    "Perceptron": "linear_model",
    "PoissonRegressor": "linear_model",
    "QuantileRegressor": "linear_model",
    "Ridge": "linear_model",
    "RidgeCV": "linear_model",
    "RidgeClassifier": "linear_model",
    "SGDClassifier": "linear_model",
    "SGDRegressor": "linear_model",
    "TweedieRegressor": "linear_model",
    "BernoulliNB": "naive_bayes",
    "ComplementNB": "naive_bayes",
    "GaussianNB": "naive_bayes",
    "MultinomialNB": "naive_bayes",
    "KNeighborsClassifier": "neighbors",
    "KNeighborsRegressor": "neighbors",
    "NearestCentroid": "neighbors",
    "NeuralNetClassifier": "neural_network",
    "NeuralNetRegressor": "neural_network",
    "SkorchClassifier": "neural_network",
    "SkorchRegressor": "neural_network",
    "SparseQuantNeuralNetwork": "neural_network",
    "NumpyModule": "quantization",
    "QuantizedArray": "quantization",
    "QuantizedModule": "quantization",
    "UniformQuantizer": "quantization",
    "LinearSVC": "svm",
    "LinearSVR": "svm",
    "OneClassSVM": "svm",
    "SVC": "svm",
    "SVR": "svm",
    "DecisionTreeClassifier": "tree",
    "DecisionTreeRegressor": "tree",
    "XGBClassifier": "xgboost",
    "XGBRFClassifier": "xgboost",
    "XGBRFRegressor": "xgboost",
    "XGBRegressor": "xgboost",
}

#: Modules named after the library that they need.
_OPTIONAL = {"catboost", "interpret", "lightgbm", "xgboost"}

_MISSING = {module for module in _OPTIONAL if find_spec(module) is None}

__all__ = [
    "__version__",
    "config_context",
    *(name for name, module in _MODULE_OF.items() if module not in _MISSING),
]


if not TYPE_CHECKING:  # to type checkers any name would exist

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
        return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
