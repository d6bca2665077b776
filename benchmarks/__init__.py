"""Benchmarks: what encrypted prediction costs, and how near it comes to scikit-learn.

``python -m benchmarks --help`` tells how to run them.
"""

#: The module of each benchmark: a function of that name, from `Setup` to table rows.
MODULE_OF = {
    "linear_batch": "encrypted",
    "import_time": "imports",
    "fit": "clear",
    "predict_clear": "clear",
    "grid_search": "clear",
    "p_error": "encrypted",
    "bits": "encrypted",
    "accuracy": "accuracy",
}
