"""The `twinbore` command: verbs and their options; what each verb does stands in a module of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from twinbore import __version__
from twinbore.cli import access, device_verbs
from twinbore.cli.options import state as _state
from twinbore.cli.paths import Paths


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="twinbore")
def main() -> None:
    """A Site-to-Site VPN service with AWS's EC2 API, real IPsec tunnels, real BGP and a real data plane."""


main.add_command(access.key)
main.add_command(access.account)
main.add_command(device_verbs.device)


@main.command()
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file with settings (region, outside_pool_a, outside_pool_b, ...).",
)
@_state
@click.option("--listen", metavar="ADDR:PORT", help="Where the API listens.  [default: 127.0.0.1:4566]")
@click.option(
    "--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Serve HTTPS with this certificate chain."
)
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="The certificate's private key.")
@click.option("--insecure-listen", is_flag=True, help="Listen on other addresses than the loopback's without TLS.")
@click.option("--underlay", metavar="NETNS", help="Network namespace that owns the outside addresses.")
@click.option(
    "--engines",
    type=click.Choice(["real", "fake"]),
    help="fake: no root, no data plane; resources reach `available`, tunnels stay DOWN.  [default: real]",
)
@click.option("--verbose", is_flag=True, help="Log debug messages as well.")
def up(  # noqa: PLR0917 - click passes options by name
    config: Path | None,
    state: Path,
    listen: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure_listen: bool,
    underlay: str | None,
    engines: str | None,
    verbose: bool,
) -> None:
    """Run API, planner and agent in one process, in the foreground.

    Ending it (Ctrl-C, SIGTERM or a crash) leaves the tunnels running; the next start adopts them. `twinbore down`
    stops the data plane.
    """
    from twinbore.cli import up as verb

    paths = Paths(state.absolute())
    sys.exit(
        verb.run(
            paths,
            config,
            listen=listen,
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure_listen=insecure_listen,
            underlay=underlay,
            engines=engines,
            verbose=verbose,
        )
    )


@main.command()
@_state
def down(state: Path) -> None:
    """Stop the service and the data plane: tunnels, BGP, namespaces, processes. Resources stay in the database."""
    from twinbore.cli import down as verb

    sys.exit(verb.run(Paths(state.absolute())))


@main.command()
@_state
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def status(state: Path, as_json: bool) -> None:
    """Show VPN connections and their tunnels, with the reason in words for each that is down."""
    from twinbore.cli import status as verb

    sys.exit(verb.run(Paths(state.absolute()), as_json))


@main.command()
@click.option(
    "--config", "config", type=click.Path(path_type=Path, dir_okay=False), help="Check this configuration as well."
)
@_state
def doctor(config: Path | None, state: Path) -> None:
    """Say what this host can do, what is missing, and the command that mends it."""
    from twinbore.cli import doctor as verb

    sys.exit(verb.run(Paths(state.absolute()), config))


@main.command()
@click.argument("eni", metavar="ENI-ID")
@click.option("--netns", metavar="NAME", help="Network namespace of the workload (as in ip netns).")
@click.option("--tap", metavar="NAME", help="TAP device to create for a virtual machine.")
@click.option("--device", default="eth0", show_default=True, help="Interface name inside the workload's namespace.")
@_state
def plug(eni: str, netns: str | None, tap: str | None, device: str, state: Path) -> None:
    """Plug a network interface (eni-...) into a workload on this host."""
    from twinbore.cli import ports as verb

    if (netns is None) == (tap is None):
        raise click.UsageError("give either --netns NAME or --tap NAME")
    sys.exit(verb.plug(Paths(state.absolute()), eni, netns, tap, device))


@main.command()
@click.argument("eni", metavar="ENI-ID")
@_state
def unplug(eni: str, state: Path) -> None:
    """Unplug a network interface from its workload."""
    from twinbore.cli import ports as verb

    sys.exit(verb.unplug(Paths(state.absolute()), eni))


