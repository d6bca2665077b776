"""torch modules as ONNX models. The only exporter that imports torch."""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from fhe_estimators.core.frontends.onnx import behind_trees, load_onnx, traced_with
from fhe_estimators.core.frontends.trees import (
    Matrices,
    TreeArrays,
    matrices,
    node_attributes,
)
from fhe_estimators.exceptions import GraphError

if TYPE_CHECKING:
    from onnx import ModelProto

#: torch exports one model at a time in a process.
_EXPORTING = Lock()
#: The operator set that models are exported with.
OPSET = 17


def export_torch(module: nn.Module, inputs: Sequence[np.ndarray]) -> ModelProto:
    """Export a torch module by tracing it.

    Parameters
    ----------
    module : torch.nn.Module
        On the CPU; it is exported in evaluation mode.
    inputs : sequence of ndarray of shape (n_samples, ...)
        Example rows of each input, at least one; see `signature`. The number of rows is
        left open.

    Returns
    -------
    model : onnx.ModelProto
    """
    module, examples, names = signature(module, inputs)
    return traced_with(_exported(module, examples, names), len(examples[0]))


def _exported(
    module: nn.Module, examples: tuple[Tensor, ...], names: dict[str, Any]
) -> ModelProto:
    file = io.BytesIO()
    with one_at_a_time(), _written_out(), warnings.catch_warnings():
        # The exporter that needs no onnxscript announces its end at each call.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Layers of torch compare sizes, which rows of calibration have too.
        ignored = torch.jit.TracerWarning  # type: ignore[attr-defined]
        warnings.filterwarnings("ignore", category=ignored, module=r"torch\.nn\.")
        torch.onnx.export(
            module.eval(),
            examples,
            file,  # type: ignore[arg-type] # this exporter takes open files, too
            opset_version=OPSET,
            dynamo=False,
            **names,
        )
    return load_onnx(file.getvalue())


def export_program(program: Any) -> ModelProto:
    """Write a program of ``torch.export.export`` as ONNX.

    Parameters
    ----------
    program : torch.export.ExportedProgram

    Returns
    -------
    model : onnx.ModelProto
        Its outputs have the names that `export_torch` gives those of the module.

    Raises
    ------
    ModuleNotFoundError
        If onnxscript is missing: torch's newer exporter, the only one that takes programs,
        needs it.
    """
    if find_spec("onnxscript") is None:
        raise ModuleNotFoundError(
            "The parameter 'torch_model' is an exported program, which torch writes as "
            "ONNX with onnxscript only: pip install --no-deps onnxscript onnx-ir "
            "ml_dtypes. Or pass the torch.nn.Module that was exported.",
            name="onnxscript",
        )
    with one_at_a_time(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            output_names=_names_of_results(program.call_spec.out_spec),
        )
    assert written is not None
    return written.model_proto


def _names_of_results(tree: Any) -> Sequence[str]:
    """Return the names that `signature` gives what a program returns."""
    results = tree.unflatten([torch.zeros(0)] * tree.num_leaves)
    names = list(_leaves(results))
    return names if isinstance(results, Mapping) else _numbered("output", len(names))


@contextmanager
def _written_out() -> Iterator[None]:
    """Return a context in which torch writes encoders out, not as one operator of its own.

    It has one for evaluation of weights that need no gradients.
    """
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def one_at_a_time() -> AbstractContextManager[bool]:
    """Return a context for an export: torch exports one model at a time in a process."""
    return _EXPORTING


