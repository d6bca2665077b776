"""Tree ensembles of ai.onnx.ml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from fhe_estimators.core.operators.tree_nodes import TreeNodes, numbers_of


class Trees(QuantizedOp):
    """Family base: encrypted, ensembles are sums of tables; see `core.trees`."""

    domain = DOMAIN
    encrypted = False
    holds_products = True
    is_product = True

    def added(self) -> TreeNodes | None:
        """Return trees whose values add up, if the node is such a sum, else None."""
        return None


def summed(trees: TreeNodes, x: np.ndarray, aggregate: str = "SUM") -> np.ndarray:
    """Return what the values of trees add up to, or their mean, smallest or largest."""
    each = np.stack(list(trees.each_tree(x)))
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
        trees = TreeNodes.of(given, "target", n_targets)
        base = numbers_of(given, "base_values")
        scores = summed(trees, np.asarray(x), aggregate_function)
        return transformed(scores + (base if base.size else 0.0), post_transform, x)

    def added(self) -> TreeNodes | None:
        """Return the trees, if they are added up and nothing follows."""
        if not _is_sum(self.attributes):
            return None
        n_targets = self.attributes.get("n_targets", 1)
        return TreeNodes.of(self.attributes, "target", n_targets)

    @staticmethod
    def body(write: Writer) -> str | None:
        """Write the sum of trees by itself, and what follows it in other operators."""
        attributes = dict(write.node.attributes)
        if _is_sum(attributes):
            return None
        aggregate = attributes.pop("aggregate_function", "SUM")
        base = numbers_of(attributes, "base_values")
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
        trees = TreeNodes.of({**given, "class_ids": targets}, "class", max(targets) + 1)
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
    base = numbers_of(attributes, "base_values")
    if len(labels_of(attributes)) != 2 or len(set(ids)) > 1:
        return [*ids], base, "each"
    weights = numbers_of(attributes, "class_weights")
    way = "positive" if (weights >= 0).all() else "signed"
    return [0] * len(ids), base[-1:], way


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
        trees = TreeNodes.of_version_5(locals())
        scores = summed(trees, np.asarray(x), _AGGREGATES[aggregate_function])
        return transformed(scores, _POST[post_transform], x)

    def added(self) -> TreeNodes | None:
        """Return the trees, if they are added up and nothing follows."""
        plain = self.attributes.get("aggregate_function", 1) == 1
        if not plain or self.attributes.get("post_transform", 0):
            return None
        return TreeNodes.of_version_5(self.attributes)

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
