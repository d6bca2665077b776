"""The linear family against scikit-learn: every solver and option, links, bits."""

import numpy as np
import pytest
import sklearn.base
from sklearn.datasets import make_classification
from sklearn.linear_model import TweedieRegressor as SklearnTweedieRegressor
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler, minmax_scale

import fhe_estimators as fe
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.base import parent_of
from fhe_estimators.testing import all_estimators

FAMILY = [
    cls
    for _, cls in all_estimators()
    if not issubclass(cls, TreeMixin) and "neural_network" not in cls.__module__
]

#: Those whose methods make something else of raw scores, or sum over support vectors.
SCORES_ARE_READ = {
    *("EllipticEnvelope", "KMeans", "MiniBatchKMeans", "NearestCentroid", "OneClassSVM"),
    *("QuadraticDiscriminantAnalysis", "SVC", "SVR"),
}

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
)


def twins(name, X, y, **parameters):
    """Return our estimator with 16 bits and scikit-learn's, fitted alike."""
    cls = getattr(fe, name)
    if "random_state" in cls().get_params():
        parameters["random_state"] = 0
    return (
        cls(n_bits=16, **parameters).fit(X, y),
        parent_of(cls)(**parameters).fit(X, y),
    )


def tolerance(model, X):
    """1e-3, and more where scores are so steep that 16 bits of input do not tell it.

    Rounding a feature to 16 bits changes a score by up to ``2**-17`` of what the feature
    adds to it over its range, and a probability by at most half of that.
    """
    contributions = (np.abs(model._linear_map()[0]) * np.ptp(X, axis=0)).sum(axis=1)
    return max(1e-3, 2**-18 * contributions.max()) if contributions.max() > 1000 else 1e-3


def assert_same(ours, theirs, X, scale=1.0):
    """All results are within 1e-3 of scikit-learn's (of `scale`, for regressors)."""
    methods = [
        name
        for name in ("predict", "predict_proba", "decision_function")
        if hasattr(theirs, name)
    ]
    assert [m for m in methods if hasattr(ours, m)] == methods
    for method in methods:
        expected, result = getattr(theirs, method)(X), getattr(ours, method)(X)
        assert result.shape == expected.shape
        if method == "predict" and sklearn.base.is_classifier(ours):
            assert np.mean(result != expected) <= 0.005
        elif method == "predict_proba":
            np.testing.assert_allclose(result, expected, atol=tolerance(ours, X), rtol=0)
            np.testing.assert_allclose(result.sum(axis=1), 1)
        else:
            size = max(scale, np.abs(expected).max())
            np.testing.assert_allclose(result / size, expected / size, atol=1e-3, rtol=0)


@pytest.fixture(scope="module", params=["wine", "breast_cancer"])
def classes(request):
    """Train and test rows of three and of two classes, scaled."""
    X, y = request.getfixturevalue(request.param)
    return train_test_split(StandardScaler().fit_transform(X), y, random_state=0)


LOGISTIC = [
    {"solver": solver, **options}
    for solver, options in [
        ("lbfgs", {}),
        ("lbfgs", {"C": np.inf}),
        ("newton-cg", {}),
        ("newton-cholesky", {"class_weight": "balanced"}),
        ("sag", {}),
        ("saga", {"l1_ratio": 1.0, "C": 0.1}),
        ("saga", {"l1_ratio": 0.5}),
        ("lbfgs", {"fit_intercept": False}),
        ("liblinear", {}),
        ("liblinear", {"l1_ratio": 1.0}),
        ("liblinear", {"dual": True, "intercept_scaling": 10.0}),
    ]
]


@pytest.mark.parametrize("options", LOGISTIC, ids=str)
def test_logistic_regression(classes, options):
    X, X_test, y, _ = classes
    if options["solver"] == "liblinear" and len(np.unique(y)) > 2:
        with pytest.raises(ValueError, match="liblinear"):
            fe.LogisticRegression(**options).fit(X, y)
        return
    assert_same(*twins("LogisticRegression", X, y, **options), X_test)


