"""What estimators share that take the nearest rows of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from fhe_estimators._linear import LINEAR_CONSTRAINTS, LinearMixin
from fhe_estimators._sparse import dense_rows

if TYPE_CHECKING:
    from onnx import ModelProto


class NearestRowsMixin(LinearMixin):
    """Squared distances to all rows of training are computed encrypted.

    The client is given them, and takes the nearest.
    """

    _fhe_constraints = {
        **LINEAR_CONSTRAINTS,
        "reveal": [StrOptions({"distances"})],
        # Others are not linear in the row, even up to a common term.
        "metric": [StrOptions({"minkowski", "euclidean"})],
        "metric_params": [None],
        "weights": [StrOptions({"uniform", "distance"}), None],
    }

    _fit_X: np.ndarray
    _y: np.ndarray
    n_neighbors: int
    weights: str | None
    metric: str
    p: float
    reveal: str

    def __sklearn_tags__(self) -> Any:
        """Return tags that say that bootstraps are needed to reveal labels only."""
        tags = super().__sklearn_tags__()
        tags.fhe_tags.levelled = self.reveal != "labels"
        return tags

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        name = type(self).__name__
        if self.metric == "minkowski" and self.p != 2:
            raise ValueError(
                f"The parameter p={self.p!r} of {name} is no euclidean distance, the only "
                "one that is linear in the row up to a common term. Set p=2."
            )

    def _hold(self, model: Any) -> None:
        super()._hold(model)
        self._fit_X = dense_rows(self._fit_X)

    def _said(self) -> np.ndarray:
        """Return what each row of training says, (n_rows, n_outputs) (hook)."""
        raise NotImplementedError

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.scores import export_neighbors

        n_rows = len(self._fit_X)
        if self.n_neighbors > n_rows:
            raise ValueError(
                f"The parameter n_neighbors={self.n_neighbors} of {type(self).__name__} "
                f"must not be above n_samples = {n_rows}. Set fewer."
            )
        by_distance = self.weights == "distance"
        return export_neighbors(self._fit_X, self._said(), self.n_neighbors, by_distance)

    def _state(self) -> list[Any]:
        options = self.n_neighbors, str(self.weights), self.reveal
        return [np.asarray(self._fit_X), self._y, *options]

    def _rows_known(self) -> np.ndarray:
        return np.asarray(self._fit_X, np.float64)

    def _lower_again(self) -> None:
        self._quantize(np.asarray(self._fit_X, np.float64))

    def _means(self, X: Any) -> np.ndarray:
        """Return what the nearest rows say on the average, (n_samples, n_outputs)."""
        scores = self._scores(X, lambda rows: rows)
        means: np.ndarray = self.quantized_module_.clear_module.outputs(scores)[0]
        return means

    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        fhe: str | None = None,
    ) -> Any:
        """Return the nearest rows of training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), optional
            Those of the rows of training, in clear and without themselves, by default.
        n_neighbors : int, optional
            By default that of the constructor.
        return_distance : bool, default=True
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_neighbors)
            Only with `return_distance`.
        places : ndarray of shape (n_samples, n_neighbors)

        Raises
        ------
        ValueError
            With ``reveal="labels"``, unless `X` is left out.
        """
        if X is None:
            return super().kneighbors(None, n_neighbors, return_distance)  # type: ignore[misc]
        if self.reveal == "labels":
            raise ValueError(
                "The parameter reveal='labels' keeps distances and places from the client: "
                "call predict or predict_proba, or set reveal='distances'."
            )
        count = self.n_neighbors if n_neighbors is None else n_neighbors
        if not 1 <= count <= len(self._fit_X):
            raise ValueError(
                "Expected n_neighbors <= n_samples_fit and > 0, but n_neighbors = "
                f"{count}, n_samples_fit = {len(self._fit_X)}."
            )
        with self._mode(fhe):
            scores = self._scores(X, lambda rows: rows)
        places = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        if not return_distance:
            return places
        origin = self._fit_X.mean(axis=0, dtype=np.float64)
        shared = ((self._validated(X) - origin) ** 2).sum(axis=1)
        if self.weights == "distance":
            shared = np.zeros(len(shared))
        squares = shared[:, np.newaxis] - np.take_along_axis(scores, places, axis=1)
        return np.sqrt(np.maximum(squares, 0)), places
