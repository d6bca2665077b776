"""An estimator that predicts through a server."""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

import httpx
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, _safe_indexing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples
from tqdm import tqdm

from fhe_estimators.deployment import errors
from fhe_estimators.deployment._client import Client
from fhe_estimators.deployment.errors import DeploymentError, FormatError, ServerBusyError
from fhe_estimators.deployment.serving._models import slug

logger = logging.getLogger(__name__)

_BINARY = {"Content-Type": "application/octet-stream"}
#: Answers after which the same bytes are sent again.
_AGAIN = frozenset({408, 429, 502, 503, 504})
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 30.0
#: Bytes of a bundle of a client at most.
_MOST_BYTES = 256 << 20
_KINDS: Mapping[str, type[DeploymentError]] = {
    name: getattr(errors, name) for name in errors.__all__ if name != "ServerBusyError"
}


class _Connection:
    """Requests to one server, which are repeated when it makes sense.

    When and whether depends on statuses only, never on what is decrypted.

    Parameters
    ----------
    url : str
    token : str or None
    timeout : float
        Seconds without a byte.
    retries : int
        How often a request is sent again.
    ca_file : str or None
        Of certificates to trust, in place of those of public authorities.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        timeout: float,
        retries: int,
        ca_file: str | None,
    ) -> None:
        verify: bool | ssl.SSLContext = True
        if url.startswith("http://"):
            # Reading all certificates takes as long as a request: only if there is TLS.
            verify = False
        elif ca_file is not None:
            verify = ssl.create_default_context(cafile=ca_file)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=timeout,
            trust_env=False,
            verify=verify,
        )
        self._retries = retries

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer to a request, whatever its status but one of `_AGAIN`."""
        for attempt in range(self._retries + 1):
            is_last = attempt == self._retries
            try:
                response = self._http.request(method, path, **options)
            except (
                httpx.TimeoutException,
                httpx.NetworkError,
                httpx.ProtocolError,
            ) as error:
                if is_last:
                    raise DeploymentError(
                        f"{self._http.base_url} does not answer: {type(error).__name__} "
                        f"{error}"
                    ) from error
                wait, why = 0.0, type(error).__name__
            else:
                if response.status_code not in _AGAIN or is_last:
                    return response
                wait, why = _retry_after(response), str(response.status_code)
            # A random part, that many clients do not come back at once.
            backoff = _FIRST_WAIT * 2.0**attempt * (0.5 + random.random())
            wait = min(max(wait, backoff), _LONGEST_WAIT)
            logger.info("%s %s: %s, again in %.1f s", method, path, why, wait)
            time.sleep(wait)
        raise AssertionError  # pragma: no cover


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _checked(response: httpx.Response) -> httpx.Response:
    """Return an answer that is one; raise what it tells otherwise."""
    if response.is_success:
        return response
    try:
        content = response.json()
        text, kind = str(content["error"]), content["kind"]
    except (ValueError, KeyError, TypeError):
        text, kind = response.reason_phrase, None
    message = f"The server answered {response.status_code}: {text:.500}"
    if response.status_code == 429:
        raise ServerBusyError(message, _retry_after(response) or None)
    raise _KINDS.get(str(kind), DeploymentError)(message)


