"""Secrets at rest: sealed for one place, with one master key, in a file that nobody else can read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.store.secrets import KEY_BYTES, MasterKeyError, SecretBox, SecretError, load_master_key

BOX = SecretBox(b"k" * KEY_BYTES)


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_what_is_sealed_can_be_opened(secret: str, resource_id: str, field: str) -> None:
    assert BOX.open(resource_id, field, BOX.seal(resource_id, field, secret)) == secret


def test_a_sealed_secret_does_not_show_itself() -> None:
    first, second = BOX.seal("vpn-1", "key", "top secret"), BOX.seal("vpn-1", "key", "top secret")
    assert b"top secret" not in first.ciphertext
    assert first.ciphertext != second.ciphertext
    assert first.wrapped_key != second.wrapped_key


@pytest.mark.parametrize(("resource_id", "field"), [("vpn-2", "key"), ("vpn-1", "other")])
def test_a_secret_opens_only_in_its_place(resource_id: str, field: str) -> None:
    with pytest.raises(SecretError, match="damaged"):
        BOX.open(resource_id, field, BOX.seal("vpn-1", "key", "x"))


@pytest.mark.parametrize("part", ["wrapped_key", "ciphertext"])
@pytest.mark.parametrize("position", [0, 12, -1])
def test_a_changed_octet_is_noticed(part: str, position: int) -> None:
    sealed = BOX.seal("vpn-1", "key", "x")
    octets = bytearray(getattr(sealed, part))
    octets[position] ^= 1
    with pytest.raises(SecretError, match="damaged"):
        BOX.open("vpn-1", "key", replace(sealed, **{part: bytes(octets)}))


def test_another_master_key_is_named() -> None:
    other = SecretBox(b"x" * KEY_BYTES)
    with pytest.raises(SecretError) as caught:
        other.open("vpn-1", "key", BOX.seal("vpn-1", "key", "x"))
    assert BOX.key_id in str(caught.value)
    assert other.key_id in str(caught.value)


def test_the_name_of_a_master_key_tells_nothing_of_it() -> None:
    assert len(BOX.key_id) == 16
    assert (b"k" * KEY_BYTES).hex()[:16] not in BOX.key_id


def test_a_master_key_of_a_wrong_size() -> None:
    with pytest.raises(MasterKeyError, match="31 bytes"):
        SecretBox(b"k" * 31)


def test_a_master_key_file_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = load_master_key(path, create=True)
    assert len(key) == KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_master_key(path, create=True) == key
    assert load_master_key(path, create=False) == key


def test_a_master_key_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="No such file"):
        load_master_key(tmp_path / "master.key", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "size", "words"), [(0o644, 32, "chmod 600"), (0o600, 16, "16 bytes")])
def test_a_master_key_file_that_cannot_be_used(tmp_path: Path, mode: int, size: int, words: str) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(os.urandom(size))
    path.chmod(mode)
    with pytest.raises(MasterKeyError, match=words):
        load_master_key(path, create=True)
