"""What `twinbore key` and `twinbore account` do: changes of the database, with the service running or not.

Whoever can read the master key can make keys, so no right is asked for. A running service reads a key that it has used
again after `KEPT_SECONDS`; what takes a key away waits that long, so that it is true when it says that it is done.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from twinbore.api import access_keys
from twinbore.api.access_keys import AccessKeyError
from twinbore.api.accounts import KEPT_SECONDS
from twinbore.cli.installation import is_running, open_database
from twinbore.cli.paths import Paths
from twinbore.cli.system import SystemRandomness, now
from twinbore.model.permissions import MAX_POLICY, PolicyError
from twinbore.model.resources import AccessKey, Account
from twinbore.store.database import StoreError, Transaction

DEFAULT_ROLE: Final = "administrator"
STANDARD_INPUT: Final = Path("-")


def create(
    paths: Paths, account_id: str | None, *, name: str, role: str | None, policy: Path | None, as_json: bool
) -> int:
    """Make a key and print it with its secret."""
    document = "" if policy is None else _policy(policy)
    role = role or ("" if document else DEFAULT_ROLE)
    with _writing(paths) as tx:
        account = access_keys.find_account(tx, account_id)
        made = access_keys.create_key(tx, account, name, role, document, SystemRandomness(), now())
    if as_json:
        _print_json(_shape(made.key) | {"SecretAccessKey": made.secret})
        return 0
    click.echo(f"[{name or made.key.id}]")
    click.echo(f"aws_access_key_id = {made.key.id}")
    click.echo(f"aws_secret_access_key = {made.secret}")
    click.echo(f"{made.key.id} of account {account.id}: {_may(made.key)}. The secret is not shown again.", err=True)
    return 0


def show(paths: Paths, account_id: str | None, as_json: bool) -> int:
    """Print keys, the oldest first."""
    with _reading(paths) as tx:
        keys = access_keys.list_keys(tx, account_id)
    if as_json:
        _print_json([_shape(key) for key in keys])
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("KEY", "ACCOUNT", "NAME", "MAY", "STATUS", "CREATED"):
        table.add_column(title, no_wrap=True)
    for key in keys:
        made = key.created_at.isoformat(timespec="seconds")
        table.add_row(key.id, key.account_id, key.name, _may(key), _status(key), made)
    Console(highlight=False, markup=False, soft_wrap=True).print(table)
    return 0


def enable(paths: Paths, key_id: str) -> int:
    """Let a key work again."""
    with _writing(paths) as tx:
        access_keys.enable_key(tx, key_id)
    click.echo(f"{key_id} works again")
    return 0


def disable(paths: Paths, key_id: str, *, force: bool) -> int:
    """Let a key work no more."""
    return _end(paths, lambda tx: access_keys.disable_key(tx, key_id, force=force), f"{key_id} works no more")


def delete(paths: Paths, key_id: str, *, force: bool) -> int:
    """Remove a key."""
    return _end(paths, lambda tx: access_keys.delete_key(tx, key_id, force=force), f"{key_id} is deleted")


def create_account(paths: Paths, account_id: str | None) -> int:
    """Make an account and print its id."""
    with _writing(paths) as tx:
        made = access_keys.create_account(tx, account_id, SystemRandomness(), now())
    click.echo(made.id)
    click.echo(f"twinbore key create --account {made.id} makes its first key", err=True)
    return 0


def show_accounts(paths: Paths, as_json: bool) -> int:
    """Print accounts, the oldest first."""
    with _reading(paths) as tx:
        accounts = tx.all(Account)
        keys = Counter(key.account_id for key in tx.all(AccessKey))
    if as_json:
        _print_json([{"AccountId": account.id, "AccessKeys": keys[account.id]} for account in accounts])
        return 0
    for account in accounts:
        click.echo(f"{account.id}  {keys[account.id]} {'key' if keys[account.id] == 1 else 'keys'}")
    return 0


def _end(paths: Paths, change: Callable[[Transaction], AccessKey], done: str) -> int:
    with _writing(paths) as tx:
        change(tx)
    if is_running(paths):
        time.sleep(KEPT_SECONDS)
    click.echo(done)
    return 0


@contextmanager
def _writing(paths: Paths) -> Iterator[Transaction]:
    with _words():
        database = open_database(paths)
        try:
            with database.write(bump=False) as tx:
                yield tx
        finally:
            database.close()


@contextmanager
def _reading(paths: Paths) -> Iterator[Transaction]:
    with _words():
        database = open_database(paths)
        try:
            with database.read() as tx:
                yield tx
        finally:
            database.close()


@contextmanager
def _words() -> Iterator[None]:
    try:
        yield
    except (AccessKeyError, PolicyError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def _policy(file: Path) -> str:
    """The text of a policy document: one that is far too long is not read to its end."""
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            text: str = stream.read(16 * MAX_POLICY)
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"cannot read {file}: {error}") from error
    if not text.strip():
        where = "standard input" if file == STANDARD_INPUT else str(file)
        raise click.ClickException(f"{where} is empty: a policy document is JSON with Version and Statement")
    return text


def _may(key: AccessKey) -> str:
    return key.role or "policy"


def _status(key: AccessKey) -> str:
    return "Active" if key.enabled else "Inactive"


def _shape(key: AccessKey) -> dict[str, Any]:
    """A key in the names that AWS has for its parts; a policy as the document it is."""
    return {
        "AccessKeyId": key.id,
        "AccountId": key.account_id,
        "UserName": key.name,
        "Status": _status(key),
        "CreateDate": key.created_at.isoformat(timespec="seconds"),
        "Role": key.role,
        "Policy": msgspec.json.decode(key.policy) if key.policy else None,
    }


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)))
