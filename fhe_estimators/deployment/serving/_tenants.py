"""Who asks: the holders of tokens, and how much each asks at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from fhe_estimators.deployment.errors import ServerBusyError

_SHORTEST = 16
_RETRY = 1.0
#: Where the keys of everybody lie, if there are no tokens.
EVERYBODY = "everybody"


class Tenants:
    """Holders of tokens, which are kept as digests only.

    Parameters
    ----------
    tokens : collection of str
        Without any, everybody is one tenant.
    most : int
        Requests of one tenant at once.

    Raises
    ------
    ValueError
        If a token is too short.
    """

    def __init__(self, tokens: Collection[str], most: int) -> None:
        for token in tokens:
            if len(token) < _SHORTEST or not token.isascii() or not token.isprintable():
                raise ValueError(
                    f"A token has at least {_SHORTEST} printable characters; 'openssl rand "
                    "-hex 32' makes one."
                )
        self._names = frozenset(map(_digest, tokens))
        self._most = most
        self._busy: Counter[str] = Counter()

    @property
    def are_told_apart(self) -> bool:
        """Whether there are tokens."""
        return bool(self._names)

    def holding(self, token: str | None) -> str | None:
        """Return the name of who holds a token; None if nobody does."""
        if not self._names:
            return EVERYBODY
        # Digests are compared: how long that takes tells nothing of tokens.
        name = _digest(token or "")
        return name if name in self._names else None

    @contextmanager
    def busy(self, tenant: str, what: str) -> Iterator[None]:
        """Return a context in which a tenant has one thing more going on.

        Raises
        ------
        ServerBusyError
            If there are too many already.
        """
        place = f"{tenant} {what}"
        if self._busy[place] >= self._most:
            raise ServerBusyError(
                f"{self._most} {what}s of one tenant are going on: wait for one.", _RETRY
            )
        self._busy[place] += 1
        try:
            yield
        finally:
            self._busy[place] -= 1
            if not self._busy[place]:
                del self._busy[place]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._names)} tokens)"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:32]
