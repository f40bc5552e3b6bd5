"""`twinbore export` and `import`: a connection moves to another installation with everything that its router knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.contract.conftest import Service, Stage, serving
from tests.contract.vpn import connect, customer_gateway, described, vpn_gateway
from twinbore.cli import config_file
from twinbore.cli.main import main
from twinbore.cli.paths import Paths
from twinbore.model import resources as r
from twinbore.model.settings import Settings

POOLS = Settings(outside_pool_a=("203.0.113.0/28",), outside_pool_b=("198.51.100.0/28",))


@pytest.fixture
def site(tmp_path: Path, stage: Stage, empty_store: bytes) -> Callable[..., Any]:
    """Makes the installation of a name: a context in which it is served."""

    def make(name: str, settings: Settings = POOLS) -> Any:
        state = tmp_path / name
        state.mkdir(exist_ok=True)
        paths = Paths(state)
        paths.master_key.write_bytes(b"k" * 32)
        paths.master_key.chmod(0o600)
        config_file.save(settings, paths.settings)
        return serving(state, settings, stage, empty_store)

    return make


def run(state: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, [*arguments, "--state", str(state)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def furnished(service: Service, ec2: Any, *, static: bool = False) -> str:
    """A connection with all that can be carried over; its id."""
    tunnels = [
        {
            "TunnelInsideCidr": "169.254.44.0/30",
            "PreSharedKey": "first_key.of_the_site",
            "IKEVersions": [{"Value": "ikev2"}],
            "Phase1DHGroupNumbers": [{"Value": 20}],
            "DPDTimeoutAction": "restart",
            "StartupAction": "start",
        },
        {"ReplayWindowSize": 128, "LogOptions": {"CloudWatchLogOptions": {"LogOutputFormat": "text"}}},
    ]
    options = {"StaticRoutesOnly": static, "LocalIpv4NetworkCidr": "192.168.0.0/16", "TunnelOptions": tunnels}
    tags = [{"Key": "Name", "Value": "site"}, {"Key": "twinbore:outside-address-1", "Value": "203.0.113.9"}]
    tags += [] if static else [{"Key": "twinbore:bfd", "Value": "100x3"}]
    customer = customer_gateway(
        ec2,
        BgpAsn=65010,
        DeviceName="edge",
        TagSpecifications=[{"ResourceType": "customer-gateway", "Tags": [{"Key": "Owner", "Value": "net"}]}],
    )
    made = connect(
        ec2,
        customer,
        vpn_gateway(ec2, AmazonSideAsn=64900),
        Options=options,
        TagSpecifications=[{"ResourceType": "vpn-connection", "Tags": tags}],
    )
    identifier = str(made["VpnConnectionId"])
    service.settle()
    with service.database.write() as tx:
        if static:
            return identifier
        tx.put_secret(f"{identifier}-2", "bgp_password", "s3cret")
    return identifier


def carried(shape: dict[str, Any]) -> dict[str, Any]:
    """What must be the same of a description there and here."""
    tags = sorted((tag["Key"], tag["Value"]) for tag in shape["Tags"])
    routes = sorted(route["DestinationCidrBlock"] for route in shape["Routes"])
    return {"Options": shape["Options"], "Tags": tags, "Routes": routes}


@pytest.mark.parametrize("static", [False, True])
def test_a_connection_moves_to_another_host_with_all_that_its_router_knows(
    site: Callable[..., Any], tmp_path: Path, static: bool
) -> None:
    file = tmp_path / "site.json"
    with site("old") as service:
        ec2 = service.client()
        identifier = furnished(service, ec2, static=static)
        if static:
            ec2.create_vpn_connection_route(VpnConnectionId=identifier, DestinationCidrBlock="192.168.7.0/24")
        before = described(ec2, identifier)
        status, text = run(tmp_path / "old", "export", identifier, "--output", str(file))
        assert (status, file.stat().st_mode & 0o777) == (0, 0o600), text
        assert "first_key.of_the_site" not in text
        status, text = run(tmp_path / "old", "export", identifier, "--output", str(file))
        assert status == 1 and "File exists" in text
        status, text = run(tmp_path / "old", "import", str(file))
        assert status == 1 and "nothing was imported" in text
    with site("new") as service:
        ec2 = service.client()
        target = vpn_gateway(ec2, AmazonSideAsn=64900)
        empty = service.dump()
        status, text = run(tmp_path / "new", "import", str(file), "--check")
        assert status == 0 and "nothing was changed" in text
        assert service.dump() == empty
        status, text = run(tmp_path / "new", "import", str(file))
        assert status == 0, text
        assert "203.0.113.9" in text and "twinbore up" in text and "first_key" not in text
        (shape,) = ec2.describe_vpn_connections()["VpnConnections"]
        assert carried(shape) == carried(before)
        assert shape["VpnGatewayId"] == target
        (customer,) = ec2.describe_customer_gateways()["CustomerGateways"]
        assert (customer["BgpAsn"], customer["DeviceName"], customer["Tags"]) == (
            "65010",
            "edge",
            [{"Key": "Owner", "Value": "net"}],
        )
        with service.database.read() as tx:
            second = tx.all(r.VpnTunnel)[1]
            assert tx.secret(second.id, "bgp_password") == (None if static else "s3cret")
        status, again = run(tmp_path / "new", "export", shape["VpnConnectionId"])
        assert {k: v for k, v in json.loads(again).items() if k != "source"} == {
            k: v for k, v in json.loads(file.read_text()).items() if k != "source"
        }


@pytest.fixture
def document(site: Callable[..., Any], tmp_path: Path) -> dict[str, Any]:
    with site("old") as service:
        identifier = furnished(service, service.client())
        found: dict[str, Any] = json.loads(run(tmp_path / "old", "export", identifier)[1])
        return found


def change(document: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    at: Any = document
    for name in parents:
        at = at[int(name) if name.isdigit() else name]
    at[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            "vpn_connection.tunnels.0.outside_address",
            "203.0.113.77",
            ["outside_pool_a", "203.0.113.77", "203.0.113.1,"],
        ),
        ("vpn_gateway.amazon_side_asn", 64901, ["ASN 64901", "none has", "--vpn-gateway"]),
        ("vpn_connection.request.Options.TunnelOptions.0.PreSharedKey", "short", ["PreSharedKey", "8 to 64"]),
        ("vpn_connection.request.Options.TunnelOptions.0.ReplayWindowSize", 1, ["ReplayWindowSize", "64 to 2048"]),
        ("vpn_connection.request.Options.TunnelOptions.0.Replay", 1, ["Replay"]),
        ("vpn_connection.request.Options", "none", ["Options"]),
        ("vpn_connection.request.DryRun", True, ["DryRun", "heeds"]),
        ("vpn_connection.tags", {"twinbore:bdf": "on"}, ["twinbore:bdf"]),
        ("vpn_connection.routes", ["10.0.0.0/8"], ["static route 10.0.0.0/8", "BGP"]),
        ("vpn_connection.tunnels.1.bgp_password", 'x"', ["BGP password of tunnel 2"]),
        ("customer_gateway.request.BgpAsn", 64900, ["ASN"]),
        ("customer_gateway.request.IpAddress", "203.0.113.3", ["own outside addresses"]),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_changes(
    site: Callable[..., Any], tmp_path: Path, document: dict[str, Any], path: str, value: Any, words: list[str]
) -> None:
    change(document, path, value)
    file = tmp_path / "site.json"
    file.write_text(json.dumps(document))
    with site("new") as service:
        vpn_gateway(service.client(), AmazonSideAsn=64900)
        before = service.dump()
        status, text = run(tmp_path / "new", "import", str(file))
        assert status == 1
        assert all(word in text for word in [*words, "nothing was imported"]), text
        assert service.dump() == before


def test_the_target_and_the_account_are_chosen(
    site: Callable[..., Any], tmp_path: Path, document: dict[str, Any]
) -> None:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(document))
    state = tmp_path / "new"
    with site("new") as service:
        ec2 = service.client()
        first, second, other = (vpn_gateway(ec2, AmazonSideAsn=asn) for asn in (64900, 64900, 64901))
        status, text = run(state, "import", str(file))
        assert status == 1 and f"2 have: {first}, {second}" in text
        status, text = run(state, "import", str(file), "--vpn-gateway", other)
        assert status == 1 and "has the ASN 64901" in text and "expects 64900" in text
        with service.database.write() as tx:
            mine = tx.all(r.Account)[0]
            tx.insert(r.Account("210987654321", mine.created_at))
        status, text = run(state, "import", str(file), "--vpn-gateway", second)
        assert status == 1 and "--account" in text and "210987654321" in text
        status, text = run(state, "import", str(file), "--vpn-gateway", second, "--account", mine.id)
        assert status == 0, text
        assert ec2.describe_vpn_connections()["VpnConnections"][0]["VpnGatewayId"] == second


def test_a_paused_connection_arrives_paused(site: Callable[..., Any], tmp_path: Path, document: dict[str, Any]) -> None:
    document["vpn_connection"]["paused"] = True
    file = tmp_path / "site.json"
    file.write_text(json.dumps(document))
    with site("new") as service:
        vpn_gateway(service.client(), AmazonSideAsn=64900)
        assert run(tmp_path / "new", "import", str(file))[0] == 0
        with service.database.read() as tx:
            assert [c.paused for c in tx.all(r.VpnConnection)] == [True]
