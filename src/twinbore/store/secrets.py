"""Secrets at rest: envelope encryption with a master key that lies in a file of its own.

Each secret is encrypted with a data key of its own (AES-256-GCM); the data key is wrapped with the master key. The
additional authenticated data of both names the resource and the field, so that a ciphertext that is moved to another
row does not decrypt. The database alone therefore tells nothing, and the master key can be rotated by re-wrapping.

References: NIST SP 800-38D (GCM; nonces are 96 random bits, one message a key), FIPS 197.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class MasterKeyError(Exception):
    """The master key file is missing, unreadable, of a wrong size or open to others; the message says what to do."""


class SecretError(Exception):
    """A stored secret cannot be decrypted with this master key."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """What is stored: which master key wrapped it, the wrapped data key and the ciphertext (nonces in front)."""

    key_id: str
    wrapped_key: bytes
    ciphertext: bytes


class SecretBox:
    """Seals and opens secrets with one master key (32 bytes)."""

    def __init__(self, master_key: bytes, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        if len(master_key) != KEY_BYTES:
            raise MasterKeyError(f"the master key has {len(master_key)} bytes; {KEY_BYTES} are needed")
        self._master = AESGCM(master_key)
        self._random = random_bytes
        self.key_id = hashlib.sha256(b"twinbore master key id" + master_key).hexdigest()[:16]

    def seal(self, resource_id: str, field: str, plaintext: str) -> SealedSecret:
        aad = f"{resource_id}/{field}".encode()
        data_key = self._random(KEY_BYTES)
        return SealedSecret(
            self.key_id,
            self._encrypt(self._master, data_key, aad),
            self._encrypt(AESGCM(data_key), plaintext.encode(), aad),
        )

    def open(self, resource_id: str, field: str, sealed: SealedSecret) -> str:
        """The plaintext. Raises `SecretError` when the key or the place is not the one it was sealed for."""
        aad = f"{resource_id}/{field}".encode()
        if sealed.key_id != self.key_id:
            raise SecretError(
                f"the secret {field} of {resource_id} was encrypted with master key {sealed.key_id}, "
                f"but the master key file holds {self.key_id}: restore the file that belongs to this database"
            )
        try:
            data_key = self._decrypt(self._master, sealed.wrapped_key, aad)
            return self._decrypt(AESGCM(data_key), sealed.ciphertext, aad).decode()
        except InvalidTag:
            raise SecretError(f"the secret {field} of {resource_id} is damaged") from None

    def _encrypt(self, cipher: AESGCM, plaintext: bytes, aad: bytes) -> bytes:
        nonce = self._random(NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, plaintext, aad)

    @staticmethod
    def _decrypt(cipher: AESGCM, blob: bytes, aad: bytes) -> bytes:
        return cipher.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], aad)


def load_master_key(path: Path, *, create: bool) -> bytes:
    """The master key of `path`; made (mode 0600, synced to disk) when missing and `create` is true.

    Raises `MasterKeyError` when it is missing, of a wrong size, or readable by others.
    """
    if create and not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    try:
        mode = path.stat().st_mode
        key = path.read_bytes()
    except OSError as error:
        raise MasterKeyError(f"cannot read the master key file {path}: {error.strerror}") from error
    if mode & 0o077:
        raise MasterKeyError(f"the master key file {path} is open to others (mode {mode & 0o777:o}): chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise MasterKeyError(f"the master key file {path} has {len(key)} bytes; {KEY_BYTES} are needed")
    return key
