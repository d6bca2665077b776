"""What can go wrong between a client and a server."""

__all__ = [
    "ConformanceError",
    "DeploymentError",
    "FormatError",
    "KeyMismatchError",
    "ServerBusyError",
    "WeakParametersError",
]


class DeploymentError(Exception):
    """What all errors of `fhe_estimators.deployment` have in common."""


class FormatError(DeploymentError, ValueError):
    """A bundle, a message or a key file has not the form that this package writes."""


class WeakParametersError(DeploymentError, ValueError):
    """Encryption parameters are less safe than 128 bits: no key is made for them."""


class KeyMismatchError(DeploymentError, ValueError):
    """Keys are those of another client, or of programs with other parameters."""


class ConformanceError(DeploymentError, ValueError):
    """What is well-formed does not belong here: another model's, another request's."""


class ServerBusyError(DeploymentError, RuntimeError):
    """A server has too much to do.

    Parameters
    ----------
    message : str
    retry_after : float, optional
        Seconds after which to ask again, if the server said so.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
