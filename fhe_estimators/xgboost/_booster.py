"""What the estimators of XGBoost share: trees from and to its JSON, margins, labels."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost
from scipy.special import logit
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, check_non_negative

from fhe_estimators._boosting import LibraryMixin
from fhe_estimators._fit import refuse
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._tree_based import TREE_CONSTRAINTS
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin
from fhe_estimators.xgboost._categories import CategoriesMixin
from fhe_estimators.xgboost._document import (
    model_of,
    next_float,
    nodes_of,
    right_categories,
    trees_of,
)

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays


def _same(margin: np.ndarray) -> np.ndarray:
    return margin


def _log(mean: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(mean, np.finfo(np.float64).tiny))


def _logit(probability: np.ndarray) -> np.ndarray:
    # The library clips so, in single precision.
    low = np.float32(1e-6)
    return logit(np.clip(probability, low, np.float32(1) - low))


#: The link of an objective, a key of `frontends.torch.LINKS`, and its inverse, which turns
#: the parameter `base_score` into a margin.
_OBJECTIVES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    **dict.fromkeys(("binary:logistic", "reg:logistic"), ("expit", _logit)),
    "binary:hinge": ("step", _same),
    "binary:logitraw": ("identity", _same),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), ("exp", _log)),
    **dict.fromkeys(("multi:softmax", "multi:softprob"), ("softmax", _same)),
    **dict.fromkeys(
        (
            "reg:absoluteerror",
            "reg:pseudohubererror",
            "reg:quantileerror",
            "reg:squarederror",
            "reg:squaredlogerror",
        ),
        ("identity", _same),
    ),
}


class BoosterMixin(CategoriesMixin, LibraryMixin):
    """For the estimators of XGBoost; stands left of them, `MarginModel` right.

    After `fit` the thresholds of the booster are edges of bins, too.
    """

    _fhe_constraints = _parameter_constraints = {
        **TREE_CONSTRAINTS,
        "objective": [StrOptions(set(_OBJECTIVES)), None],
        "booster": [StrOptions({"gbtree", "dart"}), None],
        "missing": [np.nan, Interval(Real, None, None, closed="neither")],
        "multi_strategy": [StrOptions({"one_output_per_tree"}), None],
    }

    get_booster: Callable[[], xgboost.Booster]
    _get_iteration_range: Callable[[Any], tuple[int, int]]

    def _wrapper_params(self) -> set[str]:
        # What is not named here is passed to the booster.
        inherited: set[str] = super()._wrapper_params()  # type: ignore[misc]
        return inherited | TREE_CONSTRAINTS.keys()

    def _create_dmatrix(self, ref: Any, *, data: Any, label: Any, **options: Any) -> Any:
        if label is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        # The library computes with single precision, and its errors are of native code.
        with np.errstate(over="ignore"):
            assert_all_finite(np.asarray(label, np.float32), input_name="y")
        weight = options.get("weight")
        if weight is not None:
            check_non_negative(np.asarray(weight), "`sample_weight`")
        if ref is not None:  # else these are the rows to fit, which are on bins
            data = self._snapped_like(data)
        return super()._create_dmatrix(ref, data=data, label=label, **options)  # type: ignore[misc]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.no_validation = False
        return tags

    def _document(self) -> dict[str, Any]:
        """Return the booster in the library's JSON format."""
        document: dict[str, Any] = json.loads(self.get_booster().save_raw("json"))
        return document

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        trees, *_ = trees_of(self._document()["learner"])
        return [nodes_of(tree) for tree in trees]

    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        """Load the booster again, with other thresholds."""
        booster, document = self.get_booster(), self._document()
        trees, *_ = trees_of(document["learner"])
        for tree, threshold in zip(trees, thresholds, strict=True):
            feature, _ = nodes_of(tree)
            # Values of leaves are in the same field.
            given = tree["split_conditions"]
            conditions = np.where(feature < 0, given, next_float(threshold))
            tree["split_conditions"] = conditions.tolist()
        # XGBoost does not read escapes.
        names, text = booster.feature_names, json.dumps(document, ensure_ascii=False)
        booster.load_model(bytearray(text, "utf-8"))
        booster.feature_names = names

    def _state(self) -> list[Any]:
        """Return the model in the library's binary format, attributes included."""
        return [self.get_booster().save_raw("ubj")]

    def _export(self) -> tuple[Sequence[TreeArrays], np.ndarray, str]:
        from fhe_estimators.core.frontends.trees import TreeArrays

        link, base = self._link_and_base()
        learner, labelled = self._document()["learner"], self._labelled()
        arrays = []
        for tree, weight, output in zip(*trees_of(learner), strict=True):
            feature, threshold = nodes_of(tree)
            left, right = (np.array(tree[f"{side}_children"]) for side in ("left", "right"))
            feature = np.where(left < 0, -1, tree["split_indices"])
            value = np.zeros((len(feature), len(base)))
            value[:, output] = weight * np.asarray(tree["split_conditions"])
            missing = np.array(tree["default_left"], bool) if self._with_missing else None
            categories = {
                node: labelled[int(feature[node])].left_of(codes)
                for node, codes in right_categories(tree).items()
            }
            arrays.append(
                TreeArrays(feature, threshold, left, right, value, missing, categories)
            )
        *_, stop = self._get_iteration_range(None)
        if stop:
            arrays = arrays[: model_of(learner)["iteration_indptr"][stop]]
        if link == "expit" and is_classifier(self) and len(base) == 1:
            link = "sigmoid"
        return arrays, base, link

    def _link_and_base(self) -> tuple[str, np.ndarray]:
        """Return the link, and the raw score without trees, of shape (n_outputs,)."""
        learner = json.loads(self.get_booster().save_config())["learner"]
        objective, head = learner["objective"]["name"], learner["learner_model_param"]
        if objective not in _OBJECTIVES:
            refuse("objective", objective, sorted(_OBJECTIVES))
        link, inverse = _OBJECTIVES[objective]
        n_outputs = max(1, int(head["num_class"]), int(head["num_target"]))
        base = np.atleast_1d(json.loads(head["base_score"])).astype(np.float64)
        return link, np.broadcast_to(inverse(base), n_outputs)

    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: tuple[int, int] | None = None,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        output_margin : bool, default=False
            Whether to return the raw score.
        validate_features : bool, default=True
            Has no effect: names of features are always compared.
        base_margin : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            What the trees add to, instead of `base_score`. The client adds it.
        iteration_range : tuple of (int, int), optional
            Only the rounds that `fit` chose, its default, are encrypted.
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the trees are evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows. By default the mode of `config_context`, which
            is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._in_mode(
            "predict",
            fhe,
            X,
            output_margin=output_margin,
            validate_features=validate_features,
            base_margin=base_margin,
            iteration_range=iteration_range,
        )