@pytest.mark.parametrize(
    "loss",
    [
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
    ],
)
@pytest.mark.parametrize(
    "options", [{}, {"early_stopping": True}, {"average": True}], ids=str
)
def test_sgd_classifier(classes, loss, options):
    X, X_test, y, _ = classes
    assert_same(*twins("SGDClassifier", X, y, loss=loss, **options), X_test)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RidgeClassifier", {}),
        ("RidgeClassifier", {"class_weight": "balanced", "solver": "lsqr"}),
        ("RidgeClassifier", {"positive": True, "solver": "lbfgs"}),
        ("LinearSVC", {}),
        ("LinearSVC", {"loss": "hinge"}),
        ("LinearSVC", {"penalty": "l1"}),
        ("LinearSVC", {"multi_class": "crammer_singer"}),
        ("LinearDiscriminantAnalysis", {}),
        ("LinearDiscriminantAnalysis", {"solver": "lsqr", "shrinkage": "auto"}),
        ("LinearDiscriminantAnalysis", {"solver": "eigen", "shrinkage": 0.5}),
        ("NearestCentroid", {}),
        ("NearestCentroid", {"priors": "empirical"}),
        ("NearestCentroid", {"shrink_threshold": 0.2}),
    ],
    ids=str,
)
def test_other_classifiers(classes, name, options):
    X, X_test, y, _ = classes
    assert_same(*twins(name, X, y, **options), X_test)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LinearRegression", {}),
        ("LinearRegression", {"positive": True}),
        ("LinearRegression", {"fit_intercept": False}),
        *[
            ("Ridge", {"solver": solver})
            for solver in ("svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga")
        ],
        ("Ridge", {"positive": True}),
        ("Lasso", {}),
        ("Lasso", {"positive": True, "selection": "random"}),
        ("ElasticNet", {"l1_ratio": 0.1}),
        ("ElasticNet", {"precompute": True}),
        *[
            ("SGDRegressor", {"loss": loss})
            for loss in (
                "squared_error",
                "huber",
                "epsilon_insensitive",
                "squared_epsilon_insensitive",
            )
        ],
        ("SGDRegressor", {"early_stopping": True, "average": True}),
        ("LinearSVR", {}),
        ("LinearSVR", {"loss": "squared_epsilon_insensitive"}),
        ("PoissonRegressor", {}),
        ("PoissonRegressor", {"solver": "newton-cholesky"}),
        ("GammaRegressor", {}),
        ("TweedieRegressor", {}),
        ("TweedieRegressor", {"power": 1.5, "link": "log"}),
        ("TweedieRegressor", {"power": 3}),
    ],
    ids=str,
)
def test_regressors(diabetes, name, options):
    X, y = diabetes
    X = StandardScaler().fit_transform(X)
    X, X_test, y, _ = train_test_split(X, y, random_state=0)
    assert_same(*twins(name, X, y, **options), X_test)


@pytest.mark.parametrize("name", ["LinearRegression", "Ridge", "Lasso", "ElasticNet"])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_several_targets(diabetes, name, n_targets):
    X, y = diabetes
    targets = np.stack([y, -2 * y, X[:, 0]], axis=1)[:, :n_targets]
    assert_same(*twins(name, X, targets), X)


def test_several_labels(wine):
    """RidgeClassifier predicts an indicator matrix for a multilabel target."""
    X, y = wine
    labels = np.stack([y == 0, y == 1, y > 0], axis=1).astype(int)
    ours, theirs = twins("RidgeClassifier", X, labels)
    assert np.mean(ours.predict(X) != theirs.predict(X)) <= 0.005
    assert_same(ours, theirs, X[:0] if len(X) == 0 else X[:1])


@pytest.mark.parametrize("power", [0, 1, 1.5, 2])
def test_glm_score_is_the_deviance(diabetes, power):
    X, y = diabetes
    ours = fe.TweedieRegressor(power=power, n_bits=16, solver="newton-cholesky").fit(X, y)
    theirs = SklearnTweedieRegressor(power=power, solver="newton-cholesky").fit(X, y)
    assert abs(ours.score(X, y) - theirs.score(X, y)) < 1e-3


# Unscaled data -------------------------------------------------------------------------


def scores(cls, X, y, folds, **parameters):
    return np.mean(
        [cls(**parameters).fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds.split(X, y)]
    )


@pytest.mark.parametrize("data", ["wine", "breast_cancer"])
@pytest.mark.parametrize(("n_bits", "loss"), [(8, 0.005), (4, 0.02)])
def test_accuracy_on_unscaled_data(request, data, n_bits, loss):
    X, y = request.getfixturevalue(data)
    options = {"solver": "newton-cholesky"}
    folds = StratifiedKFold(5)
    clear = scores(parent_of(fe.LogisticRegression), X, y, folds, **options)
    ours = scores(fe.LogisticRegression, X, y, folds, n_bits=n_bits, **options)
    assert ours >= clear - loss


@pytest.mark.parametrize("name", ["LinearRegression", "Ridge"])
def test_r2_on_unscaled_data(diabetes, breast_cancer, name):
    cancer = breast_cancer[0]
    for X, y in (diabetes, (cancer[:, 1:], cancer[:, 0])):
        cls, folds = getattr(fe, name), KFold(5, shuffle=True, random_state=0)
        clear = scores(parent_of(cls), X, y, folds)
        assert abs(scores(cls, X, y, folds) - clear) < 0.01


# What scikit-learn's classes do beside predicting --------------------------------------


@pytest.mark.parametrize("name", ["SGDClassifier", "SGDRegressor"])
def test_partial_fit(diabetes, wine, name):
    """Batches widen the range of inputs; results follow the parent's."""
    X, y = wine if name == "SGDClassifier" else diabetes
    X = StandardScaler().fit_transform(X)
    order = np.argsort(X[:, 0])  # the second batch lies outside of the first one's range
    X, y = X[order], y[order]
    ours = getattr(fe, name)(n_bits=16, random_state=0)
    theirs = parent_of(type(ours))(random_state=0)
    half = len(X) // 2
    first = {"classes": np.unique(y)} if name == "SGDClassifier" else {}
    for model in (ours, theirs):
        model.partial_fit(X[:half], y[:half], **first)
        model.partial_fit(X[half:], y[half:])
    assert_same(ours, theirs, X)


