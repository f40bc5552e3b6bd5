"""Accounts and access keys: the first of each is made at the first start.

The key is written as an AWS shared-credentials file that only its owner can read, so that every AWS client can use it
at once. `TWINBORE_ACCESS_KEY_ID` and `TWINBORE_SECRET_ACCESS_KEY` set it instead; at a later start they add a key, or
change the secret of the one they name.

Reference: AWS SDKs and Tools Reference Guide, "Shared config and credentials files"; IAM User Guide, "Unique
identifiers" (AKIA and 16 characters of A-Z and 2-7).
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from twinbore.api.operation import Randomness
from twinbore.api.sigv4 import Key
from twinbore.model.resources import AccessKey, Account
from twinbore.store.database import Database, Transaction

SECRET_FIELD: Final = "secret_access_key"  # noqa: S105 - the field's name
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def ensure_credentials(
    database: Database, path: Path, environ: Mapping[str, str], random: Randomness, now: datetime
) -> AccessKey:
    """The access key of the installation, made when there is none; its file at `path` is written when missing.

    Raises ValueError when only one of the two environment variables is set.
    """
    given = _from_environment(environ)
    with database.write(bump=False) as tx:
        accounts = tx.all(Account)
        account = accounts[0] if accounts else _new_account(tx, random, now)
        keys = tx.all(AccessKey, account_id=account.id)
        if given is not None:
            key = _store(tx, account, given[0], given[1], now)
        elif keys:
            key = keys[0]
        else:
            identifier = "AKIA" + "".join(_BASE32[random.below(32)] for _ in range(16))
            secret = base64.b64encode(bytes(random.below(256) for _ in range(30))).decode()
            key = _store(tx, account, identifier, secret, now)
        secret_key = tx.secret(key.id, SECRET_FIELD)
    if given is not None or not path.exists():
        _write(path, key.id, secret_key or "")
    return key


def find_key(tx: Transaction, access_key_id: str) -> Key | None:
    """The account and secret of an access key, or None."""
    row = tx.get(AccessKey, access_key_id)
    secret = tx.secret(access_key_id, SECRET_FIELD) if row else None
    return Key(row.account_id, secret) if row and secret else None


def _from_environment(environ: Mapping[str, str]) -> tuple[str, str] | None:
    identifier, secret = environ.get("TWINBORE_ACCESS_KEY_ID"), environ.get("TWINBORE_SECRET_ACCESS_KEY")
    if bool(identifier) != bool(secret):
        raise ValueError("set both TWINBORE_ACCESS_KEY_ID and TWINBORE_SECRET_ACCESS_KEY, or neither")
    return (identifier, secret) if identifier and secret else None


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
    text = f"[default]\naws_access_key_id = {identifier}\naws_secret_access_key = {secret}\n"
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp makes it with mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
