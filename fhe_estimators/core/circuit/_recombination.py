"""What the client makes of decrypted integers before they are outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Recombination:
    """Outputs from results that hold parts of them: ``results @ scales + offset``.

    A sum that is too wide for cheap parameters is computed in several narrower ones, which
    the client adds up.

    Parameters
    ----------
    scales : ndarray of int64 of shape (n_results, n_outputs)
        How often each result counts in each output.
    offset : ndarray of int64 of shape (n_outputs,)
        What the results lack.
    """

    scales: np.ndarray
    offset: np.ndarray

    def __call__(self, results: ArrayLike) -> np.ndarray:
        """Return outputs.

        Parameters
        ----------
        results : array-like of int of shape (n_samples, n_results)

        Returns
        -------
        outputs : ndarray of int64 of shape (n_samples, n_outputs)
        """
        outputs: np.ndarray = np.asarray(results) @ self.scales + self.offset
        return outputs
