"""What is written: for both sides, without secrets, rows or code."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import CompilationError, LogisticRegression, RandomForestClassifier
from fhe_estimators.deployment import Client, save_deployment
from fhe_estimators.deployment._archive import read_archive
from fhe_estimators.torch import compile_torch_model
from tests.deployment.deployed import Deployed, iris
from tests.neural_network.nets import Perceptron


@pytest.mark.simulate
def test_both_bundles_have_one_manifest(tmp_path):
    X, y = iris(2)
    manifest = save_deployment(LogisticRegression().fit(X, y), tmp_path, name="flowers")
    assert manifest.name == "flowers"
    assert manifest.kind == "LogisticRegression"
    client = Client(tmp_path / "client.zip")
    assert client.manifest.digest == manifest.digest
    assert client.model_digest == manifest.digest.hex()
    names = {"client.zip", "server.zip"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.simulate
def test_what_is_learned_is_said(tmp_path):
    X, y = iris(2)
    learns = save_deployment(LogisticRegression().fit(X, y), tmp_path).learns
    assert any("All quantized weights" in text for text in learns["client"])
    assert any("key, if it is shown" in text for text in learns["server"])
    forest = RandomForestClassifier(2, max_depth=3, random_state=0).fit(*iris())
    learns = save_deployment(forest, tmp_path).learns
    assert not any("All quantized weights" in text for text in learns["client"])
    assert any("not proved" in " ".join(text.split()) for text in learns["client"])


@pytest.mark.simulate
def test_files_of_the_same_model_are_the_same(tmp_path):
    X, y = iris(2)
    model = LogisticRegression().fit(X, y)
    contents = []
    for _ in range(2):
        save_deployment(model, tmp_path)
        contents.append([path.read_bytes() for path in sorted(tmp_path.iterdir())])
    assert contents[0] == contents[1]


@pytest.mark.simulate
def test_shared_results_take_a_small_p_error(tmp_path):
    X, y = iris(2)
    with pytest.raises(ValueError, match=r"results_shared=True needs p_error <= 2\*\*-128"):
        save_deployment(LogisticRegression().fit(X, y), tmp_path, results_shared=True)
    model = LogisticRegression(p_error=2**-128).fit(X, y)
    manifest = save_deployment(model, tmp_path, results_shared=True)
    assert manifest.results_shared
    assert not any("shown" in text for text in manifest.learns["server"])


@pytest.mark.simulate
def test_no_row_is_written(tmp_path):
    """Training rows that are like no other number."""
    X, y = iris(2)
    X = X + np.random.default_rng(0).uniform(0, 1e-3, X.shape)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    save_deployment(model, tmp_path)
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert not [number for number in X.ravel() if number.tobytes() in data]
        names = read_archive(data, path.name)
        assert not [name for name in names if not name.endswith(("json", "npz", "skops"))]


@pytest.mark.simulate
def test_what_cannot_be_deployed_is_refused(tmp_path):
    with pytest.raises(TypeError, match="must be a fitted estimator of fhe_estimators"):
        save_deployment(StandardScaler(), tmp_path)
    with pytest.raises(NotFittedError):
        save_deployment(LogisticRegression(), tmp_path)


@pytest.mark.simulate
def test_keys_that_cannot_serve_are_refused(tmp_path):
    X, y = iris()
    small = RandomForestClassifier(2, max_depth=3, random_state=0, p_error=0.1).fit(X, y)
    large = RandomForestClassifier(4, max_depth=4, random_state=0, p_error=1e-30).fit(X, y)
    save_deployment(small, tmp_path / "small")
    with pytest.raises(CompilationError, match="cannot serve for this model"):
        save_deployment(large, tmp_path / "large", key_family=tmp_path / "small")
    assert not (tmp_path / "large").exists()


@pytest.mark.fhe
def test_a_module_predicts_what_forward_does(tmp_path):
    X, _ = iris()
    module = compile_torch_model(Perceptron(n_neurons=2), X, n_bits=2, p_error=0.01)
    deployed = Deployed.of(module, tmp_path)
    found = deployed.client.decrypt_predict(deployed.answer(X[:1]))
    np.testing.assert_allclose(found, module.forward(X[:1]))
    with pytest.raises(AttributeError, match="This QuantizedModule has no predict_proba"):
        deployed.client.decrypt_proba(b"")


class Sums(torch.nn.Module):
    """Two inputs and two outputs, one of them behind a link."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 2), torch.nn.Linear(2, 2)

    def forward(self, x, y):
        total = self.first(x) + self.second(y)
        return total, torch.sigmoid(total[:, :1])


@pytest.mark.fhe
def test_modules_of_several_inputs_and_outputs(tmp_path):
    random = np.random.default_rng(0)
    inputs = tuple(random.normal(size=(20, n)).astype(np.float32) for n in (3, 2))
    module = compile_torch_model(Sums(), inputs, n_bits=4, p_error=2**-20)
    deployed = Deployed.of(module, tmp_path)
    rows = tuple(array[:2] for array in inputs)
    found = deployed.client.decrypt_predict(deployed.answer(rows))
    for output, expected in zip(found, module.forward(*rows), strict=True):
        assert np.array_equal(output, expected)
    with pytest.raises(ValueError, match="same number of rows"):
        deployed.client.encrypt((inputs[0], inputs[1][:1]))


@pytest.mark.fhe
def test_numbers_beyond_the_ranges_warn_once(tmp_path, recwarn):
    X, y = iris(2)
    deployed = Deployed.of(LogisticRegression().fit(X, y), tmp_path)
    for _ in range(2):
        deployed.client.encrypt(X[:1] + 100)
    (warning,) = recwarn
    assert "beyond the ranges" in str(warning.message)
