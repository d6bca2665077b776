"""What the estimators of CatBoost share: bins of its own, raw scores, labels."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logit
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_feature_names

from fhe_estimators._columns import explain_columns
from fhe_estimators._fit import refuse
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._state import digest
from fhe_estimators._tree_based import TREE_CONSTRAINTS, TreeMixin
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin
from fhe_estimators.catboost._categories import CategoriesMixin, resolved
from fhe_estimators.catboost._document import (
    document_of,
    features_and_thresholds,
    features_with_missing,
    loaded,
    moved,
    tree_arrays,
)
from fhe_estimators.catboost._library import loss_name
from fhe_estimators.core.trees import BinEdges

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

#: Losses by link, a key of `frontends.torch.LINKS`.
_CLASSIFIERS = {
    "CrossEntropy": "sigmoid",
    "Focal": "sigmoid",
    "Logloss": "sigmoid",
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "expit",
    "MultiCrossEntropy": "expit",
    "MultiLogloss": "expit",
}
#: Losses of targets with several labels at once.
_MULTILABEL = ("MultiCrossEntropy", "MultiLogloss")
_REGRESSORS = {
    **dict.fromkeys(
        (
            "Expectile",
            "Huber",
            "LogCosh",
            "LogLinQuantile",
            "Lq",
            "MAE",
            "MAPE",
            "MultiQuantile",
            "MultiRMSE",
            "MultiRMSEWithMissingValues",
            "Quantile",
            "RMSE",
            "RMSPE",
        ),
        "identity",
    ),
    **dict.fromkeys(("Poisson", "Tweedie"), "exp"),
}
#: What CatBoost says how it predicts, and the link.
_LINKS = {"RawFormulaVal": "identity", "Exponent": "exp"}


class BoosterMixin(CategoriesMixin, TreeMixin):
    """For the estimators of CatBoost; stands left of `LibraryModel`.

    Bins are the library's own: it cuts each feature at borders, and what is compared with
    borders that its trees use is what the client sends.
    """

    _fhe_constraints = _parameter_constraints = {
        **TREE_CONSTRAINTS,
        "binning": [StrOptions({"quantile", "uniform"})],
    }
    _compares_categories = True
    _losses: dict[str, str]

    _init_params: dict[str, Any]
    _object: Any
    #: Digests of the model in two formats.
    _known_trees: tuple[bytes, bytes]
    _value_of: Callable[[str], Any]
    _serialize_model: Callable[[], bytes]
    tree_count_: int

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        loss = self._value_of("loss_function")
        if loss is not None and loss_name(loss) not in self._losses:
            refuse("loss_function", loss, sorted(self._losses))

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> Any:
        self._coded = self._coded_columns(X)
        known = () if self._coded is None else np.flatnonzero(self._coded).tolist()
        self._refuse_categories(X, known)
        with explain_columns(self, X):
            rows = self._rows_for_library(X)
        _check_feature_names(self, X, reset=True)
        return rows

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        """Lower the fitted model: edges of bins are the borders that its trees use."""
        features, thresholds = map(np.concatenate, zip(*self._comparisons(), strict=True))
        missing = self._known_missing()
        self._table = self._fitted_table()
        coded = self._labelled()
        self._bin_edges = BinEdges(
            [
                coded[column].edges
                if column in coded
                # A last edge is that of the bin of missing values.
                else np.append(
                    np.unique(thresholds[features == column]),
                    [np.inf] if column in missing else [],
                )
                for column in range(self.n_features_in_)
            ]
        )
        self._quantize(self._validated(X), sample_weight)

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return features_and_thresholds(self._document())

    def _known_missing(self) -> Collection[int]:
        """Return the features that lacked values in `fit`."""
        return features_with_missing(self._document())

    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        """Load the model again, with other thresholds."""
        self._object = loaded(moved(self._document(), thresholds))._object

    def _document(self) -> dict[str, Any]:
        """Return the model in the library's JSON format; splits know their columns."""
        for kind in ("text", "embedding"):
            columns = getattr(self, f"get_{kind}_feature_indices")()
            if columns:
                refuse(f"{kind}_features", columns, [None])
        return resolved(document_of(self))

    def _hold(self, model: Any) -> None:
        """Hold a copy of a fitted model of the parent, with its parameters."""
        held = {**vars(self), **vars(copy.deepcopy(model))}
        unset = dict.fromkeys(self._init_params)
        held["_init_params"] = {**unset, **held["_init_params"]}
        names = model.feature_names_
        if names != [str(number) for number in range(len(names))]:
            held["feature_names_in_"] = np.array(names, dtype=object)
        del held["_object"]
        self.__setstate__({**held, "_model": model._serialize_model()})

    def _loss(self) -> str:
        """Return the name of the loss that the model was fitted for."""
        name = loss_name(self._object._get_loss_function_name())
        if name not in self._losses:
            refuse("loss_function", name, sorted(self._losses))
        return name

    def _link_of_loss(self) -> str:
        """Return the link, a key of `frontends.torch.LINKS`."""
        return self._losses[self._loss()]

    def _state(self) -> list[Any]:
        """Return the digest of the trees, and the link.

        The binary format of a model is written fast, but not the same once it was loaded:
        if it is another one than last time, the trees decide.
        """
        binary = digest([self._serialize_model()])
        if getattr(self, "_known_trees", (b"",))[0] != binary:
            document = self._document()
            del document["model_info"]  # nothing in it is computed with
            text = json.dumps(document, sort_keys=True)
            self._known_trees = binary, digest([text.encode()])
        return [self._known_trees[1], self._link_of_loss(), dict(self._labels)]

    def _export(self) -> tuple[Sequence[TreeArrays], np.ndarray, str]:
        document, link = self._document(), self._link_of_loss()
        _, bias = document["scale_and_bias"]
        leaves = self._leaves_of_labels(document)
        trees = tree_arrays(document, bool(self._with_missing), leaves)
        return trees, np.array(bias, np.float64), link

    def _predict(
        self,
        data: Any,
        prediction_type: str,
        ntree_start: int,
        ntree_end: int,
        *others: Any,
        **options: Any,
    ) -> np.ndarray:
        """Return what the parent's methods do, from raw scores."""
        if ntree_start:
            refuse("ntree_start", ntree_start, [0])
        if ntree_end not in (0, self.tree_count_):
            refuse("ntree_end", ntree_end, [0])

        def exact(data: Any) -> np.ndarray:
            found = super(BoosterMixin, self)._predict(  # type: ignore[misc]
                data, "RawFormulaVal", 0, 0, *others, **options
            )
            return found.reshape(len(found), -1) - self._base

        scores = self._scores(data, exact)
        readings = self._readings_of_types()
        if prediction_type not in readings:
            refuse("prediction_type", prediction_type, sorted(readings))
        clear_module = self.quantized_module_.clear_module
        found: np.ndarray = readings[prediction_type]([scores], clear_module)
        return np.log(found) if prediction_type == "LogProbability" else found

    def _readings_of_types(self) -> dict[str, Reading]:
        """Return what each ``prediction_type`` makes of raw scores."""
        raise NotImplementedError

    def _raw_reading(self) -> Reading:
        form = "vector" if len(self._base) == 1 else "table"
        return Reading(shift=self._base, form=form)

    def predict(
        self,
        data: Any,
        prediction_type: Any = None,
        ntree_start: int = 0,
        ntree_end: int = 0,
        thread_count: int = -1,
        verbose: Any = None,
        task_type: str = "CPU",
        *,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        data : array-like of shape (n_samples, n_features)
        prediction_type : str, optional
            ``'RawFormulaVal'`` is the raw score. Of a classifier ``'Class'``, the default,
            is the label, and ``'Probability'`` and ``'LogProbability'`` are those of all
            classes; of a regressor ``'Exponent'`` is the exponential of the raw score, the
            default for ``'Poisson'`` and ``'Tweedie'``.
        ntree_start, ntree_end : int, default=0
            Only all trees are encrypted: zero, or their number as the end.
        thread_count : int, default=-1
            Has no effect, nor have `verbose` and `task_type`.
        verbose : bool, optional
            Has no effect.
        task_type : str, default='CPU'
            Has no effect.
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the trees are evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows. By default the mode of `config_context`, which
            is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Labels of more than two classes are a vector, too, where CatBoost returns a
            column.
        """
        given = () if prediction_type is None else (prediction_type,)
        options = {"ntree_start": ntree_start, "ntree_end": ntree_end}
        return self._in_mode("predict", fhe, data, *given, **options)


class BoosterRegressorMixin(BoosterMixin, FHERegressorMixin):
    """For the regressor of CatBoost."""

    _losses = _REGRESSORS

    _get_default_prediction_type: Callable[[], str]

    def _link_of_loss(self) -> str:
        self._loss()  # it may be refused
        return _LINKS[self._get_default_prediction_type()]

    def _readings(self) -> dict[str, list[Reading]]:
        form = "vector" if len(self._base) == 1 else "table"
        return {"predict": [Reading(end=True, form=form)]}

    def _readings_of_types(self) -> dict[str, Reading]:
        raw = self._raw_reading()
        by_default = {self._get_default_prediction_type(): self._readings()["predict"][0]}
        return {"RawFormulaVal": raw, **by_default}

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, fhe: str | None = None
    ) -> float:
        """Return the coefficient of determination.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        score : float
        """
        with self._mode(fhe):
            return float(r2_score(y, self.predict(X), sample_weight=sample_weight))


class BoosterClassifierMixin(BoosterMixin, FHEClassifierMixin):
    """For the classifier of CatBoost."""

    _losses = _CLASSIFIERS

    classes_: np.ndarray
    get_probability_threshold: Callable[[], float]

    def _readings(self) -> dict[str, list[Reading]]:
        rule, threshold, link = "largest", 0.0, self._link_of_loss()
        if link == "sigmoid":
            rule, threshold = "above", float(logit(self.get_probability_threshold()))
        elif self._loss() in _MULTILABEL:
            rule = "each_above"
        known = None if rule == "each_above" else self.classes_
        labels = Labels(rule, threshold, known)
        return {
            "predict": [Reading(shift=self._base, labels=labels)],
            "predict_proba": [Reading(end=True)],
        }

    def _readings_of_types(self) -> dict[str, Reading]:
        (labels,), (probabilities,) = self._readings().values()
        return {
            "Class": labels,
            "LogProbability": probabilities,
            "Probability": probabilities,
            "RawFormulaVal": self._raw_reading(),
        }

    def predict_proba(
        self,
        X: Any,
        ntree_start: int = 0,
        ntree_end: int = 0,
        thread_count: int = -1,
        verbose: Any = None,
        task_type: str = "CPU",
        *,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        ntree_start, ntree_end : int, default=0
            As in `predict`.
        thread_count : int, default=-1
            As in `predict`.
        verbose : bool, optional
            As in `predict`.
        task_type : str, default='CPU'
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; those of ``'MultiClassOneVsAll'`` need not add up
            to one.
        """
        return self._in_mode("predict_proba", fhe, X, ntree_start, ntree_end)

    def predict_log_proba(
        self,
        data: Any,
        ntree_start: int = 0,
        ntree_end: int = 0,
        thread_count: int = -1,
        verbose: Any = None,
        task_type: str = "CPU",
        *,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        data : array-like of shape (n_samples, n_features)
        ntree_start, ntree_end : int, default=0
            As in `predict`.
        thread_count : int, default=-1
            As in `predict`.
        verbose : bool, optional
            As in `predict`.
        task_type : str, default='CPU'
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._in_mode("predict_log_proba", fhe, data, ntree_start, ntree_end)

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, fhe: str | None = None
    ) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        score : float
        """
        with self._mode(fhe):
            return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))
