"""Evaluation keys on disk: whole or not at all, by tenant, within quotas."""

import errno
import hashlib
import os
import re
import threading
import time
from pathlib import Path

import pytest

from fhe_estimators.deployment import DeploymentError, FormatError, ServerBusyError, serving
from fhe_estimators.deployment.serving import Limits
from fhe_estimators.deployment.serving._keys import KeyStore, Place

FAMILY, OTHER = "0a" * 32, "0b" * 32
LIMITS = Limits(tenant_bytes=300, total_bytes=500)


def name_of(content, family=FAMILY):
    return hashlib.sha256(bytes.fromhex(family) + content).hexdigest()


def put(store, tenant, content, family=FAMILY):
    key_id = name_of(content, family)
    with store.upload(tenant, key_id, len(content), [OTHER, FAMILY]) as upload:
        upload.write(content)
        assert upload.finish() == family
    return key_id


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def store(tmp_path):
    return KeyStore(tmp_path / "keys", LIMITS)


def test_keys_are_kept_by_tenant_and_family(store, tmp_path):
    key_id = put(store, "ann", b"a" * 100)
    place = Place("ann", FAMILY, key_id)
    with store.used(place) as path:
        assert path.read_bytes() == b"a" * 100
    assert store.families_of("ann", key_id) == [FAMILY]
    assert store.families_of("bob", key_id) == []
    with store.used(Place("bob", FAMILY, key_id)) as path:
        assert path is None
    with store.used(Place("ann", OTHER, key_id)) as path:
        assert path is None
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert files(tmp_path)[0].stat().st_mode & 0o777 == 0o600


def test_the_family_is_found_by_the_digest(store):
    key_id = put(store, "ann", b"a" * 100, OTHER)
    assert store.families_of("ann", key_id) == [OTHER]


@pytest.mark.parametrize("chunks", [[b"a" * 99], [b"a" * 50, b"b" * 50], [b"a" * 101], []])
def test_what_is_cut_changed_or_longer_is_not_kept(store, tmp_path, chunks):
    key_id = name_of(b"a" * 100)

    def send():
        with store.upload("ann", key_id, 100, [FAMILY]) as upload:
            for chunk in chunks:
                upload.write(chunk)
            upload.finish()

    with pytest.raises(FormatError):
        send()
    assert files(tmp_path) == []
    assert store.families_of("ann", key_id) == []


def test_an_upload_that_ends_early_leaves_nothing(store, tmp_path):
    def send():
        with store.upload("ann", "a" * 64, 9, []) as upload:
            upload.write(b"a")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        send()
    assert files(tmp_path) == []
    assert put(store, "ann", b"a" * 300)


def test_a_full_disk_leaves_nothing(store, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        put(store, "ann", b"a" * 100)
    assert files(tmp_path) == []


def test_two_uploads_of_the_same_keys_do_not_disturb_each_other(store, tmp_path):
    content = b"a" * 100
    key_id = name_of(content)
    with (
        store.upload("ann", key_id, 100, [FAMILY]) as one,
        store.upload("ann", key_id, 100, [FAMILY]) as other,
    ):
        one.write(content[:50])
        other.write(content)
        other.finish()
        one.write(content[50:])
        one.finish()
    assert [path.read_bytes() for path in files(tmp_path)] == [content]
    assert store.total_bytes == 100


def test_what_was_not_used_for_longest_goes(store):
    first, second = put(store, "ann", b"a" * 100), put(store, "ann", b"b" * 100)
    with store.used(Place("ann", FAMILY, first)):
        pass
    third = put(store, "ann", b"c" * 150)
    assert store.families_of("ann", second) == []
    assert store.families_of("ann", first) == store.families_of("ann", third) == [FAMILY]


def test_quotas_hold_for_each_tenant_and_for_all(store):
    ann = put(store, "ann", b"a" * 250)
    put(store, "bob", b"a" * 200)
    assert store.total_bytes == 450
    put(store, "bob", b"b" * 100)
    assert store.families_of("ann", ann) == []
    assert store.total_bytes == 300
    with pytest.raises(ServerBusyError, match="larger than"):
        put(store, "ann", b"c" * 301)


def test_keys_in_use_are_not_evicted(store):
    key_id = put(store, "ann", b"a" * 200)
    with store.used(Place("ann", FAMILY, key_id)) as path:
        with pytest.raises(ServerBusyError, match="in use"):
            put(store, "ann", b"b" * 200)
        assert path.exists()
    put(store, "ann", b"b" * 200)
    assert store.families_of("ann", key_id) == []


def test_uploads_count_before_they_are_whole(store):
    with (
        store.upload("ann", "a" * 64, 200, []),
        pytest.raises(ServerBusyError, match="in use"),
        store.upload("ann", "b" * 64, 200, []),
    ):
        pass
    put(store, "ann", b"a" * 200)


def test_keys_are_found_after_a_restart_in_their_order(store, tmp_path):
    first, second = put(store, "ann", b"a" * 100), put(store, "ann", b"b" * 100)
    for place, when in ((first, 2), (second, 1)):
        os.utime(tmp_path / "keys" / "ann" / FAMILY / place, ns=(when, when))
    (tmp_path / "keys" / "ann" / "new" / ".new_left").write_bytes(b"cut")
    again = KeyStore(tmp_path / "keys", LIMITS)
    assert again.total_bytes == 200
    assert len(files(tmp_path)) == 2
    put(again, "ann", b"c" * 150)
    assert again.families_of("ann", second) == []
    assert again.families_of("ann", first) == [FAMILY]


def test_keys_are_removed(store, tmp_path):
    key_id = put(store, "ann", b"a" * 100)
    assert not store.remove("bob", key_id)
    assert store.remove("ann", key_id)
    assert not store.remove("ann", key_id)
    assert files(tmp_path) == []


def test_a_folder_that_others_can_read_is_refused(store, tmp_path):
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(DeploymentError, match="chmod 700"):
        KeyStore(tmp_path / "keys", LIMITS)


def test_many_threads_keep_to_the_quota(store):
    def work(tenant):
        for number in range(20):
            put(store, tenant, f"{tenant} {number:>90}".encode())

    threads = [
        threading.Thread(target=work, args=(name,)) for name in ("ann", "bob", "cid")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.total_bytes <= LIMITS.total_bytes
    assert sum(path.stat().st_size for path in files(store._folder)) == store.total_bytes


@pytest.mark.parametrize("years", [-60, 30])
def test_a_clock_that_jumps_breaks_no_quota(store, tmp_path, years):
    """What is kept of the order in times of files may be any time."""
    first, second = put(store, "ann", b"a" * 100), put(store, "ann", b"b" * 100)
    jumped = time.time() + years * 365 * 86400
    os.utime(tmp_path / "keys" / "ann" / FAMILY / first, times=(jumped, jumped))
    again = KeyStore(tmp_path / "keys", LIMITS)
    with again.used(Place("ann", FAMILY, first)) as path:
        assert path.read_bytes() == b"a" * 100
    # It was used last, whatever the clock said.
    third = put(again, "ann", b"c" * 150)
    assert again.families_of("ann", second) == []
    assert again.families_of("ann", first) == again.families_of("ann", third) == [FAMILY]
    assert again.total_bytes == 250


def test_only_a_clock_that_does_not_jump_is_waited_by():
    """All limits of time are on the monotonic clock; the other one is for logs."""
    jumps = re.compile(r"\btime\.time\(|\bdatetime\b|\bfrom time import\b")
    for path in Path(serving.__file__).parent.glob("*.py"):
        assert not jumps.search(path.read_text()), path.name
