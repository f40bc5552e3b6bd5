"""ModifyVpnTunnelOptions and ModifyVpnTunnelCertificate."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import POOL_A, POOL_B, Service
from tests.contract.vpn import connect, connection, customer_gateway, described, refused, vpn_gateway
from twinbore.model.resources import TunnelTelemetry, VpnTunnel
from twinbore.planner.gateways import HostFacts
from twinbore.planner.plan import plan
from twinbore.store.snapshot import load_snapshot

FIRST, SECOND = POOL_A[0], POOL_B[0]


def values(*items: Any) -> list[dict[str, Any]]:
    return [{"Value": item} for item in items]


def modify(ec2: Any, identifier: str, options: dict[str, Any], address: str = FIRST, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = ec2.modify_vpn_tunnel_options(
        VpnConnectionId=identifier, VpnTunnelOutsideIpAddress=address, TunnelOptions=options, **more
    )["VpnConnection"]
    return made


def tunnels(shape: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shape["Options"]["TunnelOptions"]
    return found


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"TunnelInsideCidr": "169.254.100.4/30"}, {"TunnelInsideCidr": "169.254.100.4/30"}),
    ({"PreSharedKey": "a.new_key9"}, {"PreSharedKey": "a.new_key9"}),
    ({"Phase1LifetimeSeconds": 3601}, {"Phase1LifetimeSeconds": 3601}),
    ({"Phase2LifetimeSeconds": 900}, {"Phase2LifetimeSeconds": 900}),
    ({"RekeyMarginTimeSeconds": 60}, {"RekeyMarginTimeSeconds": 60}),
    ({"RekeyFuzzPercentage": 0}, {"RekeyFuzzPercentage": 0}),
    ({"ReplayWindowSize": 64}, {"ReplayWindowSize": 64}),
    ({"DPDTimeoutSeconds": 30}, {"DpdTimeoutSeconds": 30}),
    ({"DPDTimeoutAction": "none"}, {"DpdTimeoutAction": "none"}),
    ({"StartupAction": "start"}, {"StartupAction": "start"}),
    ({"EnableTunnelLifecycleControl": True}, {"EnableTunnelLifecycleControl": True}),
    ({"IKEVersions": values("ikev2")}, {"IkeVersions": values("ikev2")}),
    *(
        ({name: values(*chosen)}, {name: values(*chosen)})
        for phase in ("Phase1", "Phase2")
        for name, chosen in (
            (f"{phase}EncryptionAlgorithms", ("AES256", "AES128")),
            (f"{phase}IntegrityAlgorithms", ("SHA2-512",)),
            (f"{phase}DHGroupNumbers", (14, 20)),
        )
    ),
    (
        {"LogOptions": {"CloudWatchLogOptions": {"LogOutputFormat": "text"}}},
        {
            "LogOptions": {
                "CloudWatchLogOptions": {
                    "LogEnabled": False,
                    "LogOutputFormat": "text",
                    "BgpLogEnabled": False,
                    "BgpLogOutputFormat": "json",
                }
            }
        },
    ),
]


@pytest.mark.parametrize(("options", "expected"), OPTIONS, ids=lambda value: next(iter(value)))
def test_each_option_alone(service: Service, ec2: Any, options: dict[str, Any], expected: dict[str, Any]) -> None:
    """It changes, everything else and the other tunnel stay, and the connection is modifying until it is settled."""
    identifier = connection(service, ec2)
    before = described(ec2, identifier)
    answered = modify(ec2, identifier, options)
    assert answered["State"] == "modifying"
    assert answered["GatewayAssociationState"] == "associated"
    assert tunnels(answered) == [tunnels(before)[0] | expected, tunnels(before)[1]]
    assert described(ec2, identifier) == answered
    service.settle()
    after = described(ec2, identifier)
    assert after == answered | {"State": "available"}


def test_the_second_tunnel_alone(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    before = described(ec2, identifier)
    answered = modify(ec2, identifier, {"Phase2DHGroupNumbers": values(19)}, SECOND)
    assert tunnels(answered) == [tunnels(before)[0], tunnels(before)[1] | {"Phase2DHGroupNumbers": values(19)}]


def test_several_options_at_once_and_what_the_data_plane_gets(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    key = "another.key.of.ours"
    modify(
        ec2,
        identifier,
        {"PreSharedKey": key, "TunnelInsideCidr": "169.254.100.4/30", "Phase1LifetimeSeconds": 3601},
    )
    with service.database.read() as tx:
        host = plan(load_snapshot(tx), HostFacts(encapsulate=True))
    first, second = host.ipsec.tunnels
    assert (first.pre_shared_key, first.options.phase1_lifetime_seconds) == (key, 3601)
    assert (second.options.phase1_lifetime_seconds, second.replacements) == (28800, 0)
    assert host.esp.interfaces[0].address == "169.254.100.5/30"
    assert host.bgp.domains[0].sessions[0].peer_address == "169.254.100.6"


def test_the_customers_configuration_follows(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    answered = modify(
        ec2,
        identifier,
        {"PreSharedKey": "new.pre_shared", "Phase1LifetimeSeconds": 3601, "IKEVersions": values("ikev2")},
    )
    first = ET.fromstring(answered["CustomerGatewayConfiguration"]).find("ipsec_tunnel")
    assert first is not None
    assert first.findtext("ike/pre_shared_key") == "new.pre_shared"
    assert first.findtext("ike/lifetime") == "3601"


def test_the_same_again_changes_nothing(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    options = {"Phase2LifetimeSeconds": 1800, "PreSharedKey": "again.and.again"}
    modify(ec2, identifier, options)
    service.settle()
    before = service.dump()
    assert modify(ec2, identifier, options)["State"] == "available"
    assert modify(ec2, identifier, {"StartupAction": "add"})["State"] == "available"
    same = tunnels(described(ec2, identifier))[0]
    assert modify(ec2, identifier, {"TunnelInsideCidr": same["TunnelInsideCidr"]})["State"] == "available"
    assert service.dump() == before


def test_rules_hold_for_the_whole_of_the_options(service: Service, ec2: Any) -> None:
    """A phase 1 lifetime that is allowed by itself, but not with the phase 2 lifetime that stays."""
    identifier = connection(service, ec2)
    with refused(service, "InvalidParameterValue", "TunnelOptions.Phase2LifetimeSeconds", "3600", "3000"):
        modify(ec2, identifier, {"Phase1LifetimeSeconds": 3000})
    modify(ec2, identifier, {"Phase1LifetimeSeconds": 3000, "Phase2LifetimeSeconds": 2900})


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"TunnelInsideCidr": "169.254.0.0/30"}, "InvalidParameterValue", "TunnelOptions.TunnelInsideCidr"),
    ({"TunnelInsideCidr": "10.0.0.0/30"}, "InvalidParameterValue", "169.254.0.0/16"),
    ({"TunnelInsideIpv6Cidr": "fd00::/126"}, "InvalidParameterCombination", "TunnelOptions.TunnelInsideIpv6Cidr"),
    ({"PreSharedKey": "0startszero"}, "InvalidParameterValue", "TunnelOptions.PreSharedKey"),
    ({"PreSharedKey": "short"}, "InvalidParameterValue", "8 to 64"),
    ({"Phase1LifetimeSeconds": 899}, "InvalidParameterValue", "900 to 28800"),
    ({"Phase2LifetimeSeconds": 3601}, "InvalidParameterValue", "900 to 3600"),
    ({"RekeyMarginTimeSeconds": 1801}, "InvalidParameterValue", "RekeyMarginTimeSeconds"),
    ({"RekeyFuzzPercentage": 101}, "InvalidParameterValue", "0 to 100"),
    ({"ReplayWindowSize": 63}, "InvalidParameterValue", "64 to 2048"),
    ({"DPDTimeoutSeconds": 29}, "InvalidParameterValue", "DPDTimeoutSeconds"),
    ({"DPDTimeoutAction": "hold"}, "InvalidParameterValue", "clear, none, restart"),
    ({"StartupAction": "stop"}, "InvalidParameterValue", "add, start"),
    ({"IKEVersions": values("ikev3")}, "InvalidParameterValue", "TunnelOptions.IKEVersion"),
    ({"IKEVersions": values("ikev1"), "StartupAction": "start"}, "InvalidParameterValue", "ikev2"),
    ({"Phase1EncryptionAlgorithms": values("DES")}, "InvalidParameterValue", "Phase1EncryptionAlgorithm"),
    ({"Phase2EncryptionAlgorithms": values("DES")}, "InvalidParameterValue", "Phase2EncryptionAlgorithm"),
    ({"Phase1IntegrityAlgorithms": values("MD5")}, "InvalidParameterValue", "Phase1IntegrityAlgorithm"),
    ({"Phase2IntegrityAlgorithms": values("MD5")}, "InvalidParameterValue", "Phase2IntegrityAlgorithm"),
    ({"Phase1DHGroupNumbers": values(5)}, "InvalidParameterValue", "Phase1DHGroupNumber"),
    ({"Phase2DHGroupNumbers": values(1)}, "InvalidParameterValue", "Phase2DHGroupNumber"),
    (
        {"LogOptions": {"CloudWatchLogOptions": {"LogEnabled": True}}},
        "UnsupportedOperation",
        "TunnelOptions.LogOptions.CloudWatchLogOptions.LogEnabled",
    ),
    (
        {"LogOptions": {"CloudWatchLogOptions": {"BgpLogOutputFormat": "xml"}}},
        "InvalidParameterValue",
        "BgpLogOutputFormat",
    ),
]


@pytest.mark.parametrize(("options", "code", "word"), BAD, ids=lambda value: str(value)[:40])
def test_bad_options(service: Service, ec2: Any, options: dict[str, Any], code: str, word: str) -> None:
    identifier = connection(service, ec2)
    with refused(service, code, word):
        modify(ec2, identifier, options)


def test_an_inside_cidr_that_another_tunnel_of_the_gateway_has(service: Service, ec2: Any) -> None:
    gateway = vpn_gateway(ec2)
    made = connect(ec2, customer_gateway(ec2), gateway)
    other = connect(ec2, customer_gateway(ec2, IpAddress="192.0.2.20"), gateway)
    service.settle()
    identifier = made["VpnConnectionId"]
    for taken in (tunnels(made)[1], tunnels(other)[0]):
        cidr = taken["TunnelInsideCidr"]
        with refused(service, "InvalidParameterValue", "TunnelOptions.TunnelInsideCidr", cidr, gateway):
            modify(ec2, identifier, {"TunnelInsideCidr": cidr})


def test_the_sibling_of_a_connection_without_a_gateway(service: Service, ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), None)
    service.settle()
    cidr = tunnels(made)[1]["TunnelInsideCidr"]
    with refused(service, "InvalidParameterValue", cidr):
        modify(ec2, made["VpnConnectionId"], {"TunnelInsideCidr": cidr})
    assert modify(ec2, made["VpnConnectionId"], {"StartupAction": "start"})["State"] == "modifying"
    service.settle()
    assert described(ec2, made["VpnConnectionId"])["GatewayAssociationState"] == "not-associated"


def test_states_in_which_nothing_is_changed(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))["VpnConnectionId"]
    change = {"StartupAction": "start"}
    with refused(service, "InvalidVpnConnection.InvalidState", identifier, "pending", "available"):
        modify(ec2, identifier, change)
    service.settle()
    modify(ec2, identifier, change)
    with refused(service, "InvalidVpnConnection.InvalidState", "modifying"):
        modify(ec2, identifier, {"StartupAction": "add"})
    ec2.delete_vpn_connection(VpnConnectionId=identifier)
    with refused(service, "InvalidVpnConnection.InvalidState", "deleting"):
        modify(ec2, identifier, change)
    service.settle()
    with refused(service, "InvalidVpnConnectionID.NotFound", identifier):
        modify(ec2, identifier, change)


def test_tunnels_and_connections_that_do_not_exist(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with refused(service, "InvalidParameterValue", "VpnTunnelOutsideIpAddress", "203.0.113.99", FIRST, SECOND):
        modify(ec2, identifier, {"StartupAction": "start"}, "203.0.113.99")
    with refused(service, "InvalidVpnConnectionID.NotFound"):
        modify(ec2, "vpn-0123456789abcdef0", {"StartupAction": "start"})
    with refused(service, "InvalidVpnConnectionID"):
        modify(ec2, "vpc-0123456789abcdef0", {"StartupAction": "start"})


def test_a_request_without_options(service: Service, ec2: Any) -> None:
    """An empty structure, and so an empty list, is nothing on the wire."""
    identifier = connection(service, ec2)
    with refused(service, "MissingParameter", "TunnelOptions"):
        modify(ec2, identifier, {})
    with refused(service, "MissingParameter", "TunnelOptions"):
        modify(ec2, identifier, {"IKEVersions": []})


def test_storage_of_keys(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with refused(service, "InvalidParameterValue", "PreSharedKeyStorage", "Vault"):
        modify(ec2, identifier, {"StartupAction": "start"}, PreSharedKeyStorage="Vault")
    modify(ec2, identifier, {"StartupAction": "start"}, PreSharedKeyStorage="Standard")


def replacements(service: Service, identifier: str) -> list[int]:
    with service.database.read() as tx:
        rows = sorted(tx.all(VpnTunnel, connection_id=identifier), key=lambda t: t.index)
    return [row.replacements for row in rows]


def test_lifecycle_control_replaces_the_tunnel_unless_it_is_skipped(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    turn = [{"EnableTunnelLifecycleControl": on} for on in (True, False)]
    for skip, expected in ((True, [0, 0]), (False, [2, 0])):
        for change in turn:
            modify(ec2, identifier, change, SkipTunnelReplacement=skip)
            service.settle()
        assert replacements(service, identifier) == expected
    modify(ec2, identifier, {"EnableTunnelLifecycleControl": False})
    assert replacements(service, identifier) == [2, 0]


@pytest.mark.parametrize("options", [{"StartupAction": "start"}, {"StartupAction": "start"} | {
    "EnableTunnelLifecycleControl": True}], ids=["without", "with"])  # fmt: skip
def test_a_replacement_can_be_skipped_for_lifecycle_control_only(
    service: Service, ec2: Any, options: dict[str, Any]
) -> None:
    identifier = connection(service, ec2)
    with refused(service, "InvalidParameterCombination", "SkipTunnelReplacement", "EnableTunnelLifecycleControl"):
        modify(ec2, identifier, options, SkipTunnelReplacement=True)


def test_pending_maintenance_is_not_skipped(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    modify(ec2, identifier, {"EnableTunnelLifecycleControl": True}, SkipTunnelReplacement=True)
    service.settle()
    with service.database.write() as tx:
        row = tx.get(TunnelTelemetry, f"{identifier}-1")
        assert row is not None
        tx.update(row, maintenance_pending=True)
    with refused(service, "InvalidParameterCombination", "SkipTunnelReplacement", "pending"):
        modify(ec2, identifier, {"EnableTunnelLifecycleControl": False}, SkipTunnelReplacement=True)
    modify(ec2, identifier, {"EnableTunnelLifecycleControl": False})
    assert replacements(service, identifier) == [1, 0]


def test_create_after_a_change(service: Service, ec2: Any) -> None:
    """The connection is what it is now: the request that made it wants something else by then."""
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    identifier = connect(ec2, customer, gateway)["VpnConnectionId"]
    service.settle()
    modify(ec2, identifier, {"Phase2LifetimeSeconds": 1800})
    wanted = {"TunnelOptions": [{"Phase2LifetimeSeconds": 1800}]}
    for _ in ("modifying", "available"):
        assert connect(ec2, customer, gateway, Options=wanted)["VpnConnectionId"] == identifier
        with refused(service, "InvalidOption.Conflict", identifier):
            connect(ec2, customer, gateway)
        service.settle()


def test_a_dry_run_checks_and_changes_nothing(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with refused(service, "DryRunOperation"):
        modify(ec2, identifier, {"StartupAction": "start"}, DryRun=True)
    with refused(service, "InvalidParameterValue"):
        modify(ec2, identifier, {"StartupAction": "stop"}, DryRun=True)


def test_a_tunnel_with_a_key_has_no_certificate_to_change(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with refused(service, "UnsupportedOperation", "pre-shared key", "ModifyVpnTunnelOptions", FIRST):
        ec2.modify_vpn_tunnel_certificate(VpnConnectionId=identifier, VpnTunnelOutsideIpAddress=FIRST)
    with refused(service, "InvalidParameterValue", "VpnTunnelOutsideIpAddress"):
        ec2.modify_vpn_tunnel_certificate(VpnConnectionId=identifier, VpnTunnelOutsideIpAddress="192.0.2.1")
    with refused(service, "InvalidVpnConnectionID.NotFound"):
        ec2.modify_vpn_tunnel_certificate(VpnConnectionId="vpn-0123456789abcdef0", VpnTunnelOutsideIpAddress=FIRST)


def test_a_tunnel_that_cannot_be_what_it_shall_be_says_so(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with service.database.write() as tx:
        row = tx.get(TunnelTelemetry, f"{identifier}-1")
        assert row is not None
        tx.update(row, failure="none of these groups can be had")
    status = ec2.get_active_vpn_tunnel_status(VpnConnectionId=identifier, VpnTunnelOutsideIpAddress=FIRST)
    assert status["ActiveVpnTunnelStatus"] == {
        "ProvisioningStatus": "failed",
        "ProvisioningStatusReason": "none of these groups can be had",
    }


def test_while_modifying_the_rest_goes_on(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    modify(ec2, identifier, {"StartupAction": "start"})
    shape = described(ec2, identifier)
    assert shape["CustomerGatewayConfiguration"]
    status = ec2.get_active_vpn_tunnel_status(VpnConnectionId=identifier, VpnTunnelOutsideIpAddress=FIRST)
    assert status["ActiveVpnTunnelStatus"] == {"ProvisioningStatus": "pending"}
    found = ec2.describe_vpn_connections(Filters=[{"Name": "state", "Values": ["modifying"]}])["VpnConnections"]
    assert [c["VpnConnectionId"] for c in found] == [identifier]
    with pytest.raises(ClientError) as caught:
        ec2.attach_vpn_gateway(
            VpnGatewayId=shape["VpnGatewayId"], VpcId=ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        )
    assert "pending VPNs" in caught.value.response["Error"]["Message"]