@main.command()
@click.argument("connection", metavar="VPN-ID")
@_state
def pause(connection: str, state: Path) -> None:
    """Take a VPN connection out of service: its tunnels go down in good order and stay down.

    The connection keeps its addresses, keys, options and routes, and stays paused when the service is started again.
    Its tunnels' StatusMessage says that it is paused. `twinbore resume` brings it back.

    \b
    Example:
      twinbore pause vpn-0123456789abcdef0
    """
    from twinbore.cli import connections as verb

    sys.exit(verb.pause(Paths(state.absolute()), connection))


@main.command()
@click.argument("connection", metavar="VPN-ID")
@_state
def resume(connection: str, state: Path) -> None:
    """Put a paused VPN connection back into service, with the same addresses and keys.

    A tunnel with StartupAction start is negotiated at once, another one when the customer's router calls.

    \b
    Example:
      twinbore resume vpn-0123456789abcdef0
    """
    from twinbore.cli import connections as verb

    sys.exit(verb.resume(Paths(state.absolute()), connection))


@main.command()
@click.argument("connection", metavar="VPN-ID")
@click.option("--tunnel", type=click.IntRange(1, 2), help="Only this tunnel's session.  [default: both]")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read the password from this file.  [default: standard input]",
)
@click.option("--remove", is_flag=True, help="The sessions have no password any more.")
@_state
def password(connection: str, tunnel: int | None, file: Path | None, remove: bool, state: Path) -> None:
    """Give the BGP sessions of a VPN connection a password (TCP MD5, RFC 2385), or remove it.

    The password is one line of standard input or of a file, kept encrypted like a pre-shared key, and never printed.
    Sample configurations for the customer's router have it from then on. A session whose password changes begins
    anew: change the router's at the same time.

    \b
    Example:
      openssl rand -hex 16 | tee /dev/tty | twinbore password vpn-0123456789abcdef0
    """
    from twinbore.cli import connections as verb

    if remove and file is not None:
        raise click.UsageError("give either --file PATH or --remove")
    sys.exit(verb.password(Paths(state.absolute()), connection, tunnel, file, remove))


@main.command("export")
@click.argument("connection", metavar="VPN-ID")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a new file with mode 0600.  [default: standard output]",
)
@_state
def export_connection(connection: str, output: Path | None, state: Path) -> None:
    """Write a VPN connection as JSON: keys, addresses, options, routes, tags, and its customer gateway.

    `twinbore import` makes the same connection from it, on another host or in another account. The keys are in clear
    text.

    \b
    Example:
      twinbore export vpn-0123456789abcdef0 --output site.json
    """
    from twinbore.cli import transfer as verb

    sys.exit(verb.write_out(Paths(state.absolute()), connection, output))


@main.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--vpn-gateway", metavar="VGW-ID", help="Its target.  [default: the only one with the ASN it had]")
@click.option("--account", metavar="ID", help="The account that gets it.  [default: the only one]")
@click.option("--check", is_flag=True, help="Only say whether it can be imported; change nothing.")
@_state
def import_connection(source: Path, vpn_gateway: str | None, account: str | None, check: bool, state: Path) -> None:
    """Make the VPN connection that `twinbore export` has written; a FILE of - is standard input.

    It gets the same keys, inside CIDRs and outside addresses, so that the customer's router need not be changed. The
    outside addresses must be in this host's pools and free. Where something cannot be had, the reason is told and
    nothing is changed.

    \b
    Example:
      twinbore import site.json --vpn-gateway vgw-0123456789abcdef0
    """
    from twinbore.cli import transfer as verb

    sys.exit(verb.read_in(Paths(state.absolute()), source, vpn_gateway, account, check=check))


@main.command()
@click.option("--keep", is_flag=True, help="Leave everything running at the end and print how to use it.")
@click.option("--client", type=click.Choice(["boto3", "cli"]), default="boto3", show_default=True)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for the demo's installation.  [default: a temporary one]",
)
def demo(keep: bool, client: str, state: Path | None) -> None:
    """Run the whole scenario in a lab of network namespaces, on real packets, and show each step."""
    from twinbore.lab import demo as verb

    sys.exit(verb.run(keep=keep, client=client, state=state))
