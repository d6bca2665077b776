"""What precedes the estimator of a pipeline: stored by skops, loaded without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline

from fhe_estimators.deployment.errors import DeploymentError, FormatError

#: Types that may be loaded beside those that skops trusts: scikit-learn's, numpy's, and
#: what makes rows of a converted pipeline dense. They are never read from a file.
_SCORES = "sklearn.feature_selection._univariate_selection"
_INFORMATION = "sklearn.feature_selection._mutual_info"
TRUSTED = (
    "fhe_estimators._sparse.dense_rows",
    "numpy.dtype",
    "numpy.mean",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn.compose._column_transformer.make_column_selector",
    *(f"{_SCORES}.{name}" for name in ("chi2", "f_classif", "f_oneway", "f_regression")),
    f"{_SCORES}.r_regression",
    *(f"{_INFORMATION}.mutual_info_{name}" for name in ("classif", "regression")),
)
#: Transformers that keep rows that they were fitted on.
_HOLD_ROWS = {
    *("Isomap", "KNNImputer", "KNeighborsTransformer", "KernelPCA"),
    *("LocallyLinearEmbedding", "Nystroem", "RadiusNeighborsTransformer"),
}
#: Bytes of all that is in a file, and members of it, at most.
_MOST_BYTES, _MOST_MEMBERS = 256 << 20, 10_000


def store(steps: Sequence[tuple[str, Any]]) -> bytes:
    """Return fitted transformers as a file.

    Parameters
    ----------
    steps : sequence of (str, transformer)

    Raises
    ------
    TypeError
        If a step cannot be stored, or its client would be given training rows.
    """
    skops = _skops()
    transformers = []
    for name, step in steps:
        if step is None or isinstance(step, str):
            continue
        transformers.append(step)
        what = f"The step {name!r} of the pipeline, {type(step).__name__},"
        try:
            data: bytes = skops.dumps(step)
            foreign = set(skops.get_untrusted_types(data=data)) - set(TRUSTED)
            if not foreign:
                skops.loads(data, trusted=list(TRUSTED))
        except Exception as error:  # whatever a class of somebody else's raises
            raise TypeError(f"{what} cannot be stored: {error}") from error
        if foreign:
            raise TypeError(
                f"{what} holds {', '.join(sorted(foreign))}, which a client must not load: "
                "it may run any code. Use a transformer of scikit-learn, or let clients "
                "transform rows before they are passed to encrypt."
            )
        holders = _HOLD_ROWS.intersection(_classes_in(data))
        if holders:
            raise TypeError(
                f"{what} keeps training rows in a {', '.join(sorted(holders))}, which "
                "clients would be given. Use another transformer."
            )
    stored: bytes = skops.dumps(make_pipeline(*transformers))
    return stored


def load(data: bytes) -> Any:
    """Return what was stored: something with a method `transform`.

    Raises
    ------
    FormatError
        If it is something else, or holds types that are not trusted.
    """
    skops = _skops()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
        if len(entries) > _MOST_MEMBERS or size > _MOST_BYTES:
            raise FormatError(f"preprocessing.skops holds {size} bytes.")
        foreign = set(skops.get_untrusted_types(data=data)) - set(TRUSTED)
        if foreign:
            shown = ", ".join(sorted(foreign))
            raise FormatError(f"preprocessing.skops holds {shown:.200}: not to be trusted.")
        found = skops.loads(data, trusted=list(TRUSTED))
    except FormatError:
        raise
    except Exception as error:  # whatever a file that somebody else wrote leads to
        raise FormatError(f"preprocessing.skops cannot be loaded: {error}") from error
    if type(found) is not Pipeline:
        raise FormatError(f"preprocessing.skops holds a {type(found).__name__}.")
    return found


def _classes_in(data: bytes) -> set[str]:
    """Return the names of all classes in a file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))

    def names(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "__class__" in node:
                yield str(node["__class__"])
            for member in node.values():
                yield from names(member)
        elif isinstance(node, list):
            for member in node:
                yield from names(member)

    return set(names(schema))


def _skops() -> Any:
    try:
        from skops import io as skops
    except ModuleNotFoundError as error:
        raise DeploymentError(
            "The preprocessing of a pipeline needs the package skops: "
            "pip install 'fhe-estimators[deploy]'"
        ) from error
    return skops
