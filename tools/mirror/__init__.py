"""Write what estimators repeat of the classes that they mirror.

``python -m tools.mirror`` (`make mirror`) reads the installed parents and `texts.rst`. It
writes constructors, the sections Parameters, Attributes and See Also of docstrings,
``__all__`` of families, the names of `fhe_estimators`, and the table of the README; of
networks, whose parents are ours, Parameters and Attributes only. With ``--check`` it
writes nothing, and fails if there is something to write.
"""
