"""`twinbore key` and `twinbore account`: their verbs and options; what each does stands in `keys`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from twinbore.cli.options import state
from twinbore.cli.paths import Paths
from twinbore.model.permissions import ROLES

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_force = click.option("--force", is_flag=True, help="Even if no administrator's key of the account is left.")


@click.group()
def key() -> None:
    """Access keys: who may call the API, and what they may do."""


@key.command("create")
@click.option("--account", metavar="ID", help="The account it belongs to.  [default: the first one]")
@click.option("--name", default="", help="Whom or what it is for; the caller's user name in AWS's words.")
@click.option("--role", type=click.Choice(list(ROLES)), help="[default: administrator, without --policy]")
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A policy document (JSON; Effect, Action and Resource) instead of a role; - reads standard input.",
)
@_json
@state
def create_key(  # noqa: PLR0917 - click passes options by name
    account: str | None, name: str, role: str | None, policy: Path | None, as_json: bool, state: Path
) -> None:
    """Make an access key and print it with its secret, which is shown this once only.

    What is printed is a section of ~/.aws/credentials. The key works at once.

    \b
    Examples:
      twinbore key create --name alice
      twinbore key create --name grafana --role read-only >> ~/.aws/credentials
      twinbore key create --name ci --policy vpn-operators.json --account 123456789012
    """
    from twinbore.cli import keys as verb

    if role is not None and policy is not None:
        raise click.UsageError("give either --role or --policy FILE")
    sys.exit(verb.create(Paths(state.absolute()), account, name=name, role=role, policy=policy, as_json=as_json))


@key.command("list")
@click.option("--account", metavar="ID", help="Only keys of this account.")
@_json
@state
def list_keys(account: str | None, as_json: bool, state: Path) -> None:
    """Show access keys, without their secrets."""
    from twinbore.cli import keys as verb

    sys.exit(verb.show(Paths(state.absolute()), account, as_json))


@key.command("disable")
@click.argument("key_id", metavar="KEY-ID")
@_force
@state
def disable(key_id: str, force: bool, state: Path) -> None:
    """Let an access key work no more; `twinbore key enable` undoes it.

    When the command has returned, no request is accepted with the key.
    """
    from twinbore.cli import keys as verb

    sys.exit(verb.disable(Paths(state.absolute()), key_id, force=force))


@key.command("enable")
@click.argument("key_id", metavar="KEY-ID")
@state
def enable(key_id: str, state: Path) -> None:
    """Let a disabled access key work again."""
    from twinbore.cli import keys as verb

    sys.exit(verb.enable(Paths(state.absolute()), key_id))


@key.command("delete")
@click.argument("key_id", metavar="KEY-ID")
@_force
@state
def delete(key_id: str, force: bool, state: Path) -> None:
    """Remove an access key and its secret for good.

    When the command has returned, no request is accepted with the key.
    """
    from twinbore.cli import keys as verb

    sys.exit(verb.delete(Paths(state.absolute()), key_id, force=force))


@click.group()
def account() -> None:
    """Accounts: each sees its own resources only."""


@account.command("create")
@click.argument("account_id", metavar="[ID]", required=False)
@state
def create_account(account_id: str | None, state: Path) -> None:
    """Make an account, with this id of 12 digits or one that is chosen. It has no key yet: `twinbore key create`."""
    from twinbore.cli import keys as verb

    sys.exit(verb.create_account(Paths(state.absolute()), account_id))


@account.command("list")
@_json
@state
def list_accounts(as_json: bool, state: Path) -> None:
    """Show accounts and how many keys each has."""
    from twinbore.cli import keys as verb

    sys.exit(verb.show_accounts(Paths(state.absolute()), as_json))
