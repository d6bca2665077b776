"""Fitting: the parent's `fit`, then the lowering to integers."""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, Protocol

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state
from threadpoolctl import ThreadpoolController

from fhe_estimators._columns import explain_columns
from fhe_estimators._config import fitting

#: Numbers of a table on which threads do not help to fit.
_SMALL = 2**20


def refuse_sparse(X: Any) -> None:
    if sparse.issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required: every feature of "
            "a row is encrypted. Use '.toarray()' to convert it."
        )


def refuse(name: str, value: Any, supported: Sequence[Any]) -> NoReturn:
    """Raise the error that says what a parameter may be."""
    raise ValueError(
        f"The parameter {name!r} must be one of {supported} to predict encrypted; "
        f"got {value!r}."
    )


@functools.cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


def _few_threads(X: Any) -> AbstractContextManager[Any]:
    """Return a context in which small problems use one thread for linear algebra.

    numpy and scipy each come with threads of their own that wait for work by spinning. On
    matrices this small they only stand in each other's way: on two cores a grid search of
    30 logistic regressions took four times longer with them.
    """
    size = math.prod(getattr(X, "shape", ()))
    if size > _SMALL:
        return nullcontext()
    limits: AbstractContextManager[Any] = _threadpools().limit(limits=1, user_api="blas")
    return limits


class Lowerable(Protocol):
    """What is lowered to integers after it is fitted."""

    def _check_fhe_parameters(self) -> None: ...

    def _heed(self, arguments: Mapping[str, Any]) -> None: ...

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> Any: ...

    def _prepared_again(self, X: Any, sample_weight: Any) -> Any: ...

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None: ...


def _rewinding(random_state: Any) -> Callable[[], None]:
    """Return what makes a generator draw again what it draws from now on.

    Without one, the parents of scikit-learn draw from numpy's own.
    """
    if isinstance(random_state, np.random.Generator):
        bits, state = random_state.bit_generator, random_state.bit_generator.state
        return lambda: setattr(bits, "state", state)
    if random_state is None or random_state is np.random:
        random_state = check_random_state(None)
    if not isinstance(random_state, np.random.RandomState):
        return lambda: None
    return functools.partial(random_state.set_state, random_state.get_state())


def lowered_after(fit: Callable[..., Any], *, incremental: bool) -> Callable[..., Any]:
    """Return the parent's `fit` followed by the lowering to integers."""
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def fit_and_lower(self: Lowerable, *args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(self, *args, **kwargs)
        X, sample_weight = bound.arguments["X"], bound.arguments.get("sample_weight")
        refuse_sparse(X)
        # Bits are checked before time is spent on fitting.
        self._check_fhe_parameters()
        self._heed(bound.arguments)
        with explain_columns(self, X), _few_threads(X):
            bound.arguments["X"] = self._prepared_for_fit(X, sample_weight)
            rewind = _rewinding(getattr(self, "random_state", None))
            with fitting():
                fit(*bound.args, **bound.kwargs)
            again = self._prepared_again(X, sample_weight)
            if again is not None:
                bound.arguments["X"] = again
                rewind()
                with fitting(), warnings.catch_warnings():
                    # What there is to warn of was said the first time.
                    warnings.simplefilter("ignore")
                    fit(*bound.args, **bound.kwargs)
            self._lower(X, sample_weight, incremental=incremental)
        return self

    return fit_and_lower
