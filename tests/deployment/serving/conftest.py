"""A linear model and a small tree, deployed, and a server of both."""

from types import SimpleNamespace

import pytest
from sklearn.datasets import load_iris

from fhe_estimators import DecisionTreeClassifier, LogisticRegression
from fhe_estimators.deployment import save_deployment
from tests.deployment.serving.served import Served, free_port


@pytest.fixture(scope="session")
def deployed(tmp_path_factory):
    """A folder of deployments, the models, and rows."""
    folder = tmp_path_factory.mktemp("deployed")
    X, y = load_iris(return_X_y=True)
    models = {
        "linear": LogisticRegression().fit(X[:100], y[:100]),
        "tree": DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y),
    }
    for name, model in models.items():
        save_deployment(model, folder / name, name=name)
    return SimpleNamespace(folder=folder, X=X[::7], **models)


@pytest.fixture(scope="session")
def served(deployed):
    """A server, two tenants, and short times."""
    metrics_port = free_port()
    options = ("--body-seconds", "1.5", "--header-seconds", "2", "--workers", "2")
    options += ("--metrics-port", str(metrics_port))
    with Served.started(deployed.folder, *options) as served:
        served.metrics_port = metrics_port
        yield served
