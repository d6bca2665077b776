"""Models that hummingbird-ml converts, for tests of its graphs."""

import warnings

import torch


def converted(model, X, **options):
    """Return the torch module of a fitted model.

    Hummingbird would have torch compute on all processors from then on, whatever
    ``OMP_NUM_THREADS`` says, where threads of small products only wait for each other.
    """
    options["n_threads"] = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hummingbird.ml import convert

        return convert(model, "torch", X, extra_config=options).model