def signature(
    module: nn.Module, inputs: Sequence[np.ndarray]
) -> tuple[nn.Module, tuple[Tensor, ...], dict[str, Any]]:
    """Return the module, example inputs as tensors, and the names of inputs and outputs.

    A module that returns a dictionary, or tuples in tuples, becomes one that returns its
    tensors one by one; those of a dictionary are named by its keys.

    The module is set to evaluation mode and run, on rows of `inputs`: two at least, since
    code may treat a single one differently, and as many as no other axis has, so that a
    size that the trace holds tells whether it counts rows.

    Raises
    ------
    GraphError
        If what the module computes for rows depends on how many there are.
    """
    sizes = {size for array in inputs for size in array.shape[1:]}
    tensors = itertools.chain(module.parameters(), module.buffers())
    sizes.update(size for tensor in tensors for size in tensor.shape)
    n_rows = next(count for count in itertools.count(2) if count not in sizes)
    places = np.arange(n_rows) % len(inputs[0])
    examples = tuple(
        torch.from_numpy(np.ascontiguousarray(array[places])) for array in inputs
    )
    with torch.no_grad():
        try:
            outputs = module.eval()(*examples)
            others = module(*(torch.cat([rows, rows[:1]]) for rows in examples))
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            given = [f"{tuple(rows.shape[1:])} of {rows.dtype}" for rows in examples]
            raise ValueError(
                f"The module does not take the rows of 'torch_inputset', of shape "
                f"{', '.join(given)}: {error}"
            ) from error
    # A quantized tensor is a tuple of its own kind: of numbers, scale, zero point, bits.
    several = isinstance(outputs, Mapping | tuple | list) and not hasattr(outputs, "value")
    if not several:
        _check_rows(outputs, others, n_rows)
        return module, examples, _names(len(examples), 1)
    flat = _leaves(outputs)
    _check_rows(tuple(flat.values()), tuple(_leaves(others).values()), n_rows)
    if isinstance(outputs, Mapping) or len(flat) != len(outputs):
        module = _Flat(module).eval()
    names = list(flat) if isinstance(outputs, Mapping) else None
    return module, examples, _names(len(examples), len(flat), names)


class _Flat(nn.Module):
    """A module that returns the tensors in what another one returns, one by one."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors, in order."""
        return tuple(_leaves(self.module(*inputs)).values())


