"""Benchmarks: what encrypted prediction costs, and how near it comes to scikit-learn.

``python -m benchmarks --help`` tells how to run them. Two environment variables choose
more: ``FHE_BENCH_CASES`` is a part of the names of the cases of ``trees``,
``tree_accuracy``, ``networks``, ``compile_growth``, ``tenth_of_a_second``, ``trained`` and
``trained_rows`` to run, such as "digits" or "spam forest", and ``FHE_BENCH_PLOT`` is
a file for the plot of ``tree_growth``.
"""

#: The module of each benchmark: a function of that name, from `Setup` to table rows.
MODULE_OF = {
    "linear_batch": "encrypted",
    "linear_stages": "stages",
    "import_time": "imports",
    "import_modules": "imports",
    "fit": "clear",
    "predict_clear": "clear",
    "grid_search": "clear",
    "p_error": "encrypted",
    "bits": "encrypted",
    "accuracy": "accuracy",
    "trees": "trees",
    "stumps": "trees",
    "tree_accuracy": "accuracy",
    "binning": "binning",
    "tenth_of_a_second": "tenth_of_a_second",
    "tree_growth": "growth",
    "compile_growth": "compiling",
    "tree_exactness": "trees",
    "networks": "networks",
    "network_exactness": "networks",
    "convolution": "deep",
    "large_input": "deep",
    "trained": "trained",
    "trained_rows": "trained",
    "trained_splits": "trained",
    "estimates": "estimates",
    "prices": "prices",
    "exactness": "prices",
    "limits": "prices",
    "widths": "widths",
    "neighbors": "neighbors",
    "nearest_labels": "neighbors",
    "serving": "serving",
}
