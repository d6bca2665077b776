"""What a circuit is given to compute on."""

import numpy as np
import pytest

import fhe_estimators as fe

X = np.random.default_rng(0).normal(size=(40, 4))
y = (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.fixture(scope="module", params=["linear", "tree"])
def circuits(request):
    """A circuit with what it encrypts, and what another one encrypts."""
    if request.param == "linear":
        models = [fe.LogisticRegression(n_bits=n_bits) for n_bits in (3, 5)]
    else:
        models = [fe.DecisionTreeClassifier(n_bits=2, max_depth=d) for d in (2, 1)]
    models = [model.fit(X[:, : 4 - place], y) for place, model in enumerate(models)]
    circuits = [model.compile(p_error=2**-20) for model in models]
    sent = [
        circuit.encrypt(model.quantize_input(X[:1, : 4 - place]))
        for place, (model, circuit) in enumerate(zip(models, circuits, strict=True))
    ]
    return circuits[0], sent[0], sent[1]


@pytest.mark.fhe
def test_counts_are_checked(circuits):
    circuit, sent, _ = circuits
    count = len(sent)
    for wrong in ((), (*sent, sent[0])):
        with pytest.raises(
            ValueError, match=rf"Expected {count} ciphertexts?; got {len(wrong)}\."
        ):
            circuit.run(wrong)
    results = circuit.run(list(sent))
    for wrong in ((), results * 2):
        with pytest.raises(
            ValueError, match=rf"Expected 1 ciphertext; got {len(wrong)}\. .* run of"
        ):
            circuit.decrypt(wrong)
    assert circuit.decrypt(results)[0].shape[0] == 1
    for wrong in (None, sent[0], 5):
        with pytest.raises(TypeError, match="Expected the tuple of ciphertexts that enc"):
            circuit.run(wrong)


@pytest.mark.fhe
def test_foreign_ciphertexts(circuits):
    circuit, sent, foreign = circuits
    with pytest.raises(ValueError, match=r"another circuit|Expected \d ciphertext"):
        circuit.run(foreign)
    with pytest.raises(ValueError, match=r"another circuit|Expected \d ciphertext"):
        circuit.decrypt(sent)
    # The shape tells, where the number does not.
    alike = (foreign * len(sent))[: len(sent)]
    with pytest.raises(ValueError, match=r"those of another circuit.* encrypt of"):
        circuit.run(alike)