class BoosterRegressorMixin(BoosterMixin, FHERegressorMixin):
    """For the regressor of XGBoost."""

    # What a function of the user's own leads to is predicted as it is.
    _fhe_constraints = {
        **BoosterMixin._fhe_constraints,
        "objective": [*BoosterMixin._fhe_constraints["objective"], callable],
    }

    def _readings(self) -> dict[str, list[Reading]]:
        form = "vector" if len(self._base) == 1 else "table"
        return {"predict": [Reading(end=True, form=form)]}


class BoosterClassifierMixin(BoosterMixin, FHEClassifierMixin):
    """For the classifier of XGBoost."""

    classes_: np.ndarray
    n_classes_: int

    def _readings(self) -> dict[str, list[Reading]]:
        one = len(self._base) == 1
        rule = "above" if one else "largest"
        if not one and self.n_classes_ == 2:
            rule = "each_above"
        link, _ = self._link_and_base()
        labels = Labels(rule, 0.5, None if rule == "each_above" else self.classes_)
        # Of objectives that are none of probabilities there is one number.
        complement = "complement" if one and link != "expit" else "none"
        return {
            "predict": [Reading(end=True, labels=labels)],
            "predict_proba": [Reading(end=True, link=complement)],
        }

    def predict_proba(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: tuple[int, int] | None = None,
        *,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        validate_features : bool, default=True
            As in `predict`.
        base_margin : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            As in `predict`.
        iteration_range : tuple of (int, int), optional
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._in_mode(
            "predict_proba",
            fhe,
            X,
            validate_features=validate_features,
            base_margin=base_margin,
            iteration_range=iteration_range,
        )


class LabelClassifier(xgboost.XGBClassifier):
    """The library's classifier for labels of any type, not of 0 to n_classes - 1 only."""

    objective: Any

    @property
    def classes_(self) -> np.ndarray:
        """The labels, sorted."""
        encoder = getattr(self, "_encoder", None)
        return super().classes_ if encoder is None else encoder.classes_

    @functools.wraps(xgboost.XGBClassifier.fit)
    def fit(self, X: Any, y: Any, *, eval_set: Any = None, **options: Any) -> Any:
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        objective, encoder, self._encoder = self.objective, None, None
        if type_of_target(y) != "multilabel-indicator":
            encoder = LabelEncoder()
            y = encoder.fit_transform(column_or_1d(y, warn=True))
            eval_set = eval_set and [
                (rows, encoder.transform(labels)) for rows, labels in eval_set
            ]
        super().fit(X, y, eval_set=eval_set, **options)
        # The library replaces a binary objective if there are more classes.
        self.objective, self._encoder = objective, encoder
        return self

    def get_xgb_params(self) -> dict[str, Any]:
        """Return the parameters of the booster, with the objective that it is fitted for.

        Returns
        -------
        parameters : dict
        """
        params: dict[str, Any] = super().get_xgb_params()
        if getattr(self, "n_classes_", 2) > 2 and self.objective != "multi:softmax":
            params["objective"] = "multi:softprob"
        return params

    @functools.wraps(xgboost.XGBClassifier.load_model)
    def load_model(self, fname: Any) -> None:
        super().load_model(fname)
        # The file holds no labels: they are numbers, as in the library.
        self._encoder = None

    @functools.wraps(xgboost.XGBClassifier.predict)
    def predict(self, X: Any, *, output_margin: bool = False, **options: Any) -> Any:
        found = super().predict(X, output_margin=output_margin, **options)
        if output_margin:
            return found
        encoder = getattr(self, "_encoder", None)
        return found.astype(np.int64) if encoder is None else encoder.classes_[found]


class MarginModel(xgboost.XGBModel):
    """Predictions of encrypted trees; the library's class, which calls it, stands left."""

    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: tuple[int, int] | None = None,
    ) -> np.ndarray:
        check_is_fitted(self)
        chosen = self._get_iteration_range(None)
        if self._get_iteration_range(iteration_range) != chosen:
            refuse("iteration_range", iteration_range, [None])

        def exact(X: Any) -> np.ndarray:
            margins = super(MarginModel, self).predict(X, output_margin=True)
            return margins.reshape(len(margins), -1) - self._base

        scores = self._scores(X, exact)
        base = self._base
        if base_margin is not None:
            scores = scores + np.reshape(base_margin, scores.shape) - base
        if output_margin:
            outputs = scores + base
        else:
            outputs = self.quantized_module_.clear_module(scores)
            if self.objective == "multi:softmax":
                return outputs.argmax(axis=1)
        return outputs[:, -1] if len(base) == 1 else outputs
