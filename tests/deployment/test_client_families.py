"""Clients of projections, neighbours and converted models."""

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import PCA, KMeans, KNeighborsClassifier, convert
from fhe_estimators.deployment._exported import Exported
from tests.deployment.deployed import Deployed, iris
from tests.deployment.test_exported import client_results


def voting():
    X, y = iris()
    members = [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))]
    fitted = make_pipeline(StandardScaler(), VotingClassifier(members, voting="soft"))
    return convert(fitted.fit(X, y), X)


@pytest.mark.fhe
@pytest.mark.parametrize(
    ("model", "method", "decrypted"),
    [
        (lambda: PCA(2).fit(iris()[0]), "transform", "decrypt_transform"),
        (lambda: KMeans(3, random_state=0).fit(iris()[0]), "predict", "decrypt_predict"),
        (lambda: KNeighborsClassifier().fit(*iris()), "predict_proba", "decrypt_proba"),
        (voting, "predict_proba", "decrypt_proba"),
    ],
    ids=["PCA", "KMeans", "KNeighborsClassifier", "VotingClassifier"],
)
def test_what_clients_decrypt(model, method, decrypted, tmp_path):
    deployed = Deployed.of(model(), tmp_path)
    rows = iris()[0][::50]
    answer = deployed.answer(rows)
    found = getattr(deployed.client, decrypted)(answer)
    np.testing.assert_allclose(found, getattr(deployed.model, method)(rows), atol=1e-12)
    if method == "transform":
        with pytest.raises(AttributeError, match="it has transform"):
            deployed.client.decrypt_predict(answer)
        assert deployed.client.classes is None


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_converted_models(kind):
    from fhe_estimators import ConvertedClassifier, ConvertedRegressor

    X, y = iris()
    model = ConvertedClassifier(LogisticRegression(max_iter=1000)).fit(X, y)
    if kind == "regressor":
        model = ConvertedRegressor(Ridge()).fit(X, X[:, :2])
    for method, found in client_results(model, X).items():
        expected = getattr(model, method)(X)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(found, expected, atol=1e-12)
        else:
            np.testing.assert_array_equal(found, expected)
    assert Exported.of(model).kind == type(model).__name__
