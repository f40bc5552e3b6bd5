"""`twinbore export` and `twinbore import`: a VPN connection as a file, with its keys.

Both work on the store, whether the service runs or not: what is imported is picked up by a running agent within a
second, or by the next start. The file is closed to others, and an existing one is never written over.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from twinbore.api.authorization import Caller
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call
from twinbore.api.transfer import Document, TransferError, decode, encode, export
from twinbore.api.transfer_in import import_connection
from twinbore.cli import config_file
from twinbore.cli.installation import is_running, open_database
from twinbore.cli.paths import Paths
from twinbore.cli.private_file import write_new
from twinbore.cli.system import SystemRandomness, now
from twinbore.model import resources as r
from twinbore.model.permissions import ADMINISTRATOR
from twinbore.store.database import StoreError, Transaction

MAX_BYTES = 1 << 20


class _Checked(Exception):
    """Everything could be made; undoes it."""


def write_out(paths: Paths, connection: str, output: Path | None) -> int:
    """Write the connection's document to the file, or to standard output."""
    try:
        with open_database(paths).read() as tx:
            text = encode(export(tx, connection))
    except (TransferError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    if output is None:
        sys.stdout.buffer.write(text)
        return 0
    write_new(output, text)
    click.echo(f"{connection} is in {output}, with its keys in clear text: whoever has the file can be the gateway")
    return 0


def read_in(paths: Paths, source: Path, vpn_gateway: str | None, account: str | None, *, check: bool) -> int:
    """Make the connection of the document in `source` (`-`: standard input)."""
    settings = config_file.saved(paths.settings)
    database = open_database(paths)
    try:
        document = decode(_content(source))
        with database.write() as tx:
            caller = Caller(_account(tx, account), "", "import", ADMINISTRATOR, settings.region)
            made = import_connection(Call(tx, caller, settings, now(), SystemRandomness()), document, vpn_gateway)
            addresses = [t.outside_address for t in tx.all(r.VpnTunnel, connection_id=made)]
            if check:
                raise _Checked
    except _Checked:
        click.echo(f"{_source(document)} can be imported; nothing was changed")
        return 0
    except (ApiError, TransferError, StoreError) as error:
        raise click.ClickException(f"nothing was imported: {error}") from error
    click.echo(f"{_source(document)} is {made} here, at {' and '.join(addresses)}, with the same keys and inside CIDRs")
    if not is_running(paths):
        click.echo(f"no service runs for {paths.state}: twinbore up --state {paths.state} brings the connection up")
    return 0


def _source(document: Document) -> str:
    return document.source.vpn_connection_id


def _content(source: Path) -> bytes:
    try:
        if str(source) == "-":
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with source.open("rb") as file:
                text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TransferError(f"cannot read {source}: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise TransferError(f"{source} has more than {MAX_BYTES} bytes: it is no exported connection")
    return text


def _account(tx: Transaction, wanted: str | None) -> str:
    """The account to import into: the one that is named, or the only one."""
    accounts = [account.id for account in tx.all(r.Account)]
    if wanted in accounts:
        return str(wanted)
    there = ", ".join(accounts) or "none"
    if wanted is not None:
        raise TransferError(f"account {wanted!r} does not exist; there: {there}")
    if len(accounts) != 1:
        raise TransferError(f"say into which account with --account; there: {there}")
    return accounts[0]
