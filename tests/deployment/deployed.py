"""Small models, deployed."""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_iris

from fhe_estimators.deployment import Client, Manifest, Server, save_deployment


def iris(n_classes=3):
    """Rows of iris, and texts as labels."""
    X, y = load_iris(return_X_y=True)
    rows = y < n_classes
    return X[rows], np.array(["setosa", "versicolor", "virginica"])[y[rows]]


class Deployed(NamedTuple):
    """A model with both sides."""

    model: object
    folder: object
    manifest: Manifest
    client: Client
    server: Server

    @classmethod
    def of(cls, model, folder, **options):
        manifest = save_deployment(model, folder, **options)
        client, server = Client(folder / "client.zip"), Server(folder / "server.zip")
        return cls(model, folder, manifest, client, server)

    def answer(self, X):
        return self.server.run(self.client.encrypt(X), self.client.evaluation_keys)
