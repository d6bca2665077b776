"""How the parent is fitted."""

from threadpoolctl import threadpool_info

from fhe_estimators import LinearDiscriminantAnalysis


def test_threads_of_linear_algebra_are_given_back(wine):
    """Small problems are fitted on one thread; nobody else notices."""
    seen = []

    class Watched(LinearDiscriminantAnalysis):
        def _to_onnx(self):
            seen.append(blas_threads())
            return super()._to_onnx()

    def blas_threads():
        return [
            lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"
        ]

    before = blas_threads()
    Watched().fit(*wine)
    assert seen == [[1] * len(before)]
    assert blas_threads() == before
