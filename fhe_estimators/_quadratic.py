"""What estimators share whose raw score is a quadratic form of the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fhe_estimators._linear import LinearMixin
from fhe_estimators.base import FHE_CONSTRAINTS, FHEMixin

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Forms", "QuadraticMixin"]


class Forms(NamedTuple):
    """Scores ``constant - weight / 2 * (x - center) @ precision @ (x - center)``.

    Parameters
    ----------
    centers : ndarray of shape (n_outputs, n_features)
    precisions : ndarray of shape (n_outputs, n_features, n_features)
        Symmetric.
    constants : ndarray of shape (n_outputs,)
    """

    centers: np.ndarray
    precisions: np.ndarray
    constants: np.ndarray


class QuadraticMixin(LinearMixin):
    """The raw score is linear in features and in products of two of them.

    The client multiplies the features, standardized, before it encrypts.
    """

    _fhe_constraints = FHE_CONSTRAINTS
    _CLIPPING_CURE = FHEMixin._CLIPPING_CURE
    #: No parameter: beside the products of numbers far away the others would vanish.
    range_margin = "auto"

    def _forms(self) -> Forms:
        """Return the quadratic forms (hook)."""
        raise NotImplementedError

    def _state(self) -> list[Any]:
        return [np.asarray(part, np.float64) for part in self._forms()]

    def _to_onnx(self) -> ModelProto:
        """Export the scores as linear in ``z = (x - mean) / scale`` and in products.

        With ``d = (mean - center) / scale`` and ``P = scale * precision * scale`` a score
        is ``constant - (z + d) P (z + d) / 2``.
        """
        from fhe_estimators.core.frontends.scores import export_form

        centers, precisions, constants = self._forms()
        mean = centers.mean(axis=0)
        diagonal = precisions.diagonal(axis1=1, axis2=2).mean(axis=0)
        scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        offset = (mean - centers) / scale
        scaled = precisions * scale[:, np.newaxis] * scale
        tilted = np.einsum("kij,kj->ki", scaled, offset)
        first, second = np.triu_indices(len(mean))
        products = -scaled[:, first, second]
        products[:, first == second] /= 2
        intercept = constants - (tilted * offset).sum(axis=1) / 2
        return export_form(mean, scale, np.hstack([-tilted, products]), intercept)
