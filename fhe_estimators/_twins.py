"""Models that were fitted elsewhere: held, and lowered to integers as they are."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection
from typing import Any, ClassVar

from sklearn.utils.validation import check_is_fitted

from fhe_estimators._parents import MirroringMixin, parent_of, public_name

__all__ = ["TwinMixin"]


class TwinMixin(MirroringMixin):
    """Makes the encrypted twin of a fitted model; families say what they need for it."""

    _fhe_constraints: ClassVar[dict[str, list[Any]]]
    _check_fhe_parameters: Callable[[], None]
    _lower: Callable[[Any], None]

    @classmethod
    def from_sklearn_model(
        cls,
        model: Any,
        X: Any = None,
        *,
        n_bits: Any = None,
        p_error: float | None = None,
        **parameters: Any,
    ) -> Any:
        """Return the encrypted twin of a model that is already fitted.

        Parameters
        ----------
        model : estimator
            A fitted instance of the class that this class mirrors; `SkorchClassifier` and
            `SkorchRegressor` take nets of skorch, `ConvertedClassifier` and its like what
            can be converted. It is neither changed nor fitted again.
        X : array-like of shape (n_samples, n_features), optional
            Rows like those that it was fitted on: they give the ranges of the features.
            Models that know them need none: trees, whose thresholds are the edges of bins,
            `BernoulliNB`, neighbours, and `ConvertedClassifier` and `ConvertedRegressor` of
            trees, of `KernelRidge` and of `CategoricalNB`. To trees `X` tells how precise
            leaves must be and which features may be missing; by default every leaf counts
            as much, and those may be missing of which the model knows it.
        n_bits : int or dict, optional
            As in the constructor, with its default. By default trees keep their own
            thresholds: every row ends in the leaves that it ends in without encryption, and
            the client sees the thresholds. With `n_bits` their bins are those that `fit`
            would use, which takes `X`, and every threshold of the twin moves to the nearest
            edge: all of its methods, ``apply`` too, see the bins only, as after `fit`.
        p_error : float in (0, 1), optional
            As in the constructor, with its default.
        **parameters : dict
            Others that say how a model is encrypted, as in the constructor: ``binning`` of
            trees, ``range_margin`` of linear models, ``rounding_bits`` of converted ones.

        Returns
        -------
        estimator : instance of this class
            Fitted. Of a net of skorch its classes are the numbers that the net predicts.

        Raises
        ------
        TypeError
            If `model` is of another class, if `X` is missing where it is needed, or if
            there is no such parameter. `UnsupportedEstimatorError`, which is one, if
            `model` has no encrypted form.
        ValueError
            If a parameter is not valid, or if `n_bits` of trees is given without `X`.
        NotFittedError
            If `model` is not fitted.

        Notes
        -----
        On the model's own thresholds a single tree predicts exactly what the model does.
        Several trees do up to float precision where the client is given the numbers of
        their leaves. Where it is given their sum, leaves are rounded: raw scores change by
        about 1/4096 of what most of them differ by, and of no row by more than
        ``twin.quantized_module_.output_quantizers[0].rounding_error_bound``, an array of
        shape (n_outputs,) that is zero where nothing is rounded.
        """
        cls._check_names(parameters)
        twin = cls._holder(model, X)
        ours = {"n_bits": n_bits, "p_error": p_error}
        given = {name: value for name, value in ours.items() if value is not None}
        given |= parameters
        twin.set_params(**given)
        twin._check_fhe_parameters()
        twin._lower_held(X, given.keys())
        return twin

    @classmethod
    def _check_names(cls, names: Collection[str]) -> None:
        """Raise if there are no such parameters of how a model is encrypted.

        Those of the mirrored class, whose values the family restricts, say what a model is.
        """
        theirs: set[str] = set()
        bases: tuple[Any, ...] = cls.__mro__
        for base in bases:
            if not base.__module__.startswith("fhe_estimators."):
                theirs.update(inspect.signature(base.__init__).parameters)
        known = {"n_bits", "p_error", *cls._fhe_constraints.keys() - theirs}
        wrong = sorted(set(names) - known)
        if wrong:
            raise TypeError(
                f"from_sklearn_model of {cls.__name__} takes the parameters "
                f"{', '.join(sorted(known))}; got {wrong[0]}. What else a model is follows "
                "from the fitted one."
            )

    @classmethod
    def _holder(cls, model: Any, X: Any = None) -> Any:
        """Return an estimator that holds all that a fitted model of the parent holds."""
        mirrored = parent_of(cls)
        if not isinstance(model, mirrored):
            raise TypeError(
                f"from_sklearn_model of {cls.__name__} takes a fitted "
                f"{public_name(mirrored)}; got {type(model).__name__}."
            )
        check_is_fitted(model)
        twin: Any = cls()
        twin._hold(model)
        # Not all that the parent takes can be encrypted.
        twin._validate_params()
        return twin

    @classmethod
    def _copy_of(cls, model: Any) -> Any:
        """Return an estimator with copies of all attributes of one, parameters too."""
        twin: Any = cls.__new__(cls)
        vars(twin).update(vars(copy.deepcopy(model)))
        return twin

    def _hold(self, model: Any) -> None:
        """Hold copies of all that a fitted model of the parent holds (hook)."""
        for name, value in vars(model).items():
            setattr(self, name, copy.deepcopy(value))

    def _lower_held(self, X: Any, given: Collection[str]) -> None:
        """Lower the model that is held to integers (hook of the family)."""
        rows = self._rows_known() if X is None else X
        if rows is None:
            raise self._no_rows()
        self._lower(rows)

    def _rows_known(self) -> Any:
        """Return rows that stand for those of `fit`, or None if there are none (hook)."""
        return None

    @classmethod
    def _no_rows(cls) -> TypeError:
        """Return the error for rows that are missing."""
        return TypeError(
            f"from_sklearn_model of {cls.__name__} needs rows X like those that the model "
            "was fitted on: the model does not know the ranges of its features. Pass X."
        )
