"""Keys in a folder: private, sealed if wanted, shared by models of one family."""

import pickle

import numpy as np
import pytest

from fhe_estimators.core.engine import Keys, Specification
from fhe_estimators.deployment import DeploymentError, FormatError, KeyMismatchError
from fhe_estimators.deployment._bundle import Bundle
from fhe_estimators.deployment._keyring import Keyring, key_id_of
from tests.deployment.test_bundle import CLIENT, GOLDEN

LINEAR = Bundle.load(GOLDEN / "1_linear_client.zip").specification("client_spec.json")
TREE = Bundle.of(CLIENT).specification("client_spec.json")

pytestmark = pytest.mark.fhe


def secret_file(folder):
    (path,) = folder.glob("*.secret")
    return path


def test_keys_are_found_again(tmp_path):
    first = Keyring.kept(LINEAR, tmp_path / "keys", None)
    second = Keyring.kept(LINEAR, tmp_path / "keys", None)
    assert second.keys == first.keys
    assert second.key_id == first.key_id
    assert Keyring.new(LINEAR).key_id != first.key_id


def test_nobody_else_can_read_them(tmp_path):
    folder = tmp_path / "keys"
    Keyring.kept(LINEAR, folder, None)
    path = secret_file(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(DeploymentError, match=r"mode 640.*'chmod 600"):
        Keyring.kept(LINEAR, folder, None)
    path.chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(DeploymentError, match="'chmod 700"):
        Keyring.kept(LINEAR, folder, None)


def test_links_are_not_followed(tmp_path):
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / "keys").symlink_to(tmp_path / "other")
    with pytest.raises(DeploymentError, match="is a link"):
        Keyring.kept(LINEAR, tmp_path / "keys", None)


def test_secrets_are_sealed_with_a_passphrase(tmp_path):
    first = Keyring.kept(LINEAR, tmp_path, "correct horse")
    assert first.keys.secret not in secret_file(tmp_path).read_bytes()
    again = Keyring.kept(LINEAR, tmp_path, "correct horse")
    assert again.keys == first.keys
    with pytest.raises(KeyMismatchError, match="passphrase is another"):
        Keyring.kept(LINEAR, tmp_path, "battery staple")
    with pytest.raises(DeploymentError, match="give its passphrase"):
        Keyring.kept(LINEAR, tmp_path, None)


def test_a_passphrase_for_open_secrets_is_refused(tmp_path):
    Keyring.kept(LINEAR, tmp_path, None)
    with pytest.raises(DeploymentError, match="without a passphrase"):
        Keyring.kept(LINEAR, tmp_path, "correct horse")


@pytest.mark.parametrize("place", [0, 5, 40, 200, -1])
def test_changed_files_are_refused(tmp_path, place):
    Keyring.kept(LINEAR, tmp_path, None)
    path = secret_file(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="changed"):
        Keyring.kept(LINEAR, tmp_path, None)


def test_files_of_another_family_are_refused(tmp_path):
    Keyring.kept(LINEAR, tmp_path, None)
    path = secret_file(tmp_path)
    path.rename(tmp_path / f"{TREE.family.hex()}.secret")
    with pytest.raises(KeyMismatchError, match="another family"):
        Keyring.kept(TREE, tmp_path, None)


def test_evaluation_keys_lie_apart_and_are_checked(tmp_path):
    """What is large holds no secret: secret keys are words of zero and one."""
    ring = Keyring.kept(TREE, tmp_path, None)
    assert len(ring.keys.evaluation) == TREE.evaluation_bytes
    assert ring.key_id == key_id_of(TREE.family, ring.keys.evaluation)
    (path,) = tmp_path.glob("*.evaluation")
    assert path.stem == ring.key_id.hex()
    data = path.read_bytes()
    words = np.frombuffer(data, "<u8")
    assert (words <= 1).sum() < 100
    assert Keyring.kept(TREE, tmp_path, None).keys == ring.keys
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(FormatError, match="evaluation keys"):
        Keyring.kept(TREE, tmp_path, None)


def test_secrets_are_not_shown_or_pickled():
    ring = Keyring.new(LINEAR)
    for thing in (ring, ring.keys):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)
        assert len(repr(thing)) < 80
    assert "\\x" not in repr(Keys(b"\x01" * 9, b""))


def test_a_specification_knows_the_size_of_its_keys():
    ring = Keyring.new(Specification.of(LINEAR.to_bytes()))
    assert len(ring.keys.secret) == LINEAR.secret_bytes
    assert ring.keys.evaluation == b""
    assert LINEAR.evaluation_bytes == 0