def _leaves(outputs: Any, prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors in dictionaries and tuples, by keys joined with dots."""
    if isinstance(outputs, Tensor):
        return {prefix: outputs}
    if isinstance(outputs, Mapping):
        pairs: Iterable[tuple[Any, Any]] = outputs.items()
    elif isinstance(outputs, tuple | list):
        pairs = enumerate(outputs)
    else:
        raise TypeError(
            "A module must return tensors, or tuples and dictionaries of them; got "
            f"{type(outputs).__name__}{f' as {prefix!r}' if prefix else ''}."
        )
    found: dict[str, Tensor] = {}
    for key, value in pairs:
        if value is not None:
            found.update(_leaves(value, f"{prefix}.{key}" if prefix else str(key)))
    return found


def _names(
    n_inputs: int, n_outputs: int, outputs: Sequence[str] | None = None
) -> dict[str, Any]:
    names = {
        "input_names": _numbered("input", n_inputs),
        "output_names": outputs or _numbered("output", n_outputs),
    }
    rows = {name: {0: "n_samples"} for group in names.values() for name in group}
    return {**names, "dynamic_axes": rows}


def _check_rows(outputs: Any, others: Any, n_rows: int) -> None:
    """Raise if rows have other results where there is one row more.

    Most of them: where numbers are rounded, one may go to the other side.
    """
    if isinstance(outputs, Tensor) and isinstance(others, Tensor):
        outputs, others = (outputs,), (others,)
    elif not isinstance(outputs, tuple | list):
        return
    for place, (output, other) in enumerate(zip(outputs, others, strict=True)):
        holds_rows = isinstance(output, Tensor) and output.shape[:1] == (n_rows,)
        if not holds_rows or not output.numel():
            continue
        found, meant = other[: len(output)].double(), output.double()
        same = found.shape == meant.shape and bool(
            torch.isclose(found, meant, 1e-3, 1e-5, equal_nan=True).double().mean() > 0.5
        )
        if not same:
            raise GraphError(
                f"The module computes other numbers for the same rows if there are more "
                f"rows: the output {place} of {len(output)} rows has the shape "
                f"{tuple(output.shape)}, that of one row more {tuple(other.shape)}. What "
                "is encrypted must be computed row by row: do not use the number of rows, "
                "statistics of a batch, random numbers or layers that take "
                "steps first (set batch_first=True) in forward()."
            )


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}_{place}" if place else name for place in range(count)]


def _sigmoid(score: Tensor) -> Tensor:
    probability = torch.sigmoid(score)
    return torch.cat([1 - probability, probability], dim=1)


def _clip(score: Tensor) -> Tensor:
    probability = (torch.clamp(score, -1, 1) + 1) / 2
    return torch.cat([1 - probability, probability], dim=1)


def _normalized(probability: Tensor) -> Tensor:
    total = probability.sum(dim=1, keepdim=True)
    # All zero does not normalize: all the same.
    filled = torch.where(total == 0, 1.0, probability)
    return filled / filled.sum(dim=1, keepdim=True)


#: From raw scores, of shape (n_samples, n_outputs), to what the model predicts.
LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda score: score,
    "exp": torch.exp,
    "expit": torch.sigmoid,
    "sigmoid": _sigmoid,
    # The exponential loss fits half of the log-odds.
    "half_sigmoid": lambda score: _sigmoid(2 * score),
    "softmax": lambda score: torch.softmax(score, dim=1),
    "softplus": nn.functional.softplus,
    "step": lambda score: (score > 0).to(score.dtype),
    "ovr_sigmoid": lambda score: _normalized(torch.sigmoid(score)),
    "clip": _clip,
    "ovr_clip": lambda score: _normalized((torch.clamp(score, -1, 1) + 1) / 2),
}


class LinearScores(nn.Module):
    """``link(x @ coef.T + intercept)`` in double precision.

    Parameters
    ----------
    coef : ndarray of shape (n_outputs, n_features)
    intercept : ndarray of shape (n_outputs,)
    link : str
        A key of ``LINKS``.
    """

    def __init__(self, coef: np.ndarray, intercept: np.ndarray, link: str) -> None:
        super().__init__()
        n_outputs, n_features = coef.shape
        self.linear = nn.Linear(n_features, n_outputs, dtype=torch.float64)
        self.linear.weight.data = torch.tensor(coef, dtype=torch.float64)
        self.linear.bias.data = torch.tensor(intercept, dtype=torch.float64)
        self.link = LINKS[link]

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions, of shape (n_samples, n_outputs or n_classes)."""
        return self.link(self.linear(x))


class QuadraticScores(LinearScores):
    """`LinearScores` of ``z = (x - mean) / scale`` and of its squares.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
    coef : ndarray of shape (n_outputs, 2 * n_features)
        Coefficients of the numbers, then of their squares.
    intercept, link
        As in `LinearScores`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        mean: np.ndarray,
        scale: np.ndarray,
        coef: np.ndarray,
        intercept: np.ndarray,
        link: str,
    ) -> None:
        super().__init__(coef, intercept, link)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions, of shape (n_samples, n_outputs or n_classes)."""
        z = (x - self.mean) / self.scale
        return super().forward(torch.cat([z, self.products(z)], dim=1))

    def products(self, z: Tensor) -> Tensor:
        """Return the products that scores are made of, of shape (n_samples, n_products)."""
        return z * z


class BinaryScores(LinearScores):
    """`LinearScores` of ``x > threshold``.

    Parameters
    ----------
    threshold : float
    coef, intercept, link
        As in `LinearScores`.
    """

    threshold: Tensor

    def __init__(
        self, threshold: float, coef: np.ndarray, intercept: np.ndarray, link: str
    ) -> None:
        super().__init__(coef, intercept, link)
        # As a number of the traced code it would lose digits.
        self.register_buffer("threshold", torch.tensor(threshold, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions, of shape (n_samples, n_outputs or n_classes)."""
        return super().forward((x > self.threshold).to(torch.float64))


def export_own(module: nn.Module, n_features: int) -> ModelProto:
    """Export a module of ours, which computes row by row."""
    examples = (torch.zeros(2, n_features, dtype=torch.float64),)
    return _exported(module, examples, _names(1, 1))


def export_linear(coef: np.ndarray, intercept: np.ndarray, link: str) -> ModelProto:
    """Export a linear map behind a link as an ONNX model; see `LinearScores`."""
    return export_own(LinearScores(coef, intercept, link), coef.shape[1])


def export_quadratic(
    mean: np.ndarray,
    scale: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
    link: str,
) -> ModelProto:
    """Export a quadratic score of each feature; see `QuadraticScores`."""
    module = QuadraticScores(mean, scale, coef, intercept, link)
    return export_own(module, len(mean))


def export_binary(
    threshold: float, coef: np.ndarray, intercept: np.ndarray, link: str
) -> ModelProto:
    """Export a linear map of truth values behind a link; see `BinaryScores`."""
    return export_own(BinaryScores(threshold, coef, intercept, link), coef.shape[1])


class TreeScores(nn.Module):
    """``link(base + sum over trees)``, trees as matrix products.

    Parameters
    ----------
    trees : Matrices
    base : ndarray of shape (n_outputs,)
    link : callable
        From scores, of shape (n_samples, n_outputs), to what the model predicts.
    """

    selection: Tensor
    thresholds: Tensor
    paths: Tensor
    counts: Tensor
    values: Tensor
    base: Tensor

    def __init__(
        self, trees: Matrices, base: np.ndarray, link: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        for name, array in trees._asdict().items():
            self.register_buffer(name, torch.from_numpy(array))
        self.register_buffer("base", torch.tensor(base, dtype=torch.float64))
        self.link = link

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions, of shape (n_samples, n_outputs or n_classes)."""
        n_trees, n_leaves, n_nodes = self.paths.shape
        holds = torch.mm(self.selection, x.t()) <= self.thresholds
        holds = holds.reshape(n_trees, n_nodes, -1).to(self.paths.dtype)
        reached = torch.matmul(self.paths, holds).reshape(n_trees * n_leaves, -1)
        reached = torch.eq(self.counts, reached)
        reached = reached.reshape(n_trees, n_leaves, -1).to(self.values.dtype)
        scores = torch.matmul(self.values, reached).sum(0).t()
        return self.link(scores + self.base)


class LinkOfScores(nn.Module):
    """``link(base + scores)``.

    Parameters
    ----------
    base : ndarray of shape (n_outputs,)
    link : callable
        As of `TreeScores`.
    """

    base: Tensor

    def __init__(self, base: np.ndarray, link: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.register_buffer("base", torch.tensor(base, dtype=torch.float64))
        self.link = link

    def forward(self, scores: Tensor) -> Tensor:
        """Return predictions, of shape (n_samples, n_outputs or n_classes)."""
        return self.link(scores + self.base)


def export_trees(
    trees: Sequence[TreeArrays],
    n_features: int,
    base: np.ndarray,
    link: str | Callable[[Tensor], Tensor] = "identity",
) -> ModelProto:
    """Export a tree ensemble behind a link as an ONNX model; see `TreeScores`.

    It has the form in which Hummingbird exports ensembles, in double precision: single
    precision would move thresholds. Products know neither missing values nor categories:
    trees that do are one operator, ``TreeEnsembleRegressor``.
    """
    function = LINKS[link] if isinstance(link, str) else link
    if not all(tree.compares_numbers_only for tree in trees):
        after = export_own(LinkOfScores(base, function), len(base))
        return behind_trees(after, node_attributes(trees), n_features)
    module = TreeScores(matrices(trees, n_features), base, function)
    return export_own(module, n_features)