def test_warm_start_and_sparsify(wine):
    X, y = wine
    model = fe.LogisticRegression(warm_start=True, max_iter=5, n_bits=16).fit(X, y)
    before = model.n_iter_.max()
    model.set_params(max_iter=200).fit(X, y)
    assert model.n_iter_.max() > before
    expected = model.predict_proba(X)
    model.sparsify()
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    model.densify().fit(X, y)


def test_discriminant_analysis_still_transforms(wine):
    X, y = wine
    ours, theirs = twins("LinearDiscriminantAnalysis", X, y)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X))
    frame = ours.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == [
        "lineardiscriminantanalysis0",
        "lineardiscriminantanalysis1",
    ]


def test_nearest_centroid_refuses_what_is_not_linear(wine):
    with pytest.raises(ValueError, match=r"'metric'.*'euclidean'.*'manhattan'"):
        fe.NearestCentroid(metric="manhattan").fit(*wine)


def test_from_sklearn_model_of_another_class(wine):
    X, y = wine
    ridge = parent_of(fe.RidgeClassifier)().fit(X, y)
    with pytest.raises(TypeError, match=r"LogisticRegression.*RidgeClassifier"):
        fe.LogisticRegression.from_sklearn_model(ridge, X)


def test_from_sklearn_model_keeps_the_model(wine):
    """The twin has the model's parameters, shares nothing with it, is not refit."""
    X, y = wine
    model = parent_of(fe.LogisticRegression)(C=0.3, solver="newton-cholesky").fit(X, y)
    twin = fe.LogisticRegression.from_sklearn_model(model, X)
    assert twin.C == 0.3
    assert twin.n_bits == 8
    np.testing.assert_array_equal(twin.coef_, model.coef_)
    assert twin.coef_ is not model.coef_
    np.testing.assert_array_equal(twin.classes_, model.classes_)
    assert not hasattr(model, "quantized_module_")


def test_every_circuit_is_without_bootstrap(wine):
    """The linear family costs no table at all."""
    X, y = wine
    X, y = minmax_scale(X)[::2], y[::2]
    for cls in FAMILY:
        model = cls()
        if not sklearn.base.is_classifier(model):
            y = y + 1.0
        model.fit(X, y)
        assert not any(node.op == "TableLookup" for node in model.quantized_module.graph), (
            cls.__name__
        )


def test_the_example_of_the_documentation(tmp_path):
    """The example that the project started from runs with the import changed."""
    import onnx

    x, y = make_classification(n_samples=250, class_sep=2, n_features=30, random_state=42)
    X_train, X_test, y_train, y_test = train_test_split(
        x, y, test_size=0.4, random_state=42
    )
    model = fe.LogisticRegression(n_bits=8)
    model.fit(X_train, y_train)
    onnx_model = model.onnx_model
    assert "Gemm" in onnx.helper.printable_graph(onnx_model.graph)
    onnx.save(onnx_model, tmp_path / "tmp.onnx")
    onnx.checker.check_model(str(tmp_path / "tmp.onnx"))
    assert model.score(X_test, y_test) > 0.9


@pytest.mark.parametrize("name", [cls.__name__ for cls in FAMILY])
def test_onnx_model_in_onnxruntime(wine, name):
    """Another runtime computes the same from the exported model."""
    import onnxruntime

    X, y = wine
    # On rows that are not scaled it would take half a minute.
    options = {"max_iter": 10_000} if name == "SVR" else {}
    ours, theirs = twins(name, X, y if "Regress" not in name else y + 1.0, **options)
    session = onnxruntime.InferenceSession(ours.onnx_model.SerializeToString())
    (output,) = session.run(None, {"input": X})
    from fhe_estimators.core.numpy_module import NumpyModule

    near = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(output, NumpyModule(ours.onnx_model)(X), **near)
    for method in ("predict_proba", "decision_function", "predict"):
        if hasattr(theirs, method) and name not in SCORES_ARE_READ:
            expected = getattr(theirs, method)(X)
            np.testing.assert_allclose(output.reshape(expected.shape), expected, **near)
            break


def test_distances_to_centroids_do_not_depend_on_offsets(wine):
    """Squares of far features are never subtracted from each other."""
    X, y = wine
    X = np.round(X[:, :3] * 64) / 64
    near, far = (fe.NearestCentroid(n_bits=16).fit(X + by, y) for by in (0, 2.0**30))
    assert np.mean(far.predict(X + 2.0**30) == near.predict(X)) > 0.99
    np.testing.assert_allclose(
        far.decision_function(X + 2.0**30), near.decision_function(X), atol=0.01
    )
