"""scikit-learn's estimators as torch modules. The only importer of hummingbird."""

from __future__ import annotations

import copy
import warnings
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fhe_estimators.exceptions import UnsupportedEstimatorError

#: hummingbird keeps tables of names in its modules, and sets how many threads torch uses.
_CONVERTING = Lock()


class HummingbirdScores(nn.Module):
    """What hummingbird makes of an estimator, in double precision.

    Parameters
    ----------
    executor : torch.nn.Module
        hummingbird's operators, with names of what they read and write.
    """

    def __init__(self, executor: Any) -> None:
        super().__init__()
        self.operators = executor._operators.double()
        self._inputs: list[str] = executor._input_names
        self._outputs: list[str] = executor._output_names

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, of shape (n_samples, n_outputs)."""
        values: dict[str, Any] = {self._inputs[0]: x}
        operators: Any = self.operators
        for operator in operators:
            found = operator(*(values[name] for name in operator.inputs))
            if len(operator.outputs) == 1:
                found = (found,)
            values.update(zip(operator.outputs, found, strict=True))
        scores: Any = values[self._outputs[-1]]
        if isinstance(scores, tuple):
            # Labels, then scores.
            scores = scores[-1]
        table: Tensor = scores.flatten(1) if scores.dim() > 1 else scores.unsqueeze(1)
        # Ones and zeros of categories come in single precision.
        return table.double()


def hummingbird_module(estimator: Any, X: np.ndarray) -> HummingbirdScores:
    """Return the scores of an estimator as a torch module.

    Parameters
    ----------
    estimator : estimator
        Fitted; one that hummingbird lists. It is not changed.
    X : ndarray of shape (n_samples, n_features)
        Some rows.

    Returns
    -------
    module : HummingbirdScores
        From rows in double precision.

    Raises
    ------
    UnsupportedEstimatorError
        If hummingbird does not convert it.
    """
    import hummingbird.ml
    from hummingbird.ml.exceptions import MissingConverter

    # It takes classes that are numbers only.
    numbered = copy.copy(estimator)
    if "classes_" in vars(numbered):
        numbered.classes_ = np.arange(len(numbered.classes_))
    name = type(estimator).__name__
    with _CONVERTING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"n_threads": torch.get_num_threads(), "container": False}
        rows = np.asarray(X[:2], np.float32)
        try:
            executor = hummingbird.ml.convert(numbered, "torch", rows, extra_config=options)
        except MissingConverter as error:
            raise UnsupportedEstimatorError(
                f"{name} has no encrypted form: neither a class of fhe_estimators nor "
                "hummingbird-ml knows it."
            ) from error
        except Exception as error:  # whatever an estimator of an odd shape makes it raise
            raise UnsupportedEstimatorError(
                f"{name} has no encrypted form: hummingbird-ml, which converts this class, "
                f"does not convert this model: {error}"
            ) from error
    return HummingbirdScores(copy.deepcopy(executor)).eval()
