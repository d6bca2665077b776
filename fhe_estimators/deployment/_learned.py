"""What each side of a deployment learns, in sentences; checked where it is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhe_estimators.core.trees.encoders import BinEncoder
from fhe_estimators.core.validation import P_ERROR_OF_SHARED_RESULTS

if TYPE_CHECKING:
    from fhe_estimators.core.quantized_module import QuantizedModule


def check_may_be_shared(results_shared: bool, p_error: float) -> None:
    """Raise if clients would show others results that tell about their keys.

    Raises
    ------
    ValueError
        If `p_error` is too large for that.
    """
    if results_shared and p_error > P_ERROR_OF_SHARED_RESULTS:
        raise ValueError(
            f"The parameter results_shared=True needs p_error <= 2**-128; got "
            f"p_error={p_error:g}. Fit or compile the model with p_error=2**-128."
        )


def what_is_learned(
    module: QuantizedModule,
    *,
    has_preprocessing: bool,
    results_shared: bool,
    explained: bool = False,
) -> dict[str, Any]:
    """Return what each side learns, in sentences.

    Parameters
    ----------
    module : QuantizedModule
        Compiled.
    has_preprocessing : bool
        Whether a pipeline begins with other steps.
    results_shared : bool
        Whether clients may show results to others.
    explained : bool
        Whether results are terms of scores.
    """
    tables = module.fhe_circuit.programmable_bootstrap_count
    # Thresholds are on the client's side.
    is_tree = any(isinstance(each, BinEncoder) for each in module.input_quantizers)
    client = ["The raw scores of its rows, and with them labels and probabilities."]
    if explained:
        client = [
            "What each term adds to the scores of its rows: enough rows show the model."
        ]
    if is_tree:
        client.append(
            "The bins of each feature that the model looks at, among whose edges its "
            "thresholds are, and the values that leaves, or their sums, can have."
        )
    else:
        client.append("The ranges of the features, and how many there are.")
    if has_preprocessing:
        client.append(
            "All that the steps of the pipeline before the model were fitted to: means, "
            "scales, categories, quantiles."
        )
    if tables:
        client.append(
            "Nothing more from encrypted results, as far as is known, but that is not "
            "proved; and whoever may ask often enough can imitate any model."
        )
    else:
        client.append(
            "All quantized weights of the model: it has no table, and one answer gives as "
            "many equations as there are weights. Give it only to clients that may have "
            "the model."
        )
    server = [
        "Which key asks, when, and for how many rows.",
        "Nothing about the features or the results: these are encrypted for a key that it "
        "does not have.",
    ]
    if not results_shared:
        server.append(
            "Possibly the client's key, if it is shown decrypted results: p_error does not "
            "allow that. Export with results_shared=True if clients show them to others."
        )
    return {"client": client, "server": server}
