"""Random fits of every estimator: data, weights, bits and hyper-parameters of a seed."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from fhe_estimators.neural_network import SkorchClassifier, SkorchRegressor
from fhe_estimators.testing import all_estimators
from tests.neural_network import nets

ESTIMATORS = all_estimators()

#: Values of hyper-parameters, for estimators that have them and are not listed below.
_PARAMETERS: dict[str, tuple[Any, ...]] = {
    "C": (1e-3, 1.0, 1e3),
    "alpha": (1e-6, 0.01, 1.0, 100.0),
    "average": (False, True),
    "binning": ("quantile", "uniform"),
    "bootstrap": (False, True),
    "ccp_alpha": (0.0, 0.01),
    "class_weight": (None, "balanced"),
    "early_stopping": (False, True),
    "epsilon": (0.0, 0.1),
    "fit_intercept": (True, False),
    "input_encoding": ("thermometer", "thermometer", "integer"),
    "l1_ratio": (0.0, 0.5, 1.0),
    "learning_rate": (0.1, 1.0),
    "max_depth": (1, 2, 3, 4),
    "max_features": (0.5, 1.0),
    "max_leaf_nodes": (None, 3, 5),
    "min_samples_leaf": (1, 3),
    "min_weight_fraction_leaf": (0.0, 0.1),
    "p_error": (2**-64, 2**-40, 2**-17),
    "positive": (False, True),
    "range_margin": ("auto", "auto", 0, 0.5, 3),
    "splitter": ("best", "random"),
    "subsample": (1.0, 0.7),
    "warm_start": (False, True),
}
_DEEPER = DecisionTreeClassifier(max_depth=2)
_FOREST = {"n_estimators": (1, 2, 4)}
_NET = {
    "n_layers": (1, 2, 3),
    "hidden_layer_sizes": (None, (2,), (3, 2)),
    "n_w_bits": (2, 3, 4),
    "n_a_bits": (2, 3, 4),
    "n_in_bits": (None, 2, 6),
    "n_accum_bits": (4, 6, 9),
    "activation": ("ReLU", "Tanh", "Sigmoid", "SiLU"),
    "neuron_sparsity": (0.0, 0.5),
    "max_epochs": (1, 4),
    "batch_size": (7, 64),
    "early_stopping": (False, True),
    "warm_start": (False,),
    "rounding": (None, "exact", "approximate"),
}
_SKORCH = {
    "rounding": (None, "exact", "exact", "approximate"),
    "rounding_bits": ("auto", 4),
}
_XGB = {
    "n_estimators": (1, 2, 4),
    "tree_method": (None, "exact", "hist"),
    "booster": (None, "gbtree", "dart"),
    "base_score": (None, 0.3),
    "reg_lambda": (0.0, 1.0),
    "min_child_weight": (0.0, 1.0),
    "n_jobs": (1,),
}
_LGBM = {
    "n_estimators": (1, 2, 4),
    "boosting_type": ("gbdt", "gbdt", "dart", "rf"),
    "num_leaves": (2, 4, 8),
    "max_depth": (-1, 2),
    "min_child_samples": (1, 5),
    "reg_lambda": (0.0, 1.0),
    "subsample_freq": (0, 1),
    "n_jobs": (1,),
}
_HIST = {
    "max_iter": (1, 2, 4),
    "l2_regularization": (0.0, 1.0),
    "max_bins": (4, 255),
    "early_stopping": (False, False, True),
    "interaction_cst": (None, "no_interactions"),
}
_SGD = {
    "penalty": ("l2", "l1", "elasticnet", None),
    "learning_rate": ("optimal", "invscaling", "constant", "adaptive"),
    "max_iter": (5, 1000),
}
_PATH = {"cv": (2, 3), "alphas": (1, 5), "selection": ("cyclic", "random")}
_SVM = {"loss": ("hinge", "squared_hinge"), "dual": (True, "auto"), "max_iter": (50, 1000)}
#: Values of hyper-parameters of one estimator.
_OWN_PARAMETERS: dict[str, dict[str, tuple[Any, ...]]] = {
    "AdaBoostClassifier": {**_FOREST, "estimator": (None, _DEEPER)},
    "BernoulliNB": {
        "alpha": (0.0, 0.1, 1.0, 10.0),
        "binarize": (0.0, 0.5, -3.0, None),
        "fit_prior": (True, False),
    },
    "DecisionTreeClassifier": {"criterion": ("gini", "entropy", "log_loss")},
    "DecisionTreeRegressor": {"criterion": ("squared_error", "absolute_error", "poisson")},
    "ElasticNet": {"selection": ("cyclic", "random")},
    "ElasticNetCV": {**_PATH, "l1_ratio": (0.1, 0.5, [0.5, 1.0])},
    "ExtraTreesClassifier": _FOREST,
    "ExtraTreesRegressor": _FOREST,
    "GammaRegressor": {"solver": ("lbfgs", "newton-cholesky")},
    "GaussianNB": {"var_smoothing": (1e-9, 1e-3, 0.0)},
    "GradientBoostingClassifier": {
        **_FOREST,
        "loss": ("log_loss", "exponential"),
        "init": (None, "zero"),
    },
    "GradientBoostingRegressor": {
        **_FOREST,
        "loss": ("squared_error", "absolute_error", "huber", "quantile"),
        "init": (None, "zero"),
        "alpha": (0.1, 0.9),
    },
    "HistGradientBoostingClassifier": _HIST,
    "HistGradientBoostingRegressor": {
        **_HIST,
        "loss": ("squared_error", "absolute_error", "gamma", "poisson", "quantile"),
        "quantile": (0.2, 0.9),
    },
    "HuberRegressor": {"epsilon": (1.0, 1.35, 5.0)},
    "IsolationForest": {
        **_FOREST,
        "contamination": ("auto", 0.2),
        "max_samples": (8, 0.5, "auto"),
    },
    "LassoCV": _PATH,
    "LGBMClassifier": _LGBM,
    "LGBMRegressor": {
        **_LGBM,
        "objective": (None, "l1", "poisson", "huber", "quantile"),
    },
    "LinearDiscriminantAnalysis": {
        "solver": ("svd", "lsqr", "eigen"),
        "shrinkage": (None, "auto", 0.5),
    },
    "LinearSVC": {**_SVM, "multi_class": ("ovr", "crammer_singer")},
    "LinearSVR": {**_SVM, "loss": ("epsilon_insensitive", "squared_epsilon_insensitive")},
    "LogisticRegression": {
        "solver": ("lbfgs", "newton-cg", "newton-cholesky", "liblinear", "saga"),
        "l1_ratio": (0.0,),
    },
    "LogisticRegressionCV": {
        "Cs": (1, 3),
        "cv": (2,),
        "l1_ratios": ((0,),),
        "refit": (True, False),
        "use_legacy_attributes": (True, False),
    },
    "NearestCentroid": {
        "shrink_threshold": (None, 0.1),
        "priors": ("uniform", "empirical"),
    },
    "NeuralNetClassifier": _NET,
    "NeuralNetRegressor": _NET,
    "OrthogonalMatchingPursuit": {"n_nonzero_coefs": (None, 1)},
    "Perceptron": {"penalty": ("l2", "l1", "elasticnet", None), "max_iter": (5, 1000)},
    "PoissonRegressor": {"solver": ("lbfgs", "newton-cholesky")},
    "RandomForestClassifier": _FOREST,
    "RandomForestRegressor": _FOREST,
    "Ridge": {"solver": ("auto", "svd", "cholesky", "lsqr", "sag"), "positive": (False,)},
    "RidgeCV": {"cv": (None, 2), "alpha_per_target": (False,)},
    "RidgeClassifier": {"solver": ("auto", "svd", "cholesky", "lsqr", "sag")},
    "SGDClassifier": {
        **_SGD,
        "loss": ("hinge", "log_loss", "modified_huber", "perceptron", "squared_error"),
    },
    "SGDRegressor": {
        **_SGD,
        "loss": ("squared_error", "huber", "epsilon_insensitive"),
    },
    "SkorchClassifier": _SKORCH,
    "SkorchRegressor": _SKORCH,
    "TweedieRegressor": {"power": (0.0, 1.0, 1.5, 2.0, 3.0), "link": ("auto", "log")},
    "XGBClassifier": _XGB,
    "XGBRegressor": {
        **_XGB,
        "objective": ("reg:squarederror", "count:poisson", "reg:absoluteerror"),
    },
}
#: One tree is all that stays of them without.
_FEW_TREES = {"n_estimators": 3, "max_iter": 3, "max_depth": 3}
_OF_SEVERAL_LABELS = (
    "DecisionTreeClassifier",
    "ExtraTreesClassifier",
    "RandomForestClassifier",
)
_NETS = {SkorchClassifier: nets.classifier, SkorchRegressor: nets.regressor}


class Case(NamedTuple):
    """An estimator, and what it is fitted on."""

    estimator: Any
    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    #: Whether it is the twin of a fitted parent.
    is_twin: bool
    #: Of the columns of X and y.
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        weights = "none" if self.sample_weight is None else self.sample_weight.tolist()
        return (
            f"{self.estimator!r}, twin: {self.is_twin}, X of {self.X.dtype} "
            f"{self.X.shape} ({', '.join(self.kinds)}), weights: {weights}"
        )


class _Draw:
    """Draws the parts of a case."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def one_of(self, options: Any) -> Any:
        return options[self.number(0, len(options) - 1)]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def n_rows(self) -> int:
        few, most = self.one_of([(1, 3), (4, 10), (11, 40), (11, 40), (11, 40), (60, 80)])
        return self.number(few, most)

    def column(self, n: int, former: list[np.ndarray]) -> tuple[str, np.ndarray]:
        """Return what kind of numbers a feature has, and the numbers."""
        normal = self.random.normal(size=n)
        kinds: dict[str, Any] = {
            "normal": lambda: normal,
            "scaled": lambda: normal * 10.0 ** self.number(-8, 8),
            "shifted": lambda: normal + 10.0 ** self.number(1, 9),
            "constant": lambda: np.full(n, self.one_of([0.0, 1.0, -1 / 3, 1e6, 1e-9])),
            "integers": lambda: self.random.integers(0, 5, n).astype(float),
            "flag": lambda: self.random.integers(0, 2, n).astype(float),
            "one row": lambda: (np.arange(n) == 0) * 1.0,
            "tailed": lambda: self.random.standard_cauchy(n),
            "huge": lambda: normal * 10.0 ** self.number(20, 36),
            "beyond": lambda: normal * 10.0 ** self.number(40, 300),
            "tiny": lambda: normal * 10.0 ** -self.number(20, 36),
            "vanishing": lambda: normal * 10.0 ** -self.number(100, 320),
            "neighbours": lambda: 1e6 * (1 + 2.0**-52 * self.random.integers(0, 4, n)),
            "copy": lambda: former[self.number(0, len(former) - 1)].copy(),
            "line": lambda: 2 * former[self.number(0, len(former) - 1)] + 1,
        }
        usual = ["normal", "normal", "scaled", "integers", "flag", "shifted"]
        odd = list(kinds) if former else list(kinds)[:-2]
        kind = self.one_of(usual) if self.chance(0.65) else self.one_of(odd)
        return kind, kinds[kind]()

    def features(self) -> tuple[list[str], np.ndarray]:
        n = self.n_rows()
        kinds: list[str] = []
        columns: list[np.ndarray] = []
        for _ in range(self.one_of([1, 2, 3, 3, 4, 5])):
            kind, numbers = self.column(n, columns)
            kinds.append(kind)
            columns.append(numbers)
        X = np.stack(columns, axis=1)
        if self.chance(0.15):
            kinds.append("rows repeated")
            X = X[self.random.integers(0, 1 + n // 4, n)]
        if self.chance(0.1) and np.abs(X).max() < 1e30:
            X = X.astype(np.float32)
        elif self.chance(0.1) and np.abs(X).max() < 2**62:
            X = X.astype(np.int64)
        return kinds, X

    def signal(self, X: np.ndarray) -> np.ndarray:
        """Return a function of the rows with noise, about as large as one."""
        ranks = X.argsort(axis=0).argsort(axis=0) / len(X) - 0.5
        weights = self.random.normal(size=X.shape[1])
        noise = self.random.normal(size=len(X))
        found: np.ndarray = ranks @ weights + self.one_of([0.0, 0.1, 1.0]) * noise
        return found

    def labels(self, X: np.ndarray, *, numbers: bool) -> np.ndarray:
        signal = self.signal(X)
        n_classes = self.one_of([2, 2, 3, 4])
        shares = np.sort(self.random.random(n_classes - 1))
        classes = np.searchsorted(np.quantile(signal, shares), signal)
        if numbers:
            return np.unique(classes, return_inverse=True)[1]
        names = self.one_of(
            [list("abcd"), [-7, 0, 3, 12], [0, 1, 2, 3], [0.0, 1.0, 2.0, 3.0]]
        )
        return np.array(names)[classes]

    def target(self, X: np.ndarray, *, positive: bool) -> tuple[str, np.ndarray]:
        signal = self.signal(X)
        kinds = {
            "plain": lambda: signal,
            "counts": lambda: np.rint(np.exp(np.clip(signal, -5, 5))),
            "shifted target": lambda: signal + 10.0 ** self.number(1, 12),
            "scaled target": lambda: signal * 10.0 ** self.number(-12, 12),
            "far target": lambda: signal + (np.arange(len(X)) == 0) * 1e6,
            "constant target": lambda: np.full(len(X), self.one_of([0.0, 2.5, 1e9])),
        }
        kind = self.one_of(list(kinds)) if self.chance(0.6) else "plain"
        y = kinds[kind]()
        return kind, np.abs(y) + 0.01 if positive else y

    def weights(self, n: int) -> np.ndarray:
        kinds = {
            "zeros": lambda: self.random.integers(0, 3, n),
            "real": lambda: self.random.random(n),
            "tiny": lambda: 1e-6 * self.random.random(n),
            "huge": lambda: 1e6 * self.random.integers(0, 2, n),
            "several scales": lambda: 10.0 ** self.random.integers(-6, 4, n),
        }
        weights = kinds[self.one_of(list(kinds))]().astype(float)
        weights[self.number(0, n - 1)] += weights.max() or 1.0
        return weights

    def n_bits(self, most: int) -> int | dict[str, int]:
        if self.chance(0.75):
            return self.one_of([1, 2, 4, 6, 8, 12, 14, 16, self.number(1, 16)][: 9 * most])
        parts = ["op_inputs", "op_weights", "model_inputs"]
        n_parts = self.number(1, 3)
        return {part: self.number(1, 16) for part in parts[:n_parts]}

    def parameters(self, name: str, defaults: dict[str, Any]) -> dict[str, Any]:
        own = _OWN_PARAMETERS.get(name, {})
        drawn = {
            key: self.one_of(own.get(key, _PARAMETERS.get(key)))
            for key in sorted(defaults)
            if (key in own or key in _PARAMETERS) and self.chance(0.5)
        }
        is_made_of_trees = "binning" in defaults
        few = {key: _FEW_TREES[key] for key in _FEW_TREES if is_made_of_trees}
        drawn |= {key: few[key] for key in few if key in defaults and key not in drawn}
        if "n_bits" in defaults:
            drawn["n_bits"] = self.n_bits(1)
        if "random_state" in defaults:
            drawn["random_state"] = self.number(0, 99)
        return drawn


def random_case(seed: int) -> Case:
    """Return the case of a seed; so many in a row have each estimator as there are."""
    draw = _Draw(seed)
    name, cls = ESTIMATORS[seed % len(ESTIMATORS)]
    args = ()
    if cls in _NETS:
        net = _NETS[cls](
            callbacks=[nets.ShapeSetter()],
            module__n_neurons=draw.number(1, 4),
            max_epochs=3,
        )
        args = (net,)
    estimator = cls(*args)
    estimator.set_params(**draw.parameters(name, estimator.get_params(deep=False)))
    if cls in _NETS:
        # Tables read integers of both.
        estimator.set_params(n_bits=draw.number(2, 6))
    kinds, X = draw.features()
    if is_classifier(estimator):
        y = draw.labels(X, numbers=name.startswith("XGB") or cls in _NETS)
        if name in _OF_SEVERAL_LABELS and draw.chance(0.15):
            y = np.stack([y, draw.labels(X, numbers=False)], axis=1)
    else:
        tags = get_tags(estimator).target_tags
        losses = ("gamma", "poisson", "count:poisson")
        positive = tags.positive_only or bool(
            {*losses} & {str(value) for value in estimator.get_params().values()}
        )
        kind, y = draw.target(X, positive=positive)
        kinds.append(kind)
        if is_regressor(estimator) and tags.multi_output and draw.chance(0.25):
            kind, more = draw.target(X, positive=positive)
            kinds.append(kind)
            y = np.stack([y, more], axis=1)
    weights = None
    takes_weights = "sample_weight" in inspect.signature(cls.fit).parameters
    if takes_weights and draw.chance(0.35):
        weights = draw.weights(len(X))
        if draw.chance(0.3) and X.dtype.kind == "f":
            kinds.append("far rows of weight zero")
            X[weights == 0] = 1e12
    is_twin = cls not in _NETS and not name.startswith("NeuralNet") and draw.chance(0.2)
    return Case(estimator, X, y, weights, is_twin, tuple(kinds))
