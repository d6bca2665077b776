"""Docstrings against the code: parameters, defaults, and numpydoc's own rules."""

import inspect

import numpy as np
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import fhe_estimators
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.base import parent_of
from fhe_estimators.testing import all_estimators

#: What the estimators of a family add to the parameters of the classes that they mirror.
LINEAR = ("n_bits", "range_margin", "p_error")
NEIGHBORS = ("n_bits", "range_margin", "reveal", "p_error")
BAYES = ("n_bits", "p_error")
TREES = ("n_bits", "binning", "input_encoding", "p_error")

#: Modules of those that cut features themselves.
OWN_BINS = ("catboost", "interpret")
ADDITIVE = {"max_bins": None, "max_interaction_bins": None, "interactions": 0}
#: Defaults that are not the parent's; the description names the parent's.
CHANGED_DEFAULTS = {
    "CatBoostClassifier": {"depth": 4, "iterations": 100, "allow_writing_files": False},
    "CatBoostRegressor": {"depth": 4, "iterations": 100, "allow_writing_files": False},
    "ExplainableBoostingClassifier": ADDITIVE,
    "ExplainableBoostingRegressor": ADDITIVE,
    "ExtraTreesClassifier": {"max_depth": 4},
    "ExtraTreesRegressor": {"max_depth": 4},
    "HistGradientBoostingClassifier": {"max_leaf_nodes": 8},
    "HistGradientBoostingRegressor": {"max_leaf_nodes": 8},
    "IsolationForest": {"max_samples": 32},
    "LGBMClassifier": {"num_leaves": 8},
    "LGBMRegressor": {"num_leaves": 8},
    "OneClassSVM": {"kernel": "linear"},
    "RandomForestClassifier": {"max_depth": 4},
    "RandomForestRegressor": {"max_depth": 4},
    "SVC": {"kernel": "linear"},
    "SVR": {"kernel": "linear"},
    "XGBClassifier": {"max_depth": 3},
    "XGBRFClassifier": {"max_depth": 3},
    "XGBRFRegressor": {"max_depth": 3},
    "XGBRegressor": {"max_depth": 3},
}

#: How descriptions call the libraries of the mirrored classes.
LIBRARIES = {
    "catboost": "CatBoost",
    "interpret": "interpret",
    "lightgbm": "LightGBM",
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
}

#: Parameters that the parents deprecate.
DEPRECATED = [
    ("GradientBoostingClassifier", "criterion"),
    ("GradientBoostingRegressor", "criterion"),
    ("LogisticRegression", "n_jobs"),
    ("LogisticRegression", "penalty"),
]

#: Rules of `numpydoc.validate` that do not hold here, by code.
IGNORED = {
    "ES01",  # a summary that says everything needs no more
    "EX01",  # the class has the example, a method is seen there
    "PR07",  # a type such as "array-like of shape (n_samples, n_features)" says it all
    "RT02",  # results have names, as in scikit-learn
    "RT03",  # as PR07
    "SA01",  # what belongs together stands together, in one class
    "YD01",  # a context manager yields nothing
}

ESTIMATORS = [cls for _, cls in all_estimators()]

each_estimator = pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)

#: Those that mirror a class of another library: not the networks, whose parents are ours.
MIRRORS = [cls for cls in ESTIMATORS if not parent_of(cls).__module__.startswith("fhe_")]

each_mirror = pytest.mark.parametrize("cls", MIRRORS, ids=lambda cls: cls.__name__)


def parameters_of(cls):
    """Return the parameters of the constructor by name."""
    _, *parameters = inspect.signature(cls.__init__).parameters.values()
    return {p.name: p for p in parameters if p.kind != p.VAR_KEYWORD}


def mirrored_parameters_of(cls):
    """Return those of the parent, with what it passes on if it takes any keyword."""
    found = {}
    for base in parent_of(cls).__mro__[:-1]:
        if "__init__" in vars(base):
            found = {**parameters_of(base), **found}
            if not takes_any(base):
                break
    named = getattr(cls, "_named", found)
    chosen = {name: p for name, p in found.items() if name in named}
    n_positional = sum(own == theirs for own, theirs in zip(chosen, found, strict=False))
    return {
        name: p if number < n_positional else p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for number, (name, p) in enumerate(chosen.items())
    }


