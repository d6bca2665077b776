"""Docstrings against the code: parameters, defaults, and numpydoc's own rules."""

import inspect

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import fhe_estimators
from fhe_estimators.testing import all_estimators

#: What every estimator adds to the parameters of its scikit-learn class.
SHARED = ("n_bits", "p_error")

#: Deprecated parameters of the parent that the constructor leaves out though their
#: default does not say so.
DROPPED = {"LogisticRegression": {"n_jobs"}}

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


def parameters_of(cls):
    """Return the parameters of the constructor by name."""
    _, *parameters = inspect.signature(cls.__init__).parameters.values()
    return {parameter.name: parameter for parameter in parameters}


def documented(cls):
    """Return the entries of the section Parameters by name."""
    section = NumpyDocString(inspect.getdoc(cls))["Parameters"]
    return {entry.name: entry for entry in section}


def parent_of(cls):
    """Return the scikit-learn class that an estimator mirrors."""
    return next(base for base in cls.__mro__ if base.__module__.startswith("sklearn."))


def is_dropped(cls, parameter):
    deprecated = parameter.default == "deprecated"
    return deprecated or parameter.name in DROPPED.get(cls.__name__, ())


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
        _, _, text = entry.type.partition("default=")
        # The text is a literal or a power: it is evaluated without any name.
        documented_default = eval(text, {"__builtins__": {}})
        default = parameters_of(cls)[name].default
        assert documented_default == default, name
        assert type(documented_default) is type(default), name


@pytest.mark.parametrize("name", SHARED)
def test_shared_parameters_are_described_alike(name):
    entries = [documented(cls)[name] for cls in ESTIMATORS]
    # Defaults are compared with signatures; that of NearestCentroid's n_bits differs.
    assert len({(entry.type.split(", default=")[0], *entry.desc) for entry in entries}) == 1


@each_estimator
def test_constructor_mirrors_the_parent(cls):
    expected = [p for p in parameters_of(parent_of(cls)).values() if not is_dropped(cls, p)]
    *mirrored, n_bits, p_error = parameters_of(cls).values()
    assert [(p.name, p.kind, p.default) for p in mirrored] == [
        (p.name, p.kind, p.default) for p in expected
    ]
    assert (n_bits.name, p_error.name) == SHARED
    assert n_bits.kind == p_error.kind == inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("cls", [c for c in ESTIMATORS if c.__name__ in DROPPED])
def test_dropped_parameters_are_deprecated(cls):
    """The parent has them, names no other default, and says that they will go."""
    parent = parent_of(cls)
    entries = documented(parent)
    for name in DROPPED[cls.__name__]:
        assert parameters_of(parent)[name].default != "deprecated"
        assert any(".. deprecated::" in line for line in entries[name].desc)


@each_estimator
def test_see_also_names_the_parent(cls):
    parent = parent_of(cls)
    module = parent.__module__.rpartition("._")[0] or parent.__module__
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
