"""What `twinbore device` does: the catalogue as a table, and the configuration of a device from the store.

It reads the store, whether the service runs or not. A file with keys in it is closed to others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from twinbore.api.authorization import Caller
from twinbore.api.operation import Call
from twinbore.api.ops.devices import device_view, preferred_version, site_tags
from twinbore.cli import config_file
from twinbore.cli.installation import open_database
from twinbore.cli.paths import Paths
from twinbore.cli.private_file import write_new
from twinbore.cli.system import SystemRandomness, now
from twinbore.devices.catalogue import DeviceType, device_types, find
from twinbore.devices.errors import DeviceCannot, SampleConfigurationError
from twinbore.devices.render import device_side, text_of
from twinbore.devices.side import CustomerSide
from twinbore.model import resources as r
from twinbore.model import site
from twinbore.model.permissions import ADMINISTRATOR
from twinbore.model.states import LIVING
from twinbore.store.database import StoreError

WIDE: Final = 200


def show_types(vendor: str | None, as_json: bool) -> int:
    """Print the catalogue, or one vendor's part."""
    chosen = [d for d in device_types() if vendor is None or d.vendor.lower() == vendor.lower()]
    if not chosen:
        vendors = ", ".join(dict.fromkeys(d.vendor for d in device_types()))
        raise click.ClickException(f"no device type is of the vendor {vendor!r}; there are {vendors}")
    if as_json:
        click.echo(json.dumps([_shape(d) for d in chosen], indent=2))
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("ID", "VENDOR", "PLATFORM", "SOFTWARE", "IKE", "ROUTING", "OUTPUT"):
        table.add_column(title, no_wrap=title in {"ID", "IKE", "ROUTING", "OUTPUT"}, overflow="fold")
    for d in chosen:
        versions = ", ".join(version.removeprefix("ike") for version in d.ike_versions)
        table.add_row(d.id, d.vendor, d.platform, d.software, versions, ", ".join(d.routing), d.kind)
    # In a pipe every type has one line, however long.
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE).print(table)
    if vendor is None:
        click.echo(f"{len(chosen)} device types. What each can do: twinbore device show ID", err=True)
    return 0


def show_type(device_id: str, as_json: bool) -> int:
    """Print what one type can do."""
    device = _find(device_id)
    if as_json:
        click.echo(json.dumps(_shape(device), indent=2))
        return 0
    for name, value in _shape(device).items():
        if isinstance(value, dict):
            for version, kinds in value.items():
                for kind, values in kinds.items():
                    click.echo(f"{version + ' ' + kind:34}{', '.join(map(str, values))}")
        else:
            shown = ", ".join(value) if isinstance(value, list) else value
            click.echo(f"{name.replace('_', ' '):34}{shown}")
    return 0


def render(
    paths: Paths,
    connection_id: str,
    device_id: str,
    options: Mapping[str, str],
    *,
    ike_version: str | None,
    sample_type: str | None,
    output: Path | None,
    check: bool,
) -> int:
    """Write the configuration; `options` are those of `site.OPTIONS` that were given, and win over tags."""
    device = _find(device_id)
    given = {site.PREFIX + name: value for name, value in options.items()}
    try:
        with open_database(paths).read() as tx:
            connection = tx.get(r.VpnConnection, connection_id)
            if connection is None or connection.state not in LIVING:
                there = ", ".join(c.id for c in tx.all(r.VpnConnection) if c.state in LIVING) or "none"
                raise click.ClickException(f"no VPN connection {connection_id!r} is in service; there are: {there}")
            caller = Caller(
                connection.account_id, "", "device", ADMINISTRATOR, config_file.saved(paths.settings).region
            )
            call = Call(tx, caller, config_file.saved(paths.settings), now(), SystemRandomness())
            view, tags = device_view(call, connection), site_tags(call, connection)
        chosen = site.site_of(*tags, given)
        version = ike_version or preferred_version(view, device.id)
        side = device_side(view, device, version, sample_type, site=chosen, now=now())
    except DeviceCannot as error:
        click.echo(f"{error.device} cannot do what {connection_id} asks for. Change:", err=True)
        for change in error.changes:
            click.echo(f"  {change}", err=True)
        return 1
    except (SampleConfigurationError, StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if check:
        _explain(device, side)
        return 0
    text = text_of(side, device, chosen.language).encode()
    if output is None:
        sys.stdout.buffer.write(text)
        return 0
    write_new(output, text)
    keys = "with its keys in clear text" if side.keys == "clear" else "without its keys"
    click.echo(f"the configuration of {device.name} for {connection_id} is in {output}, {keys}")
    return 0


def _explain(device: DeviceType, side: CustomerSide) -> None:
    click.echo(f"{device.name} can do it: {side.ike_version}, {side.routing}")
    for tunnel in side.tunnels:
        one, two = tunnel.phase1, tunnel.phase2
        phase2 = f"{two.encryption}, {'' if two.is_gcm else two.integrity + ', '}group {two.group}"
        click.echo(f"  tunnel {tunnel.index} to {tunnel.outside}, MTU {tunnel.mtu}")
        click.echo(f"    phase 1 {one.encryption}, {one.integrity}, group {one.group}")
        click.echo(f"    phase 2 {phase2}")
    click.echo(f"  to the cloud: {', '.join(map(str, side.local_prefixes)) or 'nothing'}")
    click.echo(f"  from the cloud: {', '.join(map(str, side.remote_prefixes)) or 'what it announces'}")


def _find(device_id: str) -> DeviceType:
    device = find(device_id)
    if device is None:
        raise click.ClickException(f"no device type has the id {device_id!r}: twinbore device list shows them")
    return device


def _shape(device: DeviceType) -> dict[str, Any]:
    return {
        "id": device.id,
        "vendor": device.vendor,
        "platform": device.platform,
        "software": device.software,
        "ike_versions": list(device.ike_versions),
        "routing": list(device.routing),
        "mode": device.mode,
        "output": device.kind,
        "outside_interface": device.outside_interface,
        "inside_interface": device.inside_interface,
        "bfd": device.bfd,
        "bgp_password": device.bgp_password,
        "source": device.source,
        "algorithms": {
            f"phase {phase} {version}": {
                "encryption": sorted(can.encryption),
                "integrity": sorted(can.integrity),
                "groups": sorted(can.groups),
            }
            for (phase, version), can in device.capabilities.items()
            if version in device.ike_versions
        },
    }
