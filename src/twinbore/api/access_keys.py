"""What an operator does with accounts and access keys; `accounts` has the first ones, and reads all of them.

There is no operation of an API for it: who may open the database may make keys, and whoever has lost the last one of an
account makes another in the same way.

* A key belongs to one account for good, and so does what it may do: a role or a policy. To change it, make another key,
  give it to who uses the old one, disable that, and delete it when nothing has complained.
* A deleted key's secret is gone from the database, and so is the key; a disabled one keeps both.
* The last administrator's key of an account that works is neither disabled nor deleted, unless the operator insists: it
  is the only way to change anything in the account.

References: IAM User Guide, "Manage access keys for IAM users", "IAM and AWS STS quotas" (names of users).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from twinbore.api.accounts import SECRET_FIELD, is_administrator, new_pair
from twinbore.api.operation import Randomness
from twinbore.model.permissions import ROLES, parse_policy
from twinbore.model.resources import AccessKey, Account
from twinbore.store.database import Transaction

_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}", re.ASCII)
_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


class AccessKeyError(ValueError):
    """What is asked for cannot be; nothing was changed. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. Its secret is shown now and never again."""

    key: AccessKey
    secret: str = field(repr=False)


def create_account(tx: Transaction, account_id: str | None, random: Randomness, now: datetime) -> Account:
    """A new account, with an id of its own unless one is given. Raises `AccessKeyError`."""
    if account_id is None:
        account_id = str(100_000_000_000 + random.below(900_000_000_000))
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise AccessKeyError(f"account {account_id!r}: an account id has 12 digits, for example 123456789012")
    if tx.get(Account, account_id) is not None:
        raise AccessKeyError(f"account {account_id} exists already")
    account = Account(account_id, now)
    tx.insert(account)
    return account


def find_account(tx: Transaction, account_id: str | None) -> Account:
    """The account with this id, or the first one. Raises `AccessKeyError`."""
    accounts = tx.all(Account)
    if account_id is None and accounts:
        return accounts[0]
    for account in accounts:
        if account.id == account_id:
            return account
    known = ", ".join(account.id for account in accounts) or "none"
    raise AccessKeyError(f"account {account_id!r} does not exist; there is {known}: twinbore account create makes one")


def create_key(  # noqa: PLR0917 - a key is what all these say
    tx: Transaction, account: Account, name: str, role: str, policy: str, random: Randomness, now: datetime
) -> NewKey:
    """A new key of an account, with a role or else a policy (JSON). Raises `AccessKeyError` and `PolicyError`."""
    if name and not _NAME.fullmatch(name):
        raise AccessKeyError(f"name {name!r}: 1 to 64 letters, digits and characters of _+=,.@-")
    if bool(role) == bool(policy):
        raise AccessKeyError("a key has a role or a policy: give one of the two")
    if role and role not in ROLES:
        raise AccessKeyError(f"role {role!r}: one of {', '.join(ROLES)}")
    if policy:
        parse_policy(policy)
        policy = json.dumps(json.loads(policy), separators=(",", ":"), ensure_ascii=False)
    identifier, secret = new_pair(random)
    key = AccessKey(identifier, account.id, now, name, enabled=True, role=role, policy=policy)
    tx.insert(key)
    tx.put_secret(key.id, SECRET_FIELD, secret)
    return NewKey(key, secret)


def list_keys(tx: Transaction, account_id: str | None) -> list[AccessKey]:
    """The keys of one account or of all, the oldest first. Raises `AccessKeyError`."""
    if account_id is None:
        return tx.all(AccessKey)
    return tx.all(AccessKey, account_id=find_account(tx, account_id).id)


def enable_key(tx: Transaction, key_id: str) -> AccessKey:
    """Let a key work again. Raises `AccessKeyError`."""
    return tx.update(_find(tx, key_id), enabled=True)


def disable_key(tx: Transaction, key_id: str, *, force: bool) -> AccessKey:
    """Let a key work no more. Raises `AccessKeyError`, for an account's last one unless `force`."""
    key = _find(tx, key_id)
    _keep_one(tx, key, force=force)
    return tx.update(key, enabled=False)


def delete_key(tx: Transaction, key_id: str, *, force: bool) -> AccessKey:
    """Remove a key and its secret. Raises `AccessKeyError`, for an account's last one unless `force`."""
    key = _find(tx, key_id)
    _keep_one(tx, key, force=force)
    tx.delete_secret(key.id, SECRET_FIELD)
    tx.delete(AccessKey, key.id)
    return key


def _find(tx: Transaction, key_id: str) -> AccessKey:
    key = tx.get(AccessKey, key_id)
    if key is None:
        raise AccessKeyError(f"access key {key_id!r} does not exist: twinbore key list shows those that do")
    return key


def _keep_one(tx: Transaction, key: AccessKey, *, force: bool) -> None:
    if force or not is_administrator(key):
        return
    if not any(is_administrator(other) for other in tx.all(AccessKey, account_id=key.account_id) if other.id != key.id):
        raise AccessKeyError(
            f"{key.id} is the last administrator's key of account {key.account_id} that works: make another with "
            f"twinbore key create --account {key.account_id}, or insist with --force"
        )
