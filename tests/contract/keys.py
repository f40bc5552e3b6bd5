"""Accounts and access keys for tests: a service as the holder of another key sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.contract.conftest import Service, now
from twinbore.api.access_keys import create_account, create_key, find_account
from twinbore.cli.system import SystemRandomness


def statement(effect: str, actions: str | list[str], resources: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": effect, "Action": actions, "Resource": resources}


def as_key(
    service: Service, *statements: dict[str, Any], role: str = "", name: str = "", account: str | None = None
) -> Service:
    """The service to a new key of an account (the first one) with a policy of these statements, or with a role."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else ""
    with service.database.write(bump=False) as tx:
        owner = find_account(tx, account)
        made = create_key(tx, owner, name, role, policy, SystemRandomness(), now())
    return replace(service, access_key_id=made.key.id, secret_access_key=made.secret)


def as_reader(service: Service, name: str = "") -> Service:
    return as_key(service, role="read-only", name=name)


def as_stranger(service: Service) -> Service:
    """The service to the administrator of another, new account."""
    with service.database.write(bump=False) as tx:
        account = create_account(tx, None, SystemRandomness(), now())
    return as_key(service, role="administrator", account=account.id)
