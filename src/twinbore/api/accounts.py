"""Accounts and access keys: the first of each is made at the first start.

The key is written as an AWS shared-credentials file that only its owner can read, so that every AWS client can use it
at once. `TWINBORE_ACCESS_KEY_ID` and `TWINBORE_SECRET_ACCESS_KEY` set it instead; at a later start they add a key, or
change the secret of the one they name.

Decision: the API keeps the secrets of keys that were used in memory for `KEPT_SECONDS`. Unwrapping one for each request
costs more than checking the signature; what is lost is that the secrets of keys lie in the memory of the process that
holds the master key anyway, and that a key which another process disables or deletes is good for that much longer:
`twinbore key` waits for it. Unknown keys are never remembered: a new one works at once, and nobody can fill the memory
with guesses.

Reference: AWS SDKs and Tools Reference Guide, "Shared config and credentials files"; IAM User Guide, "Unique
identifiers" (AKIA and 16 characters of A-Z and 2-7).
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from twinbore.api.operation import Randomness
from twinbore.api.sigv4 import Key
from twinbore.model.permissions import ADMINISTRATOR, ROLES, Policy, parse_policy
from twinbore.model.resources import AccessKey, Account
from twinbore.store.database import Database, Transaction

SECRET_FIELD: Final = "secret_access_key"  # noqa: S105 - the field's name
FILE_MODE: Final = 0o600
KEPT_SECONDS: Final = 1.0
_GIVEN_ID: Final = re.compile(r"\w{3,128}", re.ASCII)
_GIVEN_SECRET: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def ensure_credentials(
    database: Database, path: Path, environ: Mapping[str, str], random: Randomness, now: datetime
) -> AccessKey:
    """The access key of the installation, made when there is none; its file at `path` is written when it is not there.

    That is the oldest administrator's that works of the first account; where none does, the oldest key.

    Raises `CredentialsError` when only one of the two environment variables is set, or one cannot be used.
    """
    given = _from_environment(environ)
    with database.write(bump=False) as tx:
        accounts = tx.all(Account)
        account = accounts[0] if accounts else _new_account(tx, random, now)
        keys = tx.all(AccessKey, account_id=account.id)
        if given is not None:
            key = _store(tx, account, given[0], given[1], now)
        elif keys:
            key = next((key for key in keys if is_administrator(key)), keys[0])
        else:
            key = _store(tx, account, *new_pair(random), now)
        secret_key = tx.secret(key.id, SECRET_FIELD)
    _write(path, key.id, secret_key or "")
    return key


class CredentialsError(ValueError):
    """The access key that the environment gives cannot be used."""


class KeyRing:
    """Access keys with their secrets; safe to use from several threads."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._kept: dict[str, tuple[Key, float]] = {}

    def find(self, access_key_id: str) -> Key | None:
        """An access key, or None."""
        kept = self._kept.get(access_key_id)
        if kept is not None and self._monotonic() < kept[1]:
            return kept[0]
        with self._database.read() as tx:
            key = find_key(tx, access_key_id)
        if key is None:
            self._kept.pop(access_key_id, None)
        else:
            self._kept[access_key_id] = (key, self._monotonic() + KEPT_SECONDS)
        return key


def find_key(tx: Transaction, access_key_id: str) -> Key | None:
    """An access key with its secret and what it may do, or None."""
    row = tx.get(AccessKey, access_key_id)
    secret = tx.secret(access_key_id, SECRET_FIELD) if row else None
    if row is None or not secret:
        return None
    return Key(row.account_id, secret, row.name, row.enabled, policy_of(row))


def new_pair(random: Randomness) -> tuple[str, str]:
    """A new access key id and its secret, in AWS's form."""
    identifier = "AKIA" + "".join(_BASE32[random.below(32)] for _ in range(16))
    return identifier, base64.b64encode(bytes(random.below(256) for _ in range(30))).decode()


def is_administrator(key: AccessKey) -> bool:
    """Whether the key is an administrator's and works."""
    return key.enabled and ROLES.get(key.role) is ADMINISTRATOR


def policy_of(key: AccessKey) -> Policy:
    """What a key may do."""
    return parse_policy(key.policy) if key.policy else ROLES[key.role]


def _from_environment(environ: Mapping[str, str]) -> tuple[str, str] | None:
    identifier, secret = environ.get("TWINBORE_ACCESS_KEY_ID"), environ.get("TWINBORE_SECRET_ACCESS_KEY")
    if bool(identifier) != bool(secret):
        raise CredentialsError("set both TWINBORE_ACCESS_KEY_ID and TWINBORE_SECRET_ACCESS_KEY, or neither")
    if not identifier or not secret:
        return None
    if not _GIVEN_ID.fullmatch(identifier):
        raise CredentialsError(
            f"TWINBORE_ACCESS_KEY_ID {identifier!r} must have 3 to 128 letters, digits and underscores"
        )
    if not _GIVEN_SECRET.fullmatch(secret):
        raise CredentialsError(
            "TWINBORE_SECRET_ACCESS_KEY must have 1 to 128 printable ASCII characters without spaces"
        )
    return identifier, secret


def _new_account(tx: Transaction, random: Randomness, now: datetime) -> Account:
    account = Account(str(100_000_000_000 + random.below(900_000_000_000)), now)
    tx.insert(account)
    return account


def _store(tx: Transaction, account: Account, identifier: str, secret: str, now: datetime) -> AccessKey:
    key = tx.get(AccessKey, identifier)
    if key is None:
        key = AccessKey(identifier, account.id, now)
        tx.insert(key)
    tx.put_secret(identifier, SECRET_FIELD, secret)
    return key


def _write(path: Path, identifier: str, secret: str) -> None:
    """Make `path` hold the key, readable by its owner only; whoever looks sees the old file or the new one."""
    text = f"[default]\naws_access_key_id = {identifier}\naws_secret_access_key = {secret}\n"
    if path.exists() and path.read_text() == text and path.stat().st_mode & 0o777 == FILE_MODE:
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