def fetch_client(
    url: str,
    model: str,
    path: str | Path,
    token: str | None = None,
    *,
    timeout: float = 60.0,
    retries: int = 5,
    ca_file: str | None = None,
) -> Path:
    """Get the ``client.zip`` of a model, unless the one at a path is that already.

    Whoever gives you the file decides what is computed with your rows before they are
    encrypted, though not how they are encrypted: get it from a server that you trust.

    Parameters
    ----------
    url : str
        Of the server.
    model : str
    path : str or Path
        Where the file is written.
    token : str, optional
    timeout : float, default=60
        Seconds without a byte.
    retries : int, default=5
    ca_file : str, optional
        Of certificates to trust, in place of those of public authorities.

    Returns
    -------
    path : Path

    Raises
    ------
    DeploymentError
        If the server has no such model, or does not answer.
    FormatError
        If it is no bundle of a client.
    """
    path = Path(path)
    headers = {}
    if path.exists():
        headers["If-None-Match"] = f'"{Client(path).model_digest}"'
    with _Connection(url, token, timeout, retries, ca_file) as connection:
        response = connection.ask(
            "GET", f"/v2/models/{slug(model)}/client", headers=headers
        )
    if response.status_code == 304:
        return path
    content = _checked(response).content
    if len(content) > _MOST_BYTES:
        raise FormatError(f"The bundle has {len(content)} bytes.")
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    Client(new)  # raises if it is none
    new.replace(path)
    return path


