"""The deployments in a folder, and versions before them."""

from dataclasses import replace

import pytest

from fhe_estimators.deployment import ConformanceError, FormatError
from fhe_estimators.deployment._bundle import Bundle
from fhe_estimators.deployment.serving._models import Models, slug
from tests.deployment.test_bundle import GOLDEN


def write(folder, name="mine", other_parameters=False, **changes):
    """Write both files of a deployment, which is another one with every change."""
    folder.mkdir(parents=True, exist_ok=True)
    for role in ("client", "server"):
        bundle = Bundle.load(GOLDEN / f"1_linear_{role}.zip")
        parts, digests = {**bundle.parts}, {**bundle.manifest.parts}
        if other_parameters:
            # What a client would have of a tree, in place of its own.
            tree = Bundle.load(GOLDEN / "1_tree_client.zip")
            digests["client_spec.json"] = tree.manifest.parts["client_spec.json"]
            if role == "client":
                parts["client_spec.json"] = tree.parts["client_spec.json"]
        manifest = replace(bundle.manifest, name=name, parts=digests, **changes)
        written = Bundle(manifest, parts).to_bytes()
        (folder / f"{role}.zip").write_bytes(written)
    return manifest.digest.hex()


@pytest.fixture
def load(tmp_path):
    return lambda: Models(tmp_path / "folder", tmp_path / "state")


def test_a_folder_is_of_one_deployment_or_of_several(tmp_path, load):
    write(tmp_path / "folder", "one")
    assert load().names == ["one"]
    write(tmp_path / "folder" / "b", "other")
    models = load()
    assert models.names == ["one", "other"]
    (version,) = models.versions_of("other")
    assert version.client.read_bytes() == (tmp_path / "folder/b/client.zip").read_bytes()
    assert models.versions_of("none") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a b/c", "a-b-c"), ("../..", "model"), ("ä", "model"), ("a.b_c-1", "a.b_c-1")],
)
def test_names_are_fit_for_addresses(name, expected):
    assert slug(name) == expected


def test_two_versions_stay_and_older_ones_are_gone(tmp_path, load):
    digests = []
    for row_bytes in (1000, 1001, 1002, 1003):
        digests.append(write(tmp_path / "folder", row_bytes=row_bytes))
        models = load()
    assert [version.digest for version in models.versions_of("mine")] == digests[:1:-1]
    assert [models.is_gone("mine", digest) for digest in digests] == [
        True,
        True,
        False,
        False,
    ]
    assert not models.is_gone("mine", "0" * 64)
    kept = {path.name for path in (tmp_path / "state" / "mine").iterdir() if path.is_dir()}
    assert kept == set(digests[2:])


def test_the_version_before_can_be_the_current_one_again(tmp_path, load):
    first = write(tmp_path / "folder", row_bytes=1000)
    load()
    second = write(tmp_path / "folder", row_bytes=1001)
    load()
    write(tmp_path / "folder", row_bytes=1000)
    models = load()
    assert [version.digest for version in models.versions_of("mine")] == [first, second]
    models.drop("mine", models.versions_of("mine")[1])
    assert models.is_gone("mine", second)


def test_models_are_found_by_the_bytes_of_their_keys(tmp_path, load):
    write(tmp_path / "folder" / "a", "a", key_bytes=100, family="fa")
    write(tmp_path / "folder" / "b", "b", key_bytes=100, family="fb")
    write(tmp_path / "folder" / "c", "c", key_bytes=101, family="fc")
    models = load()
    assert models.families_with(100) == ["fa", "fb"]
    assert models.families_with(99) == []


def test_what_is_no_deployment_is_refused(tmp_path, load):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FormatError, match=r"no server\.zip"):
        load()
    write(tmp_path / "folder" / "a")
    write(tmp_path / "folder" / "b")
    with pytest.raises(ConformanceError, match="different names"):
        load()
    write(tmp_path / "folder" / "b", "b")
    write(tmp_path / "other", "b", row_bytes=1)
    (tmp_path / "other" / "client.zip").replace(tmp_path / "folder" / "b" / "client.zip")
    with pytest.raises(ConformanceError, match="not of one deployment"):
        load()
    (tmp_path / "folder" / "b" / "client.zip").write_bytes(b"PK")
    with pytest.raises(FormatError, match="no zip file"):
        load()


def test_a_changed_list_of_versions_is_refused(tmp_path, load):
    write(tmp_path / "folder")
    load()
    (tmp_path / "state" / "mine" / "versions.json").write_text('["../x"]')
    with pytest.raises(FormatError, match="no list of digests"):
        load()
