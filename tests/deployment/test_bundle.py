"""Bundles: what this package writes is read, old forms too, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.deployment import Client, FormatError, Server, WeakParametersError
from fhe_estimators.deployment import _json as canonical
from fhe_estimators.deployment._archive import read_archive, write_archive
from fhe_estimators.deployment._bundle import Bundle
from fhe_estimators.deployment._manifest import FORMAT, OLDEST_FORMAT, digest_of
from fhe_estimators.deployment._processing import Processing
from fhe_estimators.deployment._program import Source

GOLDEN = Path(__file__).parent / "golden"
CLIENT = (GOLDEN / f"{FORMAT}_tree_client.zip").read_bytes()
SERVER = (GOLDEN / f"{FORMAT}_tree_server.zip").read_bytes()

each_golden = pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.zip")), ids=str)


def test_all_forms_that_are_read_have_golden_bundles():
    found = {int(path.name.partition("_")[0]) for path in GOLDEN.glob("*.zip")}
    assert found == set(range(OLDEST_FORMAT, FORMAT + 1))


@each_golden
def test_golden_bundles_are_read_and_written_as_they_are(path):
    bundle = Bundle.load(path)
    if bundle.manifest.format == FORMAT:
        assert bundle.to_bytes() == path.read_bytes()
    parts = bundle.parts
    if bundle.manifest.role == "client":
        files = parts["processing.json"], parts["arrays.npz"]
        assert Processing.load(*files).write() == files
        assert not bundle.specification("client_spec.json").weaknesses()
    else:
        files = parts["graph.json"], parts["constants.npz"]
        assert Source.read(*files).write() == files


@pytest.mark.fhe
def test_golden_bundles_predict():
    """With the engine that is installed now, and its parameters."""
    client = Client(GOLDEN / f"{FORMAT}_linear_client.zip")
    server = Server(GOLDEN / f"{FORMAT}_linear_server.zip")
    answer = server.run(client.encrypt([[5.1, 3.5, 1.4, 0.2], [5.7, 2.8, 4.1, 1.3]]))
    assert client.decrypt_predict(answer).tolist() == ["setosa", "versicolor"]


@pytest.mark.parametrize("data", [CLIENT, SERVER], ids=["client", "server"])
@given(random=st.data())
def test_no_byte_can_be_changed(data, random):
    changed = bytearray(data)
    changed[random.draw(st.integers(0, len(data) - 1))] ^= random.draw(st.integers(1, 255))
    with pytest.raises(FormatError):
        read_fully(bytes(changed))


def read_fully(data):
    """Read all that is in a bundle; a change that is still one is another model's."""
    bundle = Bundle.of(data)
    digest = Bundle.of(CLIENT).manifest.digest
    if bundle.manifest.digest != digest:
        raise FormatError("another model")
    return bundle


def sealed(bundle, **parts):
    """Return a bundle with other files, whose digests are right."""
    parts = {**bundle.parts, **parts}
    digests = {**bundle.manifest.parts, **{n: digest_of(part) for n, part in parts.items()}}
    return Bundle(replace(bundle.manifest, parts=digests), parts)


def loaded(bundle, tmp_path):
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle.to_bytes())
    return {"client": Client, "server": Server}[bundle.manifest.role](path)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "model.pkl", "code.so"])