def takes_any(cls):
    """Return whether the constructor takes keywords that it does not name."""
    kinds = {p.kind for p in inspect.signature(cls.__init__).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def documented(cls):
    """Return the entries of the section Parameters by name."""
    section = NumpyDocString(inspect.getdoc(cls))["Parameters"]
    return {entry.name: entry for entry in section if entry.name != "**kwargs"}


def added(cls):
    """Return the names of the parameters that an estimator adds to its parent's."""
    if issubclass(cls, TreeMixin):
        return TREES
    if "reveal" in cls._fhe_constraints:
        return NEIGHBORS
    return LINEAR if "range_margin" in cls._fhe_constraints else BAYES


def function_of(attribute):
    """Return the function behind a method, however it is wrapped, or a property."""
    for name in ("fget", "__func__", "fn"):
        attribute = getattr(attribute, name, attribute)
    return attribute


def public_names():
    """Yield the dotted name of each public object and of each method that is ours.

    Methods that several classes inherit are yielded once.
    """
    seen = set()
    for name in fhe_estimators.__all__:
        thing = getattr(fhe_estimators, name)
        if not callable(thing):
            continue
        yield f"fhe_estimators.{name}"
        for member in dir(thing) if inspect.isclass(thing) else ():
            function = function_of(inspect.getattr_static(thing, member))
            module = getattr(function, "__module__", None) or ""
            ours = module.startswith("fhe_estimators")
            if ours and not member.startswith("_") and function not in seen:
                seen.add(function)
                yield f"fhe_estimators.{name}.{member}"


PUBLIC = list(public_names())


@each_estimator
def test_parameters_are_those_of_the_signature(cls):
    assert list(documented(cls)) == list(parameters_of(cls))


@each_estimator
def test_every_parameter_is_described(cls):
    assert not [name for name, entry in documented(cls).items() if not any(entry.desc)]


@each_estimator
def test_documented_defaults_are_those_of_the_signature(cls):
    for name, entry in documented(cls).items():
        default = parameters_of(cls)[name].default
        if default is inspect.Parameter.empty:
            assert "default" not in entry.type
            continue
        _, _, text = entry.type.partition("default=")
        # The text is a literal or a power: it is evaluated without any other name.
        documented_default = eval(text, {"__builtins__": {}, "np": np})
        np.testing.assert_equal(documented_default, default, name)
        assert type(documented_default) is type(default), name


def bins_differ(cls):
    """Return whether a class places bins otherwise than other trees do.

    Libraries cut features themselves, and splits that are drawn say nothing.
    """
    return cls.__module__.split(".")[1] in OWN_BINS or cls is fhe_estimators.IsolationForest


@pytest.mark.parametrize("family", [BAYES, LINEAR, TREES], ids=len)
def test_added_parameters_are_described_alike(family):
    for name in family:
        entries = [
            documented(cls)[name]
            for cls in MIRRORS
            if added(cls) == family and (name != "binning" or not bins_differ(cls))
        ]
        # Defaults are compared with signatures; that of NearestCentroid's n_bits differs.
        texts = {(entry.type.split(", default=")[0], *entry.desc) for entry in entries}
        assert len(texts) == 1, name


@pytest.mark.parametrize(
    ("family", "other"),
    [
        ("NeuralNetClassifier", "NeuralNetRegressor"),
        ("SkorchClassifier", "SkorchRegressor"),
    ],
)
def test_networks_are_described_alike(family, other):
    """Classifier and regressor have the same parameters, but for the kind of net."""
    one, two = (documented(getattr(fhe_estimators, name)) for name in (family, other))
    texts = [
        {
            name: (entry.type, *entry.desc)
            for name, entry in entries.items()
            if name != "net"
        }
        for entries in (one, two)
    ]
    assert texts[0] == texts[1]


@each_mirror
def test_constructor_mirrors_the_parent(cls):
    changed = CHANGED_DEFAULTS.get(cls.__name__, {})
    expected = [
        (name, p.kind, changed.get(name, p.default))
        for name, p in mirrored_parameters_of(cls).items()
    ]
    expected += [(name, inspect.Parameter.KEYWORD_ONLY) for name in added(cls)]
    found = [(p.name, p.kind, p.default) for p in parameters_of(cls).values()]
    n_added = len(added(cls))
    # nan is not equal to itself, but its text is.
    assert str(found[:-n_added] + [p[:2] for p in found[-n_added:]]) == str(expected)


@pytest.mark.parametrize("cls", [c for c in ESTIMATORS if c.__name__ in CHANGED_DEFAULTS])
def test_changed_defaults_are_explained(cls):
    library = LIBRARIES[parent_of(cls).__module__.partition(".")[0]]
    for parameter, default in CHANGED_DEFAULTS[cls.__name__].items():
        parents = mirrored_parameters_of(cls)[parameter].default
        assert parents != default
        assert f"{parents!r} in {library}: " in " ".join(documented(cls)[parameter].desc)


@pytest.mark.parametrize(("name", "parameter"), DEPRECATED)
def test_deprecated_parameters_are_called_so(name, parameter):
    """The description says since when, as that of the parent does."""
    cls = getattr(fhe_estimators, name)
    ours, theirs = (
        [line for line in documented(c)[parameter].desc if ".. deprecated::" in line]
        for c in (cls, parent_of(cls))
    )
    assert ours == [f"{line} of scikit-learn" for line in theirs]


@each_mirror
def test_see_also_names_the_parent(cls):
    parent = parent_of(cls)
    module = parent.__module__.partition("._")[0]
    # The libraries beside it keep their estimators for scikit-learn in a module.
    module = module.removesuffix(".sklearn").removesuffix(".core")
    ((names, _),) = NumpyDocString(inspect.getdoc(cls))["See Also"]
    assert [name for name, _ in names] == [f"{module}.{parent.__name__}"]


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_is_valid_numpydoc(name):
    errors = [
        (code, text) for code, text in validate(name)["errors"] if code not in IGNORED
    ]
    assert not errors


def test_every_ignored_rule_is_broken_somewhere():
    broken = {code for name in PUBLIC for code, _ in validate(name)["errors"]}
    assert broken >= IGNORED
