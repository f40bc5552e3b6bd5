"""`twinbore device`: its verbs and options; what each does stands in `devices`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from twinbore.cli.options import state
from twinbore.cli.paths import Paths
from twinbore.model.options import IKE_VERSIONS
from twinbore.model.site import KEY_FORMS, LANGUAGES, PREFERENCES, SWITCH


@click.group()
def device() -> None:
    """Configurations for customer gateway devices: the router at the other end of a VPN connection."""


@device.command("list")
@click.option("--vendor", metavar="NAME", help="Only this vendor's; upper and lower case are the same.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_types(vendor: str | None, as_json: bool) -> None:
    """Show the device types that configurations can be made for.

    \b
    Examples:
      twinbore device list
      twinbore device list --vendor cisco
    """
    from twinbore.cli import devices as verb

    sys.exit(verb.show_types(vendor, as_json))


@device.command("show")
@click.argument("device_type", metavar="DEVICE-ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_type(device_type: str, as_json: bool) -> None:
    """Show what a device type can do, and what its configuration is written from.

    \b
    Example:
      twinbore device show 9d9470de
    """
    from twinbore.cli import devices as verb

    sys.exit(verb.show_type(device_type, as_json))


@device.command()
@click.argument("connection", metavar="VPN-ID")
@click.argument("device_type", metavar="DEVICE-ID")
@click.option("--ike", type=click.Choice(list(IKE_VERSIONS)), help="[default: ikev2 where both sides can]")
@click.option(
    "--suite",
    type=click.Choice(["strongest", "recommended", "compatibility"]),
    default="strongest",
    show_default=True,
    help="recommended: no algorithm that is out of date, and ikev2. compatibility: the oldest that both sides can do.",
)
@click.option("--outside-interface", metavar="NAME", help="The device's interface to the Internet.")
@click.option("--inside-interface", metavar="NAME", help="The device's interface to your networks.")
@click.option("--announce", metavar="PREFIX", multiple=True, help="A network behind the device; may be repeated.")
@click.option("--nat", type=click.Choice(list(SWITCH)), help="Translate source addresses into the tunnels.")
@click.option("--behind-nat", type=click.Choice(list(SWITCH)), help="The device has a private outside address.")
@click.option("--preferred-tunnel", type=click.Choice(list(PREFERENCES)), help="Which tunnel traffic prefers.")
@click.option("--keys", type=click.Choice(list(KEY_FORMS)), help="How pre-shared keys are shown.")
@click.option("--language", type=click.Choice(list(LANGUAGES)), help="Of the comments.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a new file with mode 0600.  [default: standard output]",
)
@click.option("--check", is_flag=True, help="Only say whether the device can do it, and what would be negotiated.")
@state
def render(  # noqa: PLR0917 - click passes options by name
    connection: str,
    device_type: str,
    ike: str | None,
    suite: str,
    outside_interface: str | None,
    inside_interface: str | None,
    announce: tuple[str, ...],
    nat: str | None,
    behind_nat: str | None,
    preferred_tunnel: str | None,
    keys: str | None,
    language: str | None,
    output: Path | None,
    check: bool,
    state: Path,
) -> None:
    """Write the configuration of a device for a VPN connection, with the connection's real options.

    Options that are not given are those of the tags twinbore:device-… of the connection, or of its customer gateway.
    No prefix is announced to the cloud that was not asked for: --announce 0.0.0.0/0 announces a default route.

    \b
    Examples:
      twinbore device render vpn-0123456789abcdef0 9d9470de --announce 192.168.1.0/24 --output site.conf
      twinbore device render vpn-0123456789abcdef0 9d9470de --check
    """
    from twinbore.cli import devices as verb

    given = {
        "outside-interface": outside_interface,
        "inside-interface": inside_interface,
        "announce": " ".join(announce) or None,
        "nat": nat,
        "behind-nat": behind_nat,
        "preferred-tunnel": preferred_tunnel,
        "keys": keys,
        "language": language,
    }
    options = {name: value for name, value in given.items() if value is not None}
    sample_type = None if suite == "strongest" else suite
    sys.exit(
        verb.render(
            Paths(state.absolute()),
            connection,
            device_type,
            options,
            ike_version=ike,
            sample_type=sample_type,
            output=output,
            check=check,
        )
    )
