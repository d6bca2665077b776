"""Where which row is the nearest: regions of integers, and which of them touch.

The region of a row is where no other score is larger, a polytope. Who is the nearest in it
is told by comparing with the rows whose regions touch its own: were another row larger
somewhere, one of those would be on the way there.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from fhe_estimators.core.nearest._forms import Forms

#: Scores are integers: what is larger by less than this is no solver's precision.
_SLACK = 0.5
#: Drawn integers that show many of the regions that touch.
_N_DRAWN = 20_000


def seen(forms: Forms) -> np.ndarray:
    """Return regions that touch, (n_rows, n_rows) of bool, but not all of them.

    On the way from where a row is the nearest to the region of the second nearest no other
    gets ahead of the first. The forms need not be of integers.
    """
    found = np.zeros((len(forms), len(forms)), bool)
    if len(forms) > 1:
        random = np.random.default_rng(0)
        q = random.integers(forms.low, forms.high + 1, (_N_DRAWN, len(forms.low)))
        best = np.argpartition(-forms.scores(q), 1, axis=1)[:, :2]
        found[best[:, 0], best[:, 1]] = found[best[:, 1], best[:, 0]] = True
    return found


def touching(forms: Forms, known: np.ndarray | None = None) -> np.ndarray:
    """Return which regions touch, or nearly do, (n_rows, n_rows) of bool.

    Parameters
    ----------
    forms : Forms
        Of integers.
    known : ndarray of bool of shape (n_rows, n_rows), optional
        Regions that do.
    """
    found = seen(forms) if known is None else seen(forms) | known
    for first, second in zip(*np.triu_indices(len(forms), 1), strict=True):
        if not found[first, second]:
            found[first, second] = found[second, first] = _meet(forms, first, second)
    return found


def _meet(forms: Forms, first: int, second: int) -> bool:
    """Return whether two rows are the nearest, both, somewhere: a linear program."""
    others = forms.weights - forms.weights[first]
    equal = forms.weights[first] - forms.weights[second]
    solution = linprog(
        np.zeros(len(equal)),
        A_ub=others,
        b_ub=forms.constant[first] - forms.constant + _SLACK,
        A_eq=equal[np.newaxis],
        b_eq=[forms.constant[second] - forms.constant[first]],
        bounds=np.column_stack([forms.low, forms.high]),
        method="highs",
    )
    # What is not settled is compared.
    return bool(solution.status != 2)


def on_borders(touch: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the rows whose regions touch one of another class, in order.

    The others can go: where one of them is the nearest, one of its class is nearer than all
    that are left of other classes [1]_.

    References
    ----------
    .. [1] G. Toussaint, B. Bhattacharya, R. Poulsen, "The Application of Voronoi Diagrams
       to Non-parametric Decision Rules", Computer Science and Statistics 1984.
    """
    differ = classes[:, np.newaxis] != classes
    return np.flatnonzero((touch & differ).any(axis=1))
