"""The client's side of a deployment, without a socket."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

import numpy as np

from fhe_estimators._warnings import warn
from fhe_estimators.core.engine import Cipher
from fhe_estimators.deployment import _preprocessing
from fhe_estimators.deployment._bundle import Bundle
from fhe_estimators.deployment._envelope import ANSWER, OVERHEAD, REQUEST, Envelope
from fhe_estimators.deployment._keyring import Keyring, check_strength
from fhe_estimators.deployment._manifest import Manifest
from fhe_estimators.deployment._processing import Processing
from fhe_estimators.deployment.errors import (
    ConformanceError,
    FormatError,
    KeyMismatchError,
)
from fhe_estimators.exceptions import ClippingWarning

#: Requests whose rows are remembered, if an answer alone is not enough.
_REMEMBERED = 64


class Client:
    """Encrypts rows, and decrypts the answers.

    It needs neither torch nor the library that the model was trained with.

    Parameters
    ----------
    path : str or Path
        Of a ``client.zip``.
    keys : str or Path, optional
        A folder for keys, made with access for this user only, and refused if others have
        any. Keys are made when they are first needed, and are found there the next time.
        Clients of one family of models find the same ones. By default keys are made for
        this object, and are lost with it.
    passphrase : str, optional
        Secret keys are sealed with it in the folder.

    Attributes
    ----------
    manifest : Manifest
        What the deployment is, and what each side learns.

    Raises
    ------
    FormatError
        If the file is not exactly as `save_deployment` writes it.
    WeakParametersError
        If it asks for encryption that is less safe than 128 bits.

    Notes
    -----
    A client must not show decrypted results to others, or to the server, unless the
    deployment was made with ``results_shared=True``.
    """

    def __init__(
        self,
        path: str | Path,
        keys: str | Path | None = None,
        passphrase: str | None = None,
    ) -> None:
        if passphrase is not None and keys is None:
            raise ValueError(
                "A passphrase seals keys in a folder: give the parameter 'keys', too."
            )
        if not isinstance(passphrase, str | None) or passphrase == "":
            raise TypeError(
                "The parameter 'passphrase' must be a text of at least one character, or "
                f"None; got a {type(passphrase).__name__}."
            )
        bundle = Bundle.load(path, "client")
        self.manifest: Manifest = bundle.manifest
        self._model = self.manifest.digest
        self._specification = bundle.specification("client_spec.json")
        check_strength(self._specification)
        self._processing = Processing.load(
            bundle.parts["processing.json"], bundle.parts["arrays.npz"]
        )
        self._processing.check_shapes(*self._specification.shapes)
        steps = bundle.parts.get("preprocessing.skops")
        self._steps = None if steps is None else _preprocessing.load(steps)
        self._folder, self._passphrase = keys, passphrase
        self._ring: Keyring | None = None
        self._cipher: Cipher | None = None
        self._lock = Lock()
        self._last: bytes | None = None
        self._has_warned = False
        #: Of the last requests, what is needed of their rows beside the answer.
        self._beside: dict[bytes, np.ndarray] = {}

    # Keys ----------------------------------------------------------------------------

    def _keys(self) -> tuple[Keyring, Cipher]:
        """Return the keys, and what encrypts with them; made when first needed."""
        with self._lock:
            if self._ring is None or self._cipher is None:
                if self._folder is None:
                    ring = Keyring.new(self._specification)
                else:
                    ring = Keyring.kept(self._specification, self._folder, self._passphrase)
                self._cipher = Cipher(self._specification, ring.keys.secret)
                self._ring, self._passphrase = ring, None
            return self._ring, self._cipher

    @property
    def evaluation_keys(self) -> bytes:
        """What the server computes with: it cannot decrypt. Empty without tables."""
        return self._keys()[0].keys.evaluation

    @property
    def key_id(self) -> str:
        """The name of the keys, in hexadecimal digits."""
        return self._keys()[0].key_id.hex()

    @property
    def family(self) -> str:
        """What tells apart which models the keys are for, in hexadecimal digits."""
        return self._specification.family.hex()

    @property
    def model_digest(self) -> str:
        """What tells the model apart, in hexadecimal digits; its server has the same."""
        return self._model.hex()

    # What is known of the model ------------------------------------------------------

    @property
    def classes(self) -> np.ndarray | None:
        """The labels that `decrypt_predict` gives, if it gives labels of one output."""
        return self._processing.classes

    @property
    def n_features(self) -> int | None:
        """Number of features, if rows are tables."""
        features = self._processing.features
        return None if features is None else features.count

    @property
    def feature_names(self) -> np.ndarray | None:
        """Names of features, if the model was fitted on rows with names."""
        return getattr(self._processing.features, "feature_names_in_", None)

    def check_has(self, method: str) -> None:
        """Raise if the model has not a method.

        Parameters
        ----------
        method : {'predict', 'predict_proba', 'decision_function', 'transform', \
                'eval_terms'}

        Raises
        ------
        AttributeError
        """
        self._processing.check_has(method, self.manifest.kind)

    # Messages ------------------------------------------------------------------------

    def encrypt(self, X: Any) -> bytes:
        """Return a request.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As the model's own methods take it. Of a module with several inputs, a tuple.

        Returns
        -------
        request : bytes
            To be sent to the server.

        Raises
        ------
        TypeError, ValueError
            As the model does, for rows that are not like those that it was fitted on.

        Warns
        -----
        ClippingWarning
            Once, if numbers lie beyond the ranges of those rows.
        """
        if self._steps is not None:
            X = self._steps.transform(X)
        rows = self._processing.checked(X)
        prepared = self._processing.ends.prepare(rows)
        if not self._has_warned:
            self._warn_of_clipping(self._processing.beyond(prepared))
        q_inputs = self._processing.ends.quantize(prepared)
        ring, cipher = self._keys()
        n_rows = len(q_inputs[0])
        payloads = [
            cipher.encrypt(*(array[row : row + 1] for array in q_inputs))
            for row in range(n_rows)
        ]
        number = os.urandom(16)
        envelope = Envelope(
            REQUEST, self._model, ring.key_id, number, n_rows, b"".join(payloads)
        )
        request = envelope.to_bytes()
        self._last = request[:OVERHEAD]
        if self._processing.beside is not None:
            self._remember(number, self._processing.beside(*rows))
        return request

    def _warn_of_clipping(self, message: str | None) -> None:
        if message is not None:
            self._has_warned = True
            warn(
                f"{message}. Ask for a model that was fitted on rows that cover the range.",
                ClippingWarning,
            )

    def _remember(self, number: bytes, beside: np.ndarray) -> None:
        with self._lock:
            self._beside[number] = beside
            while len(self._beside) > _REMEMBERED:
                del self._beside[next(iter(self._beside))]

    def decrypt_predict(self, answer: bytes, request: bytes | None = None) -> Any:
        """Return what the model predicts.

        Parameters
        ----------
        answer : bytes
            Of the server.
        request : bytes, optional
            What it answers, as `encrypt` returned it; by default the last one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As from the model's own `predict`.

        Raises
        ------
        FormatError
            If the answer was cut or changed, or is no answer.
        ConformanceError
            If it is another model's, or the answer to another request, or holds integers
            that the model cannot give.
        KeyMismatchError
            If it is encrypted for other keys.
        """
        return self._read("predict", answer, request)

    def decrypt_proba(self, answer: bytes, request: bytes | None = None) -> Any:
        """Return the probability of each class: see `decrypt_predict`.

        Parameters
        ----------
        answer : bytes
        request : bytes, optional

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), or a list of them

        Raises
        ------
        AttributeError
            If the model has no probabilities.
        """
        return self._read("predict_proba", answer, request)

    def decrypt_decision_function(
        self, answer: bytes, request: bytes | None = None
    ) -> np.ndarray:
        """Return what the model's own `decision_function` does: see `decrypt_predict`.

        Parameters
        ----------
        answer : bytes
        request : bytes, optional

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)

        Raises
        ------
        AttributeError
            If the model has no such function.
        """
        found: np.ndarray = self._read("decision_function", answer, request)
        return found

    def decrypt_transform(self, answer: bytes, request: bytes | None = None) -> np.ndarray:
        """Return what the model's own `transform` does: see `decrypt_predict`.

        Parameters
        ----------
        answer : bytes
        request : bytes, optional

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)

        Raises
        ------
        AttributeError
            If the model has no such method, or `transform` stays in clear.
        """
        found: np.ndarray = self._read("transform", answer, request)
        return found

    def decrypt_terms(self, answer: bytes, request: bytes | None = None) -> np.ndarray:
        """Return what each term adds to the scores of each row: see `decrypt_predict`.

        Parameters
        ----------
        answer : bytes
        request : bytes, optional

        Returns
        -------
        scores : ndarray of shape (n_samples, n_terms) or (n_samples, n_terms, n_classes)
            As from the model's own `eval_terms`.

        Raises
        ------
        AttributeError
            If the model was not deployed with ``explained=True``.
        """
        found: np.ndarray = self._read("eval_terms", answer, request)
        return found

    def decrypt_integers(
        self, answer: bytes, request: bytes | None = None
    ) -> tuple[np.ndarray, ...]:
        """Return what the circuit gave, before it is made a prediction.

        Parameters
        ----------
        answer : bytes
        request : bytes, optional

        Returns
        -------
        q_outputs : tuple of ndarray of int64 of shape (n_samples, ...)
        """
        return self._integers(self._opened(answer, request))

    def _integers(self, envelope: Envelope) -> tuple[np.ndarray, ...]:
        _, cipher = self._keys()
        size = cipher.output_bytes
        if len(envelope.payload) != envelope.rows * size:
            raise FormatError(
                f"{envelope.rows} encrypted results have {envelope.rows * size} bytes; got "
                f"{len(envelope.payload)}."
            )
        rows = [
            cipher.decrypt(envelope.payload[start : start + size])
            for start in range(0, len(envelope.payload), size)
        ]
        results = tuple(np.concatenate(parts) for parts in zip(*rows, strict=True))
        return self._processing.recombined(results)

    def _read(self, method: str, answer: bytes, request: bytes | None) -> Any:
        self.check_has(method)
        envelope = self._opened(answer, request)
        beside = self._beside.get(envelope.request)
        return self._processing.read(method, self._integers(envelope), beside)

    def _opened(self, answer: bytes, request: bytes | None) -> Envelope:
        """Return an answer that is one to the request."""
        asked = self._asked(request)
        envelope = Envelope.of(answer, ANSWER)
        if envelope.model != self._model:
            raise ConformanceError(
                f"The answer is of the model {envelope.model.hex()[:16]}; this client is "
                f"for {self.manifest.name!r}, {self.model_digest[:16]}."
            )
        ring, _ = self._keys()
        if envelope.key != ring.key_id or asked.key != ring.key_id:
            raise KeyMismatchError(
                f"The answer is encrypted for the keys {envelope.key.hex()[:16]}; this "
                f"client has {ring.key_id.hex()[:16]}."
            )
        if (envelope.request, envelope.rows) != (asked.request, asked.rows):
            raise ConformanceError(
                "The answer is to another request: give the request that it answers, as "
                "encrypt returned it, as 'request'."
            )
        return envelope

    def _asked(self, request: bytes | None) -> Envelope:
        if request is not None:
            envelope = Envelope.of(request, REQUEST)
        elif self._last is not None:
            envelope = Envelope.header_of(self._last)
        else:
            raise ConformanceError(
                "No request was encrypted here: give the one that the answer is to, as "
                "encrypt returned it, as 'request'."
            )
        if envelope.model != self._model:
            raise ConformanceError("The request is for another model.")
        return envelope

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A client holds secret keys and is not pickled: make another one from its file "
            "and folder of keys."
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.manifest.name!r}, {self.model_digest[:8]})"
