"""Record what models cost that does not depend on the machine, so that growth is seen.

``python -m tools.figures`` (`make figures`) fits and compiles the models of `models.py`.
What differs from the last record goes to a file of its own in `benchmarks/figures/`, so
that two branches share none, and all records together to a page of the developer guide.
With ``--check`` it writes nothing, and fails if a figure is more than 2 % off its record,
or has grown by as much without a line of CHANGES.md.
"""