def test_other_files_are_refused(name, tmp_path):
    """Names that lead out of a folder, too, though nothing is ever unpacked."""
    for data in (CLIENT, SERVER):
        with pytest.raises(FormatError, match="holds"):
            loaded(sealed(Bundle.of(data), **{name: b""}), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.zip"]


def test_missing_files_are_refused():
    for data in (CLIENT, SERVER):
        members = read_archive(data, "it")
        members.popitem()
        with pytest.raises(FormatError, match="holds no"):
            Bundle.of(write_archive(members))


def test_false_digests_are_refused():
    members = read_archive(CLIENT, "it")
    members["client_spec.json"] += b" "
    with pytest.raises(FormatError, match="is not what manifest"):
        Bundle.of(write_archive(members))


def test_roles_are_told_apart(tmp_path):
    with pytest.raises(FormatError, match=r"for the client; a server takes server\.zip"):
        Bundle.of(CLIENT, "server")


@pytest.mark.parametrize("number", [OLDEST_FORMAT - 1, FORMAT + 1, "1", None, 1.0])
def test_other_formats_are_refused(number):
    members = read_archive(CLIENT, "it")
    manifest = json.loads(members["manifest.json"])
    manifest["format"] = number
    members["manifest.json"] = canonical.dumps(manifest)
    with pytest.raises(FormatError, match="format"):
        Bundle.of(write_archive(members))


def changed(document, path, value):
    """Return a JSON document with another value at a path of keys."""
    document = json.loads(document)
    *outer, last = path
    place = document
    for key in outer:
        place = place[key]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value
    return canonical.dumps(document)


DELETED = object()
_GATE = ("circuits", 0, "inputs", 0, "typeInfo", "lweCiphertext")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("keyset", "lweSecretKeys", 0, "params", "lweDimension"), 16),
        (("keyset", "more"), []),
        (("keyset",), DELETED),
        (("circuits", 0, "name"), "other"),
        ((*_GATE, "encryption", "lweDimension"), 16),
        ((*_GATE, "encryption", "keyId"), 7),
        ((*_GATE, "encryption", "variance"), True),
        ((*_GATE, "encryption", "variance"), 1),
        ((*_GATE, "abstractShape", "dimensions"), [1, 1 << 40]),
        ((*_GATE, "abstractShape", "dimensions"), []),
        ((*_GATE, "compression"), "other"),
        ((*_GATE, "encoding", "integer", "width"), 99),
        (("circuits", 0, "inputs"), {}),
    ],
)
def test_false_specifications_are_refused(path, value, tmp_path):
    bundle = Bundle.of(CLIENT)
    spec = changed(bundle.parts["client_spec.json"], path, value)
    with pytest.raises(FormatError):
        loaded(sealed(bundle, **{"client_spec.json": spec}), tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        (*_GATE, "encryption", "variance"),
        ("keyset", "lweBootstrapKeys", 0, "params", "variance"),
        ("keyset", "lweKeyswitchKeys", 0, "params", "variance"),
    ],
)
@pytest.mark.parametrize("variance", [0.0, 1e-60])
def test_weak_parameters_are_refused_before_the_first_key(path, variance, tmp_path):
    bundle = Bundle.of(CLIENT)
    spec = changed(bundle.parts["client_spec.json"], path, variance)
    with pytest.raises(WeakParametersError, match="128 bits"):
        loaded(sealed(bundle, **{"client_spec.json": spec}), tmp_path)


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("processing.json", ("more",), 1),
        ("processing.json", ("features", "count"), True),
        ("processing.json", ("features", "dtype"), "object"),
        ("processing.json", ("ends", "input_quantizers", 0, "kind"), "pickle"),
        ("processing.json", ("ends", "input_quantizers", 0, "fields", "features"), [99]),
        ("processing.json", ("ends", "clear", "opset"), 1000),
        ("processing.json", ("readings", "predict", 0, "link"), "eval"),
        ("processing.json", ("readings", "__init__"), []),
        ("processing.json", ("results", 0, "low"), 1 << 70),
        ("processing.json", ("results", 0, "low"), None),
        ("processing.json", ("results", 0, "shape"), [None, 999]),
        ("processing.json", ("ends", "inputs", 0, "shape"), None),
        ("graph.json", ("graph", "nodes", 0, "op"), "Loop"),
        ("graph.json", ("graph", "nodes", 0, "attributes", "axis"), {"a": 1}),
        ("graph.json", ("graph", "nodes", 0, "inputs"), ["nothing"]),
        ("graph.json", ("graph", "inputs", 0, "high"), None),
        ("graph.json", ("graph", "more"), None),
        ("graph.json", ("p_error",), "small"),
    ],
)
def test_false_documents_are_refused(file, path, value, tmp_path):
    bundle = Bundle.of(CLIENT if file.startswith("processing") else SERVER)
    document = changed(bundle.parts[file], path, value)
    with pytest.raises(FormatError):
        loaded(sealed(bundle, **{file: document}), tmp_path)


@given(text=st.text(max_size=40))
def test_documents_have_one_text(text):
    document = {"a": [1, 1.5, None, True, text]}
    assert canonical.loads(canonical.dumps(document), "it") == document


@pytest.mark.parametrize(
    "text",
    [b'{"a": 1}', b'{"a":1,"a":1}', b"NaN", b"1e400", b"\xff", b"", b"[" * 100_000],
    ids=lambda text: repr(text[:12]),
)
def test_other_texts_are_refused(text):
    with pytest.raises(FormatError):
        canonical.loads(text, "it")


@pytest.mark.parametrize("change", [1, -1])
def test_arrays_and_documents_belong_together(change, tmp_path):
    bundle = Bundle.of(SERVER)
    source = Source.read(bundle.parts["graph.json"], bundle.parts["constants.npz"])
    _, arrays = source.write()
    members = read_archive(arrays, "it")
    if change > 0:
        members[f"{len(members)}.npy"] = members["0.npy"]
    else:
        members.popitem()
    with pytest.raises(FormatError):
        loaded(sealed(bundle, **{"constants.npz": write_archive(members)}), tmp_path)
    assert np.isfinite(source.p_error)