class _Token(str):
    """A text that is not shown where parameters of estimators are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<not shown>"


def _has(method: str) -> Callable[[RemoteModel], bool]:
    def check(model: RemoteModel) -> bool:
        model.client.check_has(method)
        return True

    return check


class RemoteModel(BaseEstimator):  # type: ignore[misc] # it is untyped
    """A fitted estimator whose model is on a server, which sees no row.

    Rows are encrypted here, and results are decrypted here. It has the methods that the
    model has, and takes the place of a fitted estimator: at the end of a pipeline, under
    another name for its predictions, in loops over models. There is nothing to fit: `fit`
    changes nothing, and clones share the client.

    Parameters
    ----------
    url : str
        Of the server, such as ``https://example.org:8000``.
    client : Client
        It has the keys.
    token : str, optional
        Who asks.
    n_rows : int, default=16
        Rows of one request.
    n_connections : int, default=2
        Requests at once.
    timeout : float, default=150
        Seconds to wait for an answer.
    retries : int, default=5
        How often a request is sent again, to a server that is busy or not there; after
        times that grow. Whether depends on nothing that is decrypted.
    ca_file : str, optional
        Of certificates to trust, in place of those of public authorities.
    progress : bool, default=False
        Whether to show a bar.

    Notes
    -----
    It cannot be pickled, as the client holds secret keys.
    """

    def __init__(
        self,
        url: str,
        client: Client,
        token: str | None = None,
        *,
        n_rows: int = 16,
        n_connections: int = 2,
        timeout: float = 150.0,
        retries: int = 5,
        ca_file: str | None = None,
        progress: bool = False,
    ) -> None:
        self.url, self.client, self.token = url, client, token
        self.n_rows, self.n_connections = n_rows, n_connections
        self.timeout, self.retries = timeout, retries
        self.ca_file, self.progress = ca_file, progress

    @property
    def token(self) -> str | None:
        """Who asks; it is not shown where estimators are."""
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        self._token = None if token is None else _Token(token)

    def fit(self, X: Any = None, y: Any = None, **parameters: Any) -> RemoteModel:
        """Return itself: the model is fitted already.

        Parameters
        ----------
        X, y : ignored
        **parameters : ignored

        Returns
        -------
        self : RemoteModel
        """
        return self

    def predict(self, X: Any) -> Any:
        """Return what the model predicts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As the model's own methods take it. Of a module with several inputs, a tuple.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        DeploymentError
            If the server refuses, or does not answer.
        """
        return self._results("predict", X)

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class: see `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), or a list of them
        """
        return self._results("predict_proba", X)

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """Return the model's decision function: see `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._results("decision_function", X)

    @available_if(_has("transform"))  # type: ignore[untyped-decorator]
    def transform(self, X: Any) -> Any:
        """Return what the model's own `transform` does: see `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
        """
        return self._results("transform", X)

    @available_if(_has("eval_terms"))  # type: ignore[untyped-decorator]
    def eval_terms(self, X: Any) -> Any:
        """Return what each term adds, of a model deployed with ``explained=True``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_terms) or (n_samples, n_terms, n_classes)
        """
        return self._results("eval_terms", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of predicted labels, or R² of predicted numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            True labels or numbers.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        score : float
        """
        measure = r2_score if self.client.classes is None else accuracy_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    @property
    def classes_(self) -> np.ndarray:
        """Labels, of a classifier."""
        found: np.ndarray = self._known("classes")
        return found

    @property
    def n_features_in_(self) -> int:
        """Number of features, if rows are tables."""
        found: int = self._known("n_features")
        return found

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features, if the model was fitted on rows with names."""
        found: np.ndarray = self._known("feature_names")
        return found

    def _known(self, name: str) -> Any:
        found = getattr(self.client, name)
        if found is None:
            raise AttributeError(f"This model has no {name}.")
        return found

    def _results(self, method: str, X: Any) -> Any:
        client = self.client
        read = {
            "predict": client.decrypt_predict,
            "predict_proba": client.decrypt_proba,
            "decision_function": client.decrypt_decision_function,
            "transform": client.decrypt_transform,
            "eval_terms": client.decrypt_terms,
        }[method]
        if self.n_rows < 1 or self.n_connections < 1:
            raise ValueError(
                "The parameters 'n_rows' and 'n_connections' must be positive."
            )
        parts = list(_parts(X, self.n_rows))
        sending = Lock()
        path = (
            f"/v2/models/{slug(client.manifest.name)}/versions/{client.model_digest}/infer"
        )
        with (
            self._connection() as connection,
            ThreadPoolExecutor(min(self.n_connections, len(parts))) as threads,
            tqdm(
                total=sum(n for n, _ in parts), unit="row", disable=not self.progress
            ) as bar,
        ):
            if client.manifest.key_bytes:
                self._send_keys(connection, sending)

            def result(part: tuple[int, Any]) -> Any:
                n_rows, rows = part
                request = client.encrypt(rows)
                answer = connection.ask("POST", path, content=request, headers=_BINARY)
                if answer.status_code == 404 and client.manifest.key_bytes:
                    # The server may have dropped keys meanwhile.
                    self._send_keys(connection, sending)
                    answer = connection.ask("POST", path, content=request, headers=_BINARY)
                found = read(_checked(answer).content, request)
                bar.update(n_rows)
                return found

            # To start a thread takes longer than the rest of what a single request takes.
            each = map if len(parts) == 1 else threads.map
            return _joined(list(each(result, parts)))

    def _connection(self) -> _Connection:
        return _Connection(self.url, self.token, self.timeout, self.retries, self.ca_file)

    def _send_keys(self, connection: _Connection, sending: Lock) -> None:
        """Send evaluation keys, unless the server has them."""
        path = f"/v2/keys/{self.client.key_id}"
        with sending:
            if connection.ask("HEAD", path).status_code != 404:
                return
            keys = self.client.evaluation_keys
            _checked(connection.ask("PUT", path, content=keys, headers=_BINARY))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> RemoteModel:
        return type(self)(**self.get_params(deep=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.client.classes is None:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        else:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.requires_fit = False
        return tags

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client holds secret keys: a RemoteModel is not pickled.")

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return where the model is; the token is not told."""
        return f"{type(self).__name__}({self.url!r}, {self.client!r})"


def _parts(X: Any, n_rows: int) -> Iterator[tuple[int, Any]]:
    """Yield numbers of rows, and these rows."""
    total = _num_samples(X[0] if isinstance(X, tuple) else X)
    if not total:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    for start in range(0, total, n_rows):
        places = np.arange(start, min(start + n_rows, total))
        if isinstance(X, tuple):
            yield len(places), tuple(_safe_indexing(array, places) for array in X)
        else:
            yield len(places), _safe_indexing(X, places)


def _joined(results: list[Any]) -> Any:
    if isinstance(results[0], list | tuple):
        return type(results[0])(
            np.concatenate(members) for members in zip(*results, strict=True)
        )
    return np.concatenate(results)
