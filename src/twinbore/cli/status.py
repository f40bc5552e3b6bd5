"""`twinbore status`: connections and tunnels as the store has them, with the reason for every one that is down."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from twinbore.cli.installation import open_database
from twinbore.cli.paths import Paths
from twinbore.model import resources as r
from twinbore.model.states import DELETED, UP
from twinbore.store.database import Transaction


def run(paths: Paths, as_json: bool) -> int:
    """Print the table. Returns 0 when every tunnel is up, 3 when one is down."""
    with open_database(paths).read() as tx:
        rows = _rows(tx)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)))
    else:
        _print(rows)
    return 0 if all(row["status"] == UP for row in rows) else 3


def _rows(tx: Transaction) -> list[dict[str, Any]]:
    telemetry = {row.id: row for row in tx.all(r.TunnelTelemetry)}
    rows = []
    for connection in tx.all(r.VpnConnection):
        if connection.state == DELETED:
            continue
        for tunnel in sorted(tx.all(r.VpnTunnel, connection_id=connection.id), key=lambda t: t.index):
            state = telemetry.get(tunnel.id)
            rows.append(
                {
                    "connection": connection.id,
                    "state": connection.state,
                    "paused": connection.paused,
                    "tunnel": tunnel.index,
                    "outside_address": tunnel.outside_address,
                    "inside_cidr": tunnel.inside_cidr,
                    "status": state.status if state else "DOWN",
                    "message": state.status_message if state else "",
                    "since": state.last_status_change.isoformat(timespec="seconds") if state else "",
                    "reason": state.detail if state else "the connection is being deleted",
                }
            )
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("no VPN connections")
        return
    console = Console(highlight=False)
    for row in rows:
        if row["tunnel"] == 1:
            paused = " (paused)" if row["paused"] else ""
            console.print(f"[bold]{row['connection']}[/] {row['state']}{paused}")
        colour = "green" if row["status"] == UP else "red"
        text = f"{row['message']}: {row['reason']}" if row["reason"] else row["message"]
        line = Table.grid(padding=(0, 2))
        line.add_row(
            f"  {row['tunnel']}",
            f"{row['outside_address']:<15}",
            f"{row['inside_cidr']:<18}",
            f"[{colour}]{row['status']:<4}[/]",
            text,
        )
        console.print(line)
