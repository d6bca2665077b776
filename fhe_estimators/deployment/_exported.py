"""What of a model goes into a deployment."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from fhe_estimators._readings import Beside, Reading, read
from fhe_estimators.base import FHEMixin
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.quantized_module import QuantizedModule
from fhe_estimators.deployment._features import Features

#: Rows of results that methods are compared on.
_N_ROWS = 32
_CLOSE = 1e-12
_METHODS = ("predict", "predict_proba", "decision_function")


@dataclass(frozen=True)
class Exported:
    """A model, divided for deployment.

    Parameters
    ----------
    kind : str
        The class of the model.
    module : QuantizedModule
    circuit : Circuit
    readings : dict of str to sequence of Reading
    features : Features or None
    beside : Beside or None
    steps : sequence of (str, transformer)
        What precedes it in a pipeline.
    """

    kind: str
    module: QuantizedModule
    circuit: Circuit
    readings: Mapping[str, Sequence[Reading]]
    features: Features | None
    beside: Beside | None = None
    steps: Sequence[tuple[str, Any]] = ()

    @classmethod
    def of(cls, model: Any, explained: bool = False) -> Exported:
        """Return a fitted estimator, a pipeline, or a quantized module, divided.

        With `explained` results are what each term adds, see `save_deployment`.

        Raises
        ------
        TypeError
            If it is something else, or has no terms to explain with.
        NotFittedError
            If it is not fitted.
        """
        kind = type(model).__name__
        if isinstance(model, Pipeline):
            *steps, (_, last) = model.steps
            exported = cls.of(last, explained)
            used = [step for step in steps if step[1] not in (None, "passthrough")]
            return replace(exported, steps=[*used, *exported.steps])
        if explained and not hasattr(model, "_explained"):
            raise TypeError(
                "The parameter explained=True is for explainable boosting machines, whose "
                f"scores are sums of terms; got {kind}. Leave it out."
            )
        if isinstance(model, QuantizedModule):
            circuit = model.fhe_circuit if model.is_compiled else model.compile()
            whole = {"predict": [Reading(end=True, form="outputs")]}
            return cls(kind, model, circuit, whole, None)
        if not isinstance(model, FHEMixin):
            raise TypeError(
                "The parameter 'model' must be a fitted estimator of fhe_estimators, a "
                f"Pipeline that ends in one, or a QuantizedModule; got {kind}. Of a "
                "search, give its best_estimator_."
            )
        readings: Mapping[str, Sequence[Reading]] | None = None
        if explained:
            held: Any = model
            readings = {"eval_terms": held._term_readings()}
            if not readings["eval_terms"]:
                raise ValueError(f"{kind} has no terms: there is nothing to show.")
            model = held._explained()
        module = model.quantized_module
        circuit = module.fhe_circuit if module.is_compiled else model.compile()
        names = model._names_of_features
        features = Features(
            int(model.n_features_in_),
            None if names is None else [str(name) for name in names],
            np.dtype(model._feature_dtype).name,
            model._takes_spaces,
            model._table_rows(),
        )
        beside = model._term_of_rows()
        readings = model._readings() if readings is None else readings
        exported = cls(kind, module, circuit, readings, features, beside)
        exported._check_readings(model)
        return exported

    def _check_readings(self, model: Any) -> None:
        """Raise if a client would return anything but what the model's own methods do.

        They are given scores in place of those of rows.
        """
        circuit, ends = self.circuit, self.module.ends
        random = np.random.default_rng(0)
        results = tuple(
            random.integers(*value.bounds, (_N_ROWS, *value.shape[1:]), endpoint=True)  # type: ignore[index]
            for value in circuit.graph.outputs
        )
        if circuit.recombination is not None:
            results = tuple(map(circuit.recombination, results))
        scores = ends.dequantize(results)
        probe = _with_scores(model, scores)
        rows = random.normal(size=(_N_ROWS, model.n_features_in_))
        rows = rows.astype(model._feature_dtype)
        beside = None if self.beside is None else self.beside(rows)
        for method, readings in self.readings.items():
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = getattr(probe, method)(rows)
                found = read(readings, scores, ends.clear_module, method, beside)
            if not _same(expected, found):
                raise NotImplementedError(
                    f"What {self.kind}.{method} makes of raw scores is not known to "
                    "clients: it cannot be deployed. Please report it."
                )


def _with_scores(model: Any, scores: Sequence[np.ndarray]) -> Any:
    """Return a shallow copy of a model whose raw scores are given, whatever the rows."""
    probe = object.__new__(type(model))
    vars(probe).update(vars(model))
    given = scores[0] if len(scores) == 1 else tuple(scores)

    def answer(*_: Any, **__: Any) -> Any:
        # Some methods change scores in place.
        return given.copy() if isinstance(given, np.ndarray) else given

    vars(probe)["_scores"] = answer
    return probe


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, list):
        return isinstance(found, list) and all(map(_same, expected, found))
    if expected.shape != found.shape:
        return False
    if expected.dtype.kind != "f":
        return bool(np.array_equal(expected, found))
    return bool(np.allclose(expected, found, rtol=_CLOSE, atol=_CLOSE, equal_nan=True))
