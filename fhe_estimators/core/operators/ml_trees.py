"""Tree ensembles of ai.onnx.ml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.core.operators._base import QuantizedOp, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.ml_linear import (
    DOMAIN,
    labelled,
    labels_of,
    post_transform,
    transformed,
)
from fhe_estimators.exceptions import UnsupportedOperatorError


class TreeData(NamedTuple):
    """A tree in arrays, one entry for each node, the root first.

    A row goes to `left` of a node if its `feature` is at most `threshold`, else to `right`;
    both are -1 for a leaf.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    #: Shape (n_nodes, n_targets); only those of leaves count.
    value: np.ndarray

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return the values of rows, of shape (n_rows, n_targets)."""
        rows, at = np.arange(len(x)), np.zeros(len(x), np.int64)
        while (inner := self.left[at] >= 0).any():
            below = x[rows, self.feature[at]] <= self.threshold[at]
            next_one = np.where(below, self.left[at], self.right[at])
            at = np.where(inner, next_one, at)
        scores: np.ndarray = self.value[at]
        return scores


class _Growing:
    """A tree to which nodes are added."""

    def __init__(self, n_targets: int, dtype: Any) -> None:
        self._nodes: list[list[Any]] = []
        self._values: list[np.ndarray] = []
        self._n_targets, self._dtype = n_targets, dtype

    def leaf(self, value: np.ndarray) -> int:
        return self._add([0, 0.0, -1, -1], value)

    def _add(self, node: list[Any], value: np.ndarray | None = None) -> int:
        self._nodes.append(node)
        self._values.append(np.zeros(self._n_targets) if value is None else value)
        return len(self._nodes) - 1

    def reserve(self) -> int:
        """Return the place of a node that is set later: a parent before its children."""
        return self._add([0, 0.0, -1, -1])

    def split(
        self, at: int, mode: str, feature: int, number: Any, true: int, false: int
    ) -> None:
        """Set a node: where a comparison holds is `true`."""
        number = self._dtype(number)
        less = float(np.nextafter(number, self._dtype(-np.inf)))
        match mode:
            case "BRANCH_LEQ":
                self._nodes[at] = [feature, float(number), true, false]
            case "BRANCH_LT":
                self._nodes[at] = [feature, less, true, false]
            case "BRANCH_GTE":
                self._nodes[at] = [feature, less, false, true]
            case "BRANCH_GT":
                self._nodes[at] = [feature, float(number), false, true]
            case "BRANCH_EQ":
                above = self._add([feature, less, false, true])
                self._nodes[at] = [feature, float(number), above, false]
            case "BRANCH_NEQ":
                above = self._add([feature, less, true, false])
                self._nodes[at] = [feature, float(number), above, true]
            case _:
                raise UnsupportedOperatorError(
                    f"Trees that compare by {mode!r} are not supported."
                )

    def finished(self) -> TreeData:
        feature, threshold, left, right = zip(*self._nodes, strict=True)
        return TreeData(
            np.array(feature, np.int64),
            np.array(threshold, np.float64),
            np.array(left, np.int64),
            np.array(right, np.int64),
            np.array(self._values, np.float64),
        )


def _numbers(attributes: Mapping[str, Any], name: str) -> np.ndarray:
    """Return numbers that are given as floats, or as a tensor of another type."""
    tensor = attributes.get(f"{name}_as_tensor")
    if tensor is not None:
        return np.asarray(tensor)
    return np.asarray(attributes.get(name) or [], np.float32)


def trees_of(attributes: Mapping[str, Any], kind: str, n_targets: int) -> list[TreeData]:
    """Return the trees of an ensemble of versions 1 and 3.

    Parameters
    ----------
    attributes : mapping
        Of the node.
    kind : {'class', 'target'}
        How attributes name what leaves hold.
    n_targets : int
    """
    ids = attributes["nodes_treeids"], attributes["nodes_nodeids"]
    places = {pair: place for place, pair in enumerate(zip(*ids, strict=True))}
    numbers = _numbers(attributes, "nodes_values")
    dtype = np.float64 if numbers.dtype == np.float64 else np.float32
    values: dict[tuple[int, int], np.ndarray] = {}
    for tree, node, target, weight in zip(
        *(attributes[f"{kind}_{name}"] for name in ("treeids", "nodeids", "ids")),
        _numbers(attributes, f"{kind}_weights").tolist(),
        strict=True,
    ):
        value = values.setdefault((tree, node), np.zeros(n_targets))
        value[target] += weight
    nothing = np.zeros(n_targets)
    found = []
    for tree in dict.fromkeys(ids[0]):
        children = {
            (tree, attributes[f"nodes_{side}nodeids"][place])
            for (other, _), place in places.items()
            if other == tree and attributes["nodes_modes"][place] != "LEAF"
            for side in ("true", "false")
        }
        (root,) = (key for key in places if key[0] == tree and key not in children)
        growing = _Growing(n_targets, dtype)

        def grow(key: tuple[int, int], growing: _Growing = growing) -> int:
            place = places[key]
            mode = attributes["nodes_modes"][place]
            if mode == "LEAF":
                return growing.leaf(values.get(key, nothing))
            at = growing.reserve()
            true, false = (
                grow((key[0], attributes[f"nodes_{side}nodeids"][place]))
                for side in ("true", "false")
            )
            feature = attributes["nodes_featureids"][place]
            growing.split(at, mode, feature, numbers[place], true, false)
            return at

        grow(root)
        found.append(growing.finished())
    return found


class Trees(QuantizedOp):
    """Family base: encrypted, ensembles are sums of tables; see `core.trees`."""

    domain = DOMAIN
    encrypted = False
    holds_products = True
    is_product = True

    def added(self) -> tuple[TreeData, ...]:
        """Return trees whose values add up, if the node is such a sum, else nothing."""
        return ()


def summed(trees: Sequence[TreeData], x: np.ndarray, aggregate: str = "SUM") -> np.ndarray:
    """Return what the values of trees add up to, or their mean, smallest or largest."""
    each = np.stack([tree.scores(x) for tree in trees])
    functions: dict[str, Any] = {
        "SUM": np.sum,
        "AVERAGE": np.mean,
        "MIN": np.min,
        "MAX": np.max,
    }
    result: np.ndarray = functions[aggregate](each, axis=0)
    return result


@register("TreeEnsembleRegressor", since=1)
class TreeEnsembleRegressor(Trees):
    """The values of the leaves that a row ends in, added up."""

    @staticmethod
    def f(
        x,
        *,
        aggregate_function="SUM",
        base_values=None,
        base_values_as_tensor=None,
        n_targets=1,
        nodes_falsenodeids=None,
        nodes_featureids=None,
        nodes_hitrates=None,
        nodes_hitrates_as_tensor=None,
        nodes_missing_value_tracks_true=None,
        nodes_modes=None,
        nodes_nodeids=None,
        nodes_treeids=None,
        nodes_truenodeids=None,
        nodes_values=None,
        nodes_values_as_tensor=None,
        post_transform="NONE",
        target_ids=None,
        target_nodeids=None,
        target_treeids=None,
        target_weights=None,
        target_weights_as_tensor=None,
    ):
        given = locals()
        trees = trees_of(given, "target", n_targets)
        base = _numbers(given, "base_values")
        scores = summed(trees, np.asarray(x), aggregate_function)
        return transformed(scores + (base if base.size else 0.0), post_transform, x)

    def added(self) -> tuple[TreeData, ...]:
        """Return the trees of a node that a body wrote."""
        n_targets = self.attributes.get("n_targets", 1)
        if not _is_sum(self.attributes):
            return ()
        return tuple(trees_of(self.attributes, "target", n_targets))

    @staticmethod
    def body(write: Writer) -> str | None:
        """Write the sum of trees by itself, and what follows it in other operators."""
        attributes = dict(write.node.attributes)
        if _is_sum(attributes):
            return None
        aggregate = attributes.pop("aggregate_function", "SUM")
        base = _numbers(attributes, "base_values")
        post = attributes.pop("post_transform", "NONE")
        for name in ("base_values", "base_values_as_tensor"):
            attributes.pop(name, None)
        return _behind_sum(write, attributes, aggregate, base, post)


def _behind_sum(
    write: Writer, attributes: dict[str, Any], aggregate: str, base: np.ndarray, post: str
) -> str:
    if aggregate not in ("SUM", "AVERAGE"):
        raise write.unsupported(
            f"the {aggregate.lower()} of trees has no encrypted form, their sum has"
        )
    result = write("TreeEnsembleRegressor", write.input(0), **attributes)
    if aggregate == "AVERAGE":
        n_trees = len(set(attributes["nodes_treeids"]))
        result = write("Div", result, write.constant(np.float32(n_trees)))
    if base.size and base.any():
        result = write("Add", result, write.constant(base.reshape(1, -1)))
    return post_transform(write, result, post)


def _is_sum(attributes: Mapping[str, Any]) -> bool:
    """Tell whether a node is a sum of trees and nothing else."""
    plain = attributes.get("aggregate_function", "SUM") == "SUM"
    plain = plain and attributes.get("post_transform", "NONE") == "NONE"
    return plain and not any(
        attributes.get(name) is not None
        for name in ("base_values", "base_values_as_tensor")
    )


@register("TreeEnsembleClassifier", since=1)
class TreeEnsembleClassifier(Trees):
    """The label of the largest sum, and the sums of all classes."""

    @staticmethod
    def f(
        x,
        *,
        base_values=None,
        base_values_as_tensor=None,
        class_ids=None,
        class_nodeids=None,
        class_treeids=None,
        class_weights=None,
        class_weights_as_tensor=None,
        classlabels_int64s=None,
        classlabels_strings=None,
        nodes_falsenodeids=None,
        nodes_featureids=None,
        nodes_hitrates=None,
        nodes_hitrates_as_tensor=None,
        nodes_missing_value_tracks_true=None,
        nodes_modes=None,
        nodes_nodeids=None,
        nodes_treeids=None,
        nodes_truenodeids=None,
        nodes_values=None,
        nodes_values_as_tensor=None,
        post_transform="NONE",
    ):
        given = locals()
        labels = labels_of(given)
        targets, base, way = _classes(given)
        trees = trees_of({**given, "class_ids": targets}, "class", max(targets) + 1)
        scores = summed(trees, np.asarray(x)) + (base if base.size else 0.0)
        if way == "positive":
            scores = np.concatenate([1 - scores, scores], axis=1)
        elif way == "signed":
            scores = np.concatenate([-scores, scores], axis=1)
        if way != "positive" or post_transform == "PROBIT":
            scores = transformed(scores, post_transform, np.float32(0))
        return labels[np.argmax(scores, axis=1)], scores.astype(np.float32)

    def __call__(self, *arrays):
        """Return as many results as the node has."""
        return super().__call__(*arrays)[: len(self.node.outputs)]

    @staticmethod
    def body(write: Writer) -> list[str]:
        """Write a sum of trees, then the scores of classes and labels."""
        attributes = dict(write.node.attributes)
        targets, base, way = _classes(attributes)
        kept = {k: v for k, v in attributes.items() if k.startswith("nodes_")}
        weights = "class_weights_as_tensor"
        weights = weights if weights in attributes else "class_weights"
        kept |= {
            "n_targets": max(targets) + 1,
            "target_ids": targets,
            "target_nodeids": attributes["class_nodeids"],
            "target_treeids": attributes["class_treeids"],
            weights.replace("class", "target"): attributes[weights],
        }
        scores = _behind_sum(write, kept, "SUM", base, "NONE")
        post = attributes.get("post_transform", "NONE")
        if way == "positive":
            one = write.constant(np.float32(1))
            scores = write("Concat", write("Sub", one, scores), scores, axis=1)
            post = "NONE"
        elif way == "signed":
            scores = write("Concat", write("Neg", scores), scores, axis=1)
        return [labelled(write, scores, attributes), post_transform(write, scores, post)]


def _classes(attributes: Mapping[str, Any]) -> tuple[list[int], np.ndarray, str]:
    """Return the score that each weight adds to, the base of scores, and their way.

    Of two classes one score may be given: a probability if all weights are "positive",
    else "signed".
    """
    ids = list(attributes["class_ids"])
    base = _numbers(attributes, "base_values")
    if len(labels_of(attributes)) != 2 or len(set(ids)) > 1:
        return [*ids], base, "each"
    weights = _numbers(attributes, "class_weights")
    way = "positive" if (weights >= 0).all() else "signed"
    return [0] * len(ids), base[-1:], way


_MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_POST = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


@register("TreeEnsemble", since=5)
class TreeEnsemble(Trees):
    """The values of the leaves that a row ends in, added up; nodes apart from leaves."""

    @staticmethod
    def f(
        x,
        *,
        aggregate_function=1,
        leaf_targetids,
        leaf_weights,
        membership_values=None,
        n_targets=1,
        nodes_falseleafs,
        nodes_falsenodeids,
        nodes_featureids,
        nodes_hitrates=None,
        nodes_missing_value_tracks_true=None,
        nodes_modes,
        nodes_splits,
        nodes_trueleafs,
        nodes_truenodeids,
        post_transform=0,
        tree_roots,
    ):
        scores = summed(_grown(locals()), x, _AGGREGATES[aggregate_function])
        return transformed(scores, _POST[post_transform], x)

    def added(self) -> tuple[TreeData, ...]:
        """Return the trees, if they are added up and nothing follows."""
        attributes = self.attributes
        plain = attributes.get("aggregate_function", 1) == 1
        if not plain or attributes.get("post_transform", 0):
            return ()
        return tuple(_grown({"n_targets": 1, **attributes}))

    @staticmethod
    def body(write: Writer) -> str | None:
        """Write the sum of trees by itself, and what follows it in other operators."""
        attributes = dict(write.node.attributes)
        aggregate = _AGGREGATES[attributes.pop("aggregate_function", 1)]
        post = _POST[attributes.pop("post_transform", 0)]
        if (aggregate, post) == ("SUM", "NONE"):
            return None
        if aggregate not in ("SUM", "AVERAGE"):
            raise write.unsupported(
                f"the {aggregate.lower()} of trees has no encrypted form, their sum has"
            )
        result = write("TreeEnsemble", write.input(0), **attributes)
        if aggregate == "AVERAGE":
            n_trees = write.constant(np.float32(len(attributes["tree_roots"])))
            result = write("Div", result, n_trees)
        return post_transform(write, result, post)


def _grown(attributes: Mapping[str, Any]) -> list[TreeData]:
    """Return the trees of an ensemble of version 5."""
    splits = np.asarray(attributes["nodes_splits"])
    dtype = np.float64 if splits.dtype == np.float64 else np.float32
    modes = np.asarray(attributes["nodes_modes"]).tolist()
    members = iter(_sets(attributes.get("membership_values")))
    sets = [next(members) if mode == len(_MODES) else [] for mode in modes]
    weights = np.asarray(attributes["leaf_weights"], float)
    targets, n_targets = attributes["leaf_targetids"], attributes.get("n_targets", 1)

    def grow(growing: _Growing, place: int, is_leaf: int) -> int:
        if is_leaf:
            value = np.zeros(n_targets)
            value[targets[place]] = weights[place]
            return growing.leaf(value)
        at = growing.reserve()
        true, false = (
            grow(
                growing,
                attributes[f"nodes_{side}nodeids"][place],
                attributes[f"nodes_{side}leafs"][place],
            )
            for side in ("true", "false")
        )
        feature, mode = attributes["nodes_featureids"][place], modes[place]
        if mode < len(_MODES):
            name = f"BRANCH_{_MODES[mode]}"
            growing.split(at, name, feature, splits[place], true, false)
            return at
        # One comparison after the other.
        for number in sets[place][1:]:
            node = growing.reserve()
            growing.split(node, "BRANCH_EQ", feature, number, true, false)
            false = node
        growing.split(at, "BRANCH_EQ", feature, sets[place][0], true, false)
        return at

    found = []
    for root in attributes["tree_roots"]:
        growing = _Growing(n_targets, dtype)
        grow(growing, root, 0)
        found.append(growing.finished())
    return found


def _sets(values: Any) -> list[list[float]]:
    """Return sets of numbers, each of which ends with nan."""
    found: list[list[float]] = [[]]
    for number in np.ravel([] if values is None else values).tolist():
        if number != number:
            found.append([])
        else:
            found[-1].append(number)
    return found
