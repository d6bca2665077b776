"""Values of hyper-parameters that random fits draw from."""

from __future__ import annotations

from typing import Any

from sklearn.tree import DecisionTreeClassifier

#: Values of hyper-parameters, for estimators that have them and are not listed below.
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "C": (1e-3, 1.0, 1e3),
    "alpha": (1e-6, 0.01, 1.0, 100.0),
    "average": (False, True),
    "binning": ("quantile", "uniform", "adaptive"),
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
_CATBOOST = {
    "iterations": (1, 2, 4),
    "depth": (1, 2, 4),
    "l2_leaf_reg": (None, 0.1),
    "grow_policy": (None, None, "Depthwise", "Lossguide"),
    "border_count": (None, 3, 40),
    "subsample": (None, 0.5),
    "thread_count": (1,),
}
_ADDITIVE = {
    "outer_bags": (1, 2),
    "max_rounds": (1, 5, 50),
    "learning_rate": (0.015, 0.3),
    "interactions": (0, 0, 1, 3),
    "max_bins": (None, 5, 40),
    "max_interaction_bins": (None, 4),
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
_NEIGHBORS = {"n_neighbors": (1, 2, 3), "weights": ("uniform", "distance", None)}
_SVM = {"loss": ("hinge", "squared_hinge"), "dual": (True, "auto"), "max_iter": (50, 1000)}
#: Values of hyper-parameters of one estimator.
OWN_PARAMETERS: dict[str, dict[str, tuple[Any, ...]]] = {
    "AdaBoostClassifier": {**_FOREST, "estimator": (None, _DEEPER)},
    "BernoulliNB": {
        "alpha": (0.0, 0.1, 1.0, 10.0),
        "binarize": (0.0, 0.5, -3.0, None),
        "fit_prior": (True, False),
    },
    "CatBoostClassifier": _CATBOOST,
    "CatBoostRegressor": {
        **_CATBOOST,
        "loss_function": ("RMSE", "MAE", "Quantile:alpha=0.9", "Poisson"),
    },
    "DecisionTreeClassifier": {"criterion": ("gini", "entropy", "log_loss")},
    "DecisionTreeRegressor": {"criterion": ("squared_error", "absolute_error", "poisson")},
    "ElasticNet": {"selection": ("cyclic", "random")},
    "ElasticNetCV": {**_PATH, "l1_ratio": (0.1, 0.5, [0.5, 1.0])},
    "ExplainableBoostingClassifier": _ADDITIVE,
    "ExplainableBoostingRegressor": {
        **_ADDITIVE,
        "objective": ("rmse", "poisson_deviance"),
    },
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
    "KMeans": {"n_clusters": (1, 2, 3), "n_init": (1,)},
    "KNeighborsClassifier": _NEIGHBORS,
    "KNeighborsRegressor": _NEIGHBORS,
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
    "MiniBatchKMeans": {"n_clusters": (1, 2, 3), "n_init": (1,), "max_iter": (5,)},
    "NearestCentroid": {
        "shrink_threshold": (None, 0.1),
        "priors": ("uniform", "empirical"),
    },
    "NeuralNetClassifier": _NET,
    "NeuralNetRegressor": _NET,
    "OneClassSVM": {"nu": (0.1, 0.5)},
    "OrthogonalMatchingPursuit": {"n_nonzero_coefs": (None, 1)},
    "PCA": {"n_components": (None, 1), "whiten": (False, True)},
    "PassiveAggressiveClassifier": {"loss": ("hinge", "squared_hinge")},
    "PassiveAggressiveRegressor": {
        "loss": ("epsilon_insensitive", "squared_epsilon_insensitive"),
    },
    "Perceptron": {"penalty": ("l2", "l1", "elasticnet", None), "max_iter": (5, 1000)},
    "PoissonRegressor": {"solver": ("lbfgs", "newton-cholesky")},
    "QuadraticDiscriminantAnalysis": {"reg_param": (0.0, 0.1, 0.5)},
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
    "SVC": {
        "break_ties": (False, True),
        "decision_function_shape": ("ovr",),
        "max_iter": (1000,),
    },
    "SVR": {"max_iter": (1000,)},
    "SkorchClassifier": _SKORCH,
    "SkorchRegressor": _SKORCH,
    "TruncatedSVD": {"n_components": (1,)},
    "TweedieRegressor": {"power": (0.0, 1.0, 1.5, 2.0, 3.0), "link": ("auto", "log")},
    "XGBClassifier": _XGB,
    "XGBRFClassifier": _XGB,
    "XGBRFRegressor": _XGB,
    "XGBRegressor": {
        **_XGB,
        "objective": ("reg:squarederror", "count:poisson", "reg:absoluteerror"),
    },
}
#: One tree is all that stays of them without.
FEW_TREES = {
    "n_estimators": 3,
    "iterations": 3,
    "max_iter": 3,
    "max_depth": 3,
    "max_rounds": 20,
}
