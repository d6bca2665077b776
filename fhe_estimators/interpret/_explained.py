"""What each term adds for encrypted rows: a second circuit, whose outputs are the terms."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from interpret.utils import inv_link
from interpret.utils._explanation import gen_local_selector, gen_perf_dicts
from sklearn.utils.validation import check_is_fitted

from fhe_estimators._config import check_fhe_mode, current_mode
from fhe_estimators._fit import refuse
from fhe_estimators._readings import Reading

__all__ = ["ExplainedMixin"]


class ExplainedMixin:
    """Explanations of encrypted rows; stands left of `TreeMixin`."""

    #: Whether raw scores are the terms one by one, not their sum.
    _outputs_are_terms = False
    #: The same model with terms for outputs, and the module of the sum that it belongs to.
    _terms_of: tuple[Any, Any] = (None, None)

    _base: np.ndarray
    _feature_dtype: ClassVar[type]
    classes_: np.ndarray
    intercept_: Any
    link_: str
    link_param_: float
    n_features_in_: int
    quantized_module: Any
    term_features_: list[tuple[int, ...]]

    @property
    def _saturation(self) -> float | None:
        """How far apart raw scores may be for their difference to matter."""
        found: float | None = super()._saturation  # type: ignore[misc]
        return None if self._outputs_are_terms else found

    def _explained(self) -> Any:
        """Return the same model with terms for outputs, a circuit and keys of its own.

        It belongs to what is fitted now: of another fit there is another one.
        """
        check_is_fitted(self)
        module = self.quantized_module
        if self._terms_of[0] is not module:
            view = type(self).__new__(type(self))
            vars(view).update(vars(self))
            vars(view).pop("_terms_of", None)
            view._outputs_are_terms = True
            rows: np.ndarray = np.empty((0, self.n_features_in_), self._feature_dtype)
            view._quantize(rows)  # type: ignore[attr-defined]
            self._terms_of = module, view
        return self._terms_of[1]

    def _term_readings(self) -> list[Reading]:
        """Return what `eval_terms` makes of the raw scores of `_explained`: one a term."""
        n_outputs = len(self._base)
        form = "vector" if n_outputs == 1 else "table"
        return [
            Reading(columns=(start, start + n_outputs), form=form)
            for start in range(0, len(self.term_features_) * n_outputs, n_outputs)
        ]

    def eval_terms(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return what each term adds to the score of each row.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How terms are evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows, by a circuit of their own, whose keys are its
            own, too. By default, where `config_context` says nothing else, they are
            interpret's, in floating point.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_terms) or (n_samples, n_terms, n_classes)

        Notes
        -----
        Terms of encrypted rows show the model to who decrypts them: each row tells a value
        of each curve. Serve them to those only who may know it.
        """
        if not self._outputs_are_terms and fhe is None and current_mode() == "disable":
            found: np.ndarray = super().eval_terms(X)  # type: ignore[misc]
            return found
        if fhe is not None:
            check_fhe_mode(fhe)
        if not self.term_features_:
            raise ValueError(
                f"{type(self).__name__} has no terms: there is nothing to show."
            )
        view: Any = self if self._outputs_are_terms else self._explained()
        with view._mode(fhe):
            scores = view._scores(X, super().eval_terms)  # type: ignore[misc]
        each: np.ndarray = scores.reshape(len(scores), len(self.term_features_), -1)
        return each[:, :, 0] if each.shape[2] == 1 else each

    def explain_local(
        self,
        X: Any,
        y: Any = None,
        name: str | None = None,
        init_score: Any = None,
        *,
        fhe: str | None = None,
    ) -> Any:
        """Explain predictions by what each term adds.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), optional
            What is right, to be shown beside predictions.
        name : str, optional
            Of the explanation.
        init_score : array-like of shape (n_samples,) or (n_samples, n_classes), optional
            Scores that are added to those of the terms; has to be None where terms are not
            interpret's own.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `eval_terms`: the terms, and the predictions as their sum.

        Returns
        -------
        explanation : interpret's explanation
            Its curves, of the whole model, are in clear.
        """
        own = fhe is None and current_mode() == "disable"
        if init_score is not None and not own:
            refuse("init_score", type(init_score).__name__, [None])
        found = super().explain_local(X, y, name, init_score)  # type: ignore[misc]
        if own:
            return found
        scores = self.eval_terms(X, fhe=fhe)
        labels = getattr(self, "classes_", None)
        content = found._internal_obj
        frames = {of["explanation_type"]: of["value"] for of in content["mli"]}
        intercept = np.ravel(self.intercept_)
        sums = scores.sum(axis=1) + (intercept if len(intercept) > 1 else intercept[0])
        predicted = inv_link(sums, self.link_, self.link_param_)
        right = frames["evaluation_dataset"]["dataset_y"]
        shown = gen_perf_dicts(predicted, right, labels is not None, labels)
        for row, of_row, performance in zip(
            content["specific"], scores, shown, strict=True
        ):
            row.update(scores=list(of_row), perf=performance)
        frames["ebm_local"]["perf"] = shown
        found.selector = gen_local_selector(
            content["specific"], is_classification=labels is not None
        )
        return found
