"""From a fitted model to the files of a client and of a server."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from fhe_estimators._version import __version__
from fhe_estimators.core.engine import (
    SECURITY_BITS,
    Specification,
    engine_version,
    keys_frame,
)
from fhe_estimators.deployment import _preprocessing
from fhe_estimators.deployment._bundle import Bundle
from fhe_estimators.deployment._exported import Exported
from fhe_estimators.deployment._keyring import check_strength
from fhe_estimators.deployment._learned import check_may_be_shared, what_is_learned
from fhe_estimators.deployment._manifest import FORMAT, Manifest, digest_of
from fhe_estimators.deployment._processing import Processing
from fhe_estimators.deployment._program import Source, for_clients
from fhe_estimators.exceptions import CompilationError

logger = logging.getLogger(__name__)


def save_deployment(
    model: Any,
    folder: str | Path,
    *,
    name: str | None = None,
    results_shared: bool = False,
    key_family: str | Path | None = None,
    explained: bool = False,
) -> Manifest:
    """Write the files of a client and of a server.

    Parameters
    ----------
    model : estimator, Pipeline or QuantizedModule
        A fitted estimator of this package, a pipeline that ends in one, or a module.
    folder : str or Path
        Where ``client.zip`` and ``server.zip`` are written; it is made if it does not
        exist.
    name : str, optional
        Of the deployment; by default that of the class.
    results_shared : bool, default=False
        Whether clients may show decrypted results to others. A result that is wrong by the
        noise of encryption tells about the key: `p_error` has to be 2**-128 or less.
    key_family : str or Path, optional
        The ``client.zip`` of another deployment: the keys of its clients are to serve for
        this one, too. A model without tables needs no keys of anybody.
    explained : bool, default=False
        Whether answers are what each term of an explainable boosting machine adds, which
        `Client.decrypt_terms` returns, and not predictions: their sum, the intercept and
        the link are the prediction. Enough rows show a client the whole model.

    Returns
    -------
    manifest : Manifest
        What was written, and what each side learns.

    Raises
    ------
    TypeError
        If `model` is something else, or a step of the pipeline cannot be stored; or if
        `explained` is asked of a model without terms.
    NotFittedError
        If `model` is not fitted.
    ValueError
        If `p_error` is too large for shared results.
    CompilationError
        If the keys of `key_family` cannot serve for this model.

    Examples
    --------
    >>> import tempfile
    >>> from fhe_estimators import LogisticRegression
    >>> from fhe_estimators.deployment import Client, Server, save_deployment
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = LogisticRegression().fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = save_deployment(model, folder)
    ...     client, server = Client(f"{folder}/client.zip"), Server(f"{folder}/server.zip")
    >>> answer = server.run(client.encrypt(X))
    >>> client.decrypt_predict(answer)
    array([0, 0, 1, 1])
    """
    exported = Exported.of(model, explained)
    circuit = exported.circuit
    check_may_be_shared(results_shared, circuit.p_error)
    source = Source(circuit.graph, circuit.p_error)
    family, tables = None, circuit.programmable_bootstrap_count
    if key_family is not None and tables:
        family = _family_of(Path(key_family))
    program = source.compiled(family)
    specification = for_clients(program)
    check_strength(specification)
    if family is not None and specification.family != family.family:
        raise CompilationError(
            f"The keys of {key_family} cannot serve for this model: it needs other "
            "parameters. Leave key_family out, or deploy the model that needs more first, "
            "and name that one."
        )
    processing = Processing(
        exported.features,
        exported.module.ends,
        circuit.graph.outputs,
        circuit.recombination,
        exported.readings,
        exported.beside,
    )
    client, server = {"client_spec.json": specification.to_bytes()}, {}
    client["processing.json"], client["arrays.npz"] = processing.write()
    if exported.steps:
        client["preprocessing.skops"] = _preprocessing.store(exported.steps)
    server["graph.json"], server["constants.npz"] = source.write()
    if family is not None:
        server["family_spec.json"] = family.to_bytes()
    key_bytes = specification.evaluation_bytes
    if key_bytes is None:
        key_bytes = keys_frame(specification).payload_bytes
    manifest = Manifest(
        format=FORMAT,
        role="",
        name=exported.kind if name is None else name,
        kind=exported.kind,
        versions={
            "fhe-estimators": __version__,
            "concrete-python": engine_version(),
        },
        p_error=circuit.p_error,
        security_bits=SECURITY_BITS,
        results_shared=results_shared,
        tables=tables,
        row_bytes=specification.row_bytes,
        result_bytes=specification.result_bytes,
        key_bytes=key_bytes,
        family=specification.family.hex(),
        learns=what_is_learned(
            exported.module,
            has_preprocessing=bool(exported.steps),
            results_shared=results_shared,
            explained=explained,
        ),
        parts={part: digest_of(content) for part, content in {**client, **server}.items()},
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for role, parts in (("client", client), ("server", server)):
        bundle = Bundle(manifest.for_role(role), parts)
        _write(folder / f"{role}.zip", bundle.to_bytes())
    logger.info("wrote %s to %s", manifest.name, folder)
    return manifest


def _family_of(path: Path) -> Specification:
    bundle = Bundle.load(path / "client.zip" if path.is_dir() else path, "client")
    return bundle.specification("client_spec.json")


def _write(path: Path, content: bytes) -> None:
    """Write a file at once: readers see the old one or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
