"""CreateVpnConnection, DescribeVpnConnections, DeleteVpnConnection."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any

import botocore.session
import pytest

from tests.contract.conftest import POOL_A, POOL_B, Service, now
from tests.contract.vpn import (
    ADDRESS,
    connect,
    connection,
    customer_gateway,
    described,
    foreign,
    refused,
    vpn_gateway,
)
from twinbore.agent import lifecycle
from twinbore.model import resources as r
from twinbore.model.addressing import inside_cidr_problem
from twinbore.model.extensions import bfd_of
from twinbore.model.options import PRE_SHARED_KEY
from twinbore.model.settings import Quotas, Settings
from twinbore.store.snapshot import load_snapshot


@pytest.fixture
def settings() -> Settings:
    quotas = Quotas(vpn_connections=4, vpn_connections_per_vpn_gateway=2)
    return Settings(outside_pool_a=POOL_A, outside_pool_b=POOL_B, quotas=quotas)


def tags(**given: str) -> list[dict[str, Any]]:
    pairs = [{"Key": key.replace("__", ":"), "Value": value} for key, value in given.items()]
    return [{"ResourceType": "vpn-connection", "Tags": pairs}]


def tunnel_options(shape: dict[str, Any]) -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = shape["Options"]["TunnelOptions"]
    return options


def test_a_new_connection_has_every_default(ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    made = connect(ec2, customer, gateway)
    scalars = {k: v for k, v in made.items() if isinstance(v, str) and k != "CustomerGatewayConfiguration"}
    assert scalars == {
        "VpnConnectionId": made["VpnConnectionId"],
        "State": "pending",
        "Type": "ipsec.1",
        "CustomerGatewayId": customer,
        "VpnGatewayId": gateway,
        "Category": "VPN",
        "GatewayAssociationState": "associating",
    }
    assert made["Routes"] == made["Tags"] == []
    options = {k: v for k, v in made["Options"].items() if k != "TunnelOptions"}
    assert options == {
        "EnableAcceleration": False,
        "StaticRoutesOnly": False,
        "LocalIpv4NetworkCidr": "0.0.0.0/0",
        "RemoteIpv4NetworkCidr": "0.0.0.0/0",
        "OutsideIpAddressType": "PublicIpv4",
        "TunnelInsideIpVersion": "ipv4",
        "TunnelBandwidth": "standard",
    }


def test_the_two_tunnels_of_a_new_connection(ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))
    first, second = tunnel_options(made)
    assert (first["OutsideIpAddress"], second["OutsideIpAddress"]) == (POOL_A[0], POOL_B[0])
    assert first["TunnelInsideCidr"] != second["TunnelInsideCidr"]
    assert first["PreSharedKey"] != second["PreSharedKey"]
    for tunnel in (first, second):
        assert inside_cidr_problem(tunnel["TunnelInsideCidr"]) is None
        assert len(tunnel["PreSharedKey"]) == 32 and PRE_SHARED_KEY.match(tunnel["PreSharedKey"])
        assert tunnel["Phase1LifetimeSeconds"] == 28800
        assert tunnel["Phase2LifetimeSeconds"] == 3600
        assert tunnel["RekeyMarginTimeSeconds"] == 270
        assert tunnel["RekeyFuzzPercentage"] == 100
        assert tunnel["ReplayWindowSize"] == 1024
        assert (tunnel["DpdTimeoutSeconds"], tunnel["DpdTimeoutAction"]) == (40, "clear")
        assert tunnel["StartupAction"] == "add"
        assert tunnel["EnableTunnelLifecycleControl"] is False
        assert [v["Value"] for v in tunnel["IkeVersions"]] == ["ikev1", "ikev2"]
        assert [v["Value"] for v in tunnel["Phase1DHGroupNumbers"]] == [2, *range(14, 25)]
        assert [v["Value"] for v in tunnel["Phase2DHGroupNumbers"]] == [2, 5, *range(14, 25)]
        assert tunnel["LogOptions"]["CloudWatchLogOptions"]["LogEnabled"] is False


def test_telemetry_starts_down_in_the_order_of_the_tunnels(ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))
    assert [t["OutsideIpAddress"] for t in made["VgwTelemetry"]] == [POOL_A[0], POOL_B[0]]
    for row in made["VgwTelemetry"]:
        assert (row["Status"], row["StatusMessage"], row["AcceptedRouteCount"]) == ("DOWN", "IPSEC IS DOWN", 0)
        assert abs(now() - row["LastStatusChange"]) < timedelta(minutes=1)


def test_describe_shows_what_create_answered(service: Service, ec2: Any) -> None:
    made = connect(
        ec2, customer_gateway(ec2), vpn_gateway(ec2), TagSpecifications=tags(Name="site", twinbore__bfd="on")
    )
    assert described(ec2, made["VpnConnectionId"]) == made
    service.settle()
    available = {"State": "available", "GatewayAssociationState": "associated"}
    assert described(ec2, made["VpnConnectionId"]) == made | available


def test_the_configuration_document_has_the_connections_own_values(ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2, BgpAsn=65010), vpn_gateway(ec2, AmazonSideAsn=64600)
    made = connect(ec2, customer, gateway)
    root = ET.fromstring(made["CustomerGatewayConfiguration"])
    assert root.get("id") == made["VpnConnectionId"]
    assert (root.findtext("customer_gateway_id"), root.findtext("vpn_gateway_id")) == (customer, gateway)
    for element, tunnel in zip(root.findall("ipsec_tunnel"), tunnel_options(made), strict=True):
        assert element.findtext("vpn_gateway/tunnel_outside_address/ip_address") == tunnel["OutsideIpAddress"]
        assert element.findtext("customer_gateway/tunnel_outside_address/ip_address") == ADDRESS
        assert element.findtext("ike/pre_shared_key") == tunnel["PreSharedKey"]
        assert element.findtext("customer_gateway/bgp/asn") == "65010"
        assert element.findtext("vpn_gateway/bgp/asn") == "64600"


def test_every_option_given_is_in_force(ec2: Any) -> None:
    given = {
        "TunnelInsideCidr": "169.254.20.0/30",
        "PreSharedKey": "my.own_key1",
        "Phase1LifetimeSeconds": 14400,
        "Phase2LifetimeSeconds": 1800,
        "RekeyMarginTimeSeconds": 120,
        "RekeyFuzzPercentage": 50,
        "ReplayWindowSize": 128,
        "DPDTimeoutSeconds": 60,
        "DPDTimeoutAction": "restart",
        "StartupAction": "start",
        "EnableTunnelLifecycleControl": True,
        "IKEVersions": [{"Value": "ikev2"}],
        "Phase1EncryptionAlgorithms": [{"Value": "AES256-GCM-16"}],
        "Phase2EncryptionAlgorithms": [{"Value": "AES256"}],
        "Phase1IntegrityAlgorithms": [{"Value": "SHA2-384"}],
        "Phase2IntegrityAlgorithms": [{"Value": "SHA2-256"}],
        "Phase1DHGroupNumbers": [{"Value": 20}],
        "Phase2DHGroupNumbers": [{"Value": 21}, {"Value": 5}],
        "LogOptions": {"CloudWatchLogOptions": {"LogEnabled": False, "LogOutputFormat": "text"}},
    }
    made = connect(
        ec2,
        customer_gateway(ec2),
        vpn_gateway(ec2),
        Options={
            "StaticRoutesOnly": True,
            "LocalIpv4NetworkCidr": "192.168.0.0/16",
            "RemoteIpv4NetworkCidr": "10.0.0.0/8",
            "TunnelOptions": [{}, given],
        },
    )
    assert made["Options"]["StaticRoutesOnly"] is True
    assert made["Options"]["LocalIpv4NetworkCidr"] == "192.168.0.0/16"
    assert made["Options"]["RemoteIpv4NetworkCidr"] == "10.0.0.0/8"
    second = tunnel_options(made)[1]
    spelling = {"DPDTimeoutSeconds": "DpdTimeoutSeconds", "DPDTimeoutAction": "DpdTimeoutAction"}
    spelling["IKEVersions"] = "IkeVersions"
    for name, value in given.items():
        if name != "LogOptions":
            assert second[spelling.get(name, name)] == value, name
    assert second["LogOptions"]["CloudWatchLogOptions"]["LogOutputFormat"] == "text"
    assert tunnel_options(made)[0]["Phase1LifetimeSeconds"] == 28800


def test_what_is_stored_is_what_the_data_plane_gets(service: Service, ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2), TagSpecifications=tags(twinbore__bfd="100x5"))
    with service.database.read() as tx:
        snapshot = load_snapshot(tx)
    assert [t.if_id for t in snapshot.tunnels] == [1001, 1002]
    keys = [t["PreSharedKey"] for t in tunnel_options(made)]
    assert [snapshot.pre_shared_keys[f"{made['VpnConnectionId']}-{index}"] for index in (1, 2)] == keys
    timers = bfd_of(snapshot.extensions[made["VpnConnectionId"]])
    assert timers is not None and (timers.interval_ms, timers.multiplier) == (100, 5)
    stored = repr(service.dump())
    assert not any(key in stored for key in keys)


def test_bfd_can_be_changed_by_tagging(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with refused(service, "InvalidParameterValue", "twinbore:bfd", "(fast)", "50 to 10000"):
        ec2.create_tags(Resources=[identifier], Tags=[{"Key": "twinbore:bfd", "Value": "fast"}])
    ec2.create_tags(Resources=[identifier], Tags=[{"Key": "twinbore:bfd", "Value": "50x20"}])
    with service.database.read() as tx:
        timers = bfd_of(load_snapshot(tx).extensions[identifier])
    assert timers is not None and (timers.interval_ms, timers.multiplier) == (50, 20)


def test_keys_are_not_logged(capsys: pytest.CaptureFixture[str], service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    with refused(service, "InvalidParameterValue"):
        connect(ec2, customer, gateway, Options={"TunnelOptions": [{"PreSharedKey": "not-allowed-key"}]})
    made = connect(ec2, customer, gateway, Options={"TunnelOptions": [{"PreSharedKey": "my.own_key1"}]})
    ec2.describe_vpn_connections()
    logged = "".join(capsys.readouterr())
    assert "CreateVpnConnection" in logged
    keys = [tunnel["PreSharedKey"] for tunnel in tunnel_options(made)]
    assert not [key for key in (*keys, "not-allowed-key") if key in logged]


def test_a_connection_without_a_target_gateway_is_not_associated(service: Service, ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), None)
    assert made["GatewayAssociationState"] == "not-associated"
    assert "VpnGatewayId" not in made
    assert "<vpn_gateway_id></vpn_gateway_id>" in made["CustomerGatewayConfiguration"]
    service.settle()
    assert described(ec2, made["VpnConnectionId"])["State"] == "available"


def test_repeating_a_request_answers_with_the_same_connection(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    options = {"TunnelOptions": [{"TunnelInsideCidr": "169.254.20.0/30", "PreSharedKey": "my.own_key1"}]}
    first = connect(ec2, customer, gateway, Options=options, TagSpecifications=tags(twinbore__bfd="on"))
    before = service.dump()
    assert connect(ec2, customer, gateway, Options=options, TagSpecifications=tags(twinbore__bfd="300x3")) == first
    assert connect(ec2, customer, gateway, TagSpecifications=tags(twinbore__bfd="on")) == first
    assert service.dump() == before


@pytest.mark.parametrize(
    "change",
    [
        {"Options": {"StaticRoutesOnly": True}},
        {"Options": {"LocalIpv4NetworkCidr": "192.168.0.0/16"}},
        {"Options": {"TunnelOptions": [{}, {"DPDTimeoutSeconds": 60}]}},
        {"Options": {"TunnelOptions": [{"TunnelInsideCidr": "169.254.99.0/30"}]}},
        {"Options": {"TunnelOptions": [{"PreSharedKey": "another.key"}]}},
        {"TagSpecifications": tags(twinbore__bfd="on")},
    ],
)
def test_a_second_connection_between_the_same_gateways_conflicts(
    service: Service, ec2: Any, change: dict[str, Any]
) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    first = connect(ec2, customer, gateway)["VpnConnectionId"]
    with refused(service, "InvalidOption.Conflict", "already exists", first):
        connect(ec2, customer, gateway, **change)


def test_a_repeated_request_is_still_validated(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    connect(ec2, customer, gateway)
    with refused(service, "InvalidParameterValue", "twinbore:bfd"):
        connect(ec2, customer, gateway, TagSpecifications=tags(twinbore__bfd="sometimes"))


def test_after_a_deletion_began_a_new_connection_can_be_made_at_other_addresses(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    first = connect(ec2, customer, gateway)
    ec2.delete_vpn_connection(VpnConnectionId=first["VpnConnectionId"])
    second = connect(ec2, customer, gateway)
    assert second["VpnConnectionId"] != first["VpnConnectionId"]
    assert [t["OutsideIpAddress"] for t in tunnel_options(second)] == [POOL_A[1], POOL_B[1]]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"Type": "ipsec.2"}, "InvalidParameterValue", ["Type"]),
        ({"TransitGatewayId": "tgw-0123456789abcdef0"}, "InvalidParameterCombination", ["TransitGatewayId"]),
        ({"VpnConcentratorId": "vcn-0123456789abcdef0"}, "InvalidParameterCombination", ["VpnConcentratorId"]),
        ({"PreSharedKeyStorage": "SecretsManager"}, "UnsupportedOperation", ["SecretsManager", "Standard"]),
        ({"Options": {"EnableAcceleration": True}}, "InvalidParameterCombination", ["EnableAcceleration"]),
        ({"Options": {"TunnelInsideIpVersion": "ipv6"}}, "InvalidParameterCombination", ["TunnelInsideIpVersion"]),
        ({"Options": {"OutsideIpAddressType": "Ipv6"}}, "InvalidParameterCombination", ["OutsideIpAddressType"]),
        ({"Options": {"TunnelBandwidth": "large"}}, "InvalidParameterCombination", ["TunnelBandwidth"]),
        ({"Options": {"LocalIpv4NetworkCidr": "10.0.0.1/8"}}, "InvalidParameterValue", ["10.0.0.0/8"]),
        (
            {"Options": {"TunnelOptions": [{"Phase1LifetimeSeconds": 60}]}},
            "InvalidParameterValue",
            ["TunnelOptions.1.Phase1LifetimeSeconds", "(60)", "900 to 28800"],
        ),
        (
            {"Options": {"TunnelOptions": [{}, {"TunnelInsideCidr": "169.254.5.0/30"}]}},
            "InvalidParameterValue",
            ["TunnelOptions.2.TunnelInsideCidr", "169.254.5.0/30", "reserved"],
        ),
        (
            {"Options": {"TunnelOptions": [{"PreSharedKey": "0bad.key"}]}},
            "InvalidParameterValue",
            ["TunnelOptions.1.PreSharedKey", "must not start with zero"],
        ),
        (
            {
                "Options": {
                    "TunnelOptions": [
                        {
                            "Phase1AdditionalKeyExchanges": [
                                {"AdditionalKeyExchangeRound": 1, "KeyExchangeMethods": [{"Value": 36}]}
                            ]
                        }
                    ]
                }
            },
            "UnsupportedOperation",
            ["TunnelOptions.1.Phase1AdditionalKeyExchange"],
        ),
        ({"TagSpecifications": tags(twinbore__bfd="10x3")}, "InvalidParameterValue", ["twinbore:bfd", "50 to 10000"]),
        ({"TagSpecifications": tags(twinbore__bdf="on")}, "InvalidParameterValue", ["twinbore:bdf", "twinbore:bfd"]),
        (
            {"TagSpecifications": tags(twinbore__bfd="on"), "Options": {"StaticRoutesOnly": True}},
            "InvalidParameterCombination",
            ["twinbore:bfd", "StaticRoutesOnly"],
        ),
        ({"CustomerGatewayId": "cgw-0123456789abcdef0"}, "InvalidCustomerGatewayID.NotFound", ["cgw-0123"]),
        ({"CustomerGatewayId": "cgw-1"}, "InvalidCustomerGatewayId.Malformed", ["cgw-1"]),
        ({"VpnGatewayId": "vgw-0123456789abcdef0"}, "InvalidVpnGatewayID.NotFound", ["vgw-0123"]),
        ({"VpnGatewayId": "vgw-1"}, "InvalidVpnGatewayId.Malformed", ["vgw-1"]),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    service: Service, ec2: Any, change: dict[str, Any], code: str, words: list[str]
) -> None:
    request = {"CustomerGatewayId": customer_gateway(ec2), "VpnGatewayId": vpn_gateway(ec2)} | change
    with refused(service, code, *words):
        connect(ec2, request.pop("CustomerGatewayId"), request.pop("VpnGatewayId"), **request)


def test_equal_asns_are_refused_for_bgp_and_do_not_matter_for_static_routes(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2, BgpAsn=64512), vpn_gateway(ec2)
    words = "The ASN of the specified customer gateway and virtual private gateway are the same"
    with refused(service, "InvalidParameterCombination", words, "64512"):
        connect(ec2, customer, gateway)
    connect(ec2, customer, gateway, Options={"StaticRoutesOnly": True})


def test_a_deleted_customer_gateway_cannot_be_used(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    ec2.delete_customer_gateway(CustomerGatewayId=customer)
    with refused(service, "InvalidCustomerGatewayID.NotFound", customer):
        connect(ec2, customer, gateway)


def test_a_customer_gateway_at_our_own_address_is_refused(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2, IpAddress=POOL_B[5]), vpn_gateway(ec2)
    with refused(service, "InvalidCustomerGateway.DuplicateIpAddress", POOL_B[5]):
        connect(ec2, customer, gateway)


def test_inside_cidrs_are_unique_on_a_gateway_only(service: Service, ec2: Any) -> None:
    gateway, other = vpn_gateway(ec2), vpn_gateway(ec2)
    customers = [customer_gateway(ec2, BgpAsn=65000 + n) for n in range(2)]
    options = {"TunnelOptions": [{}, {"TunnelInsideCidr": "169.254.20.0/30"}]}
    first = connect(ec2, customers[0], gateway, Options=options)["VpnConnectionId"]
    with refused(service, "InvalidParameterValue", "TunnelOptions.2.TunnelInsideCidr", "169.254.20.0/30", first):
        connect(ec2, customers[1], gateway, Options=options)
    assert (
        tunnel_options(connect(ec2, customers[1], other, Options=options))[1]["TunnelInsideCidr"] == "169.254.20.0/30"
    )


def test_addresses_of_ones_own_while_they_last(ec2: Any) -> None:
    gateway = vpn_gateway(ec2)
    made = [connect(ec2, customer_gateway(ec2, IpAddress=f"192.0.2.{n}"), gateway) for n in (1, 2)]
    assert [[t["OutsideIpAddress"] for t in tunnel_options(m)] for m in made] == [
        [POOL_A[0], POOL_B[0]],
        [POOL_A[1], POOL_B[1]],
    ]


def test_quotas(service: Service, ec2: Any) -> None:
    gateways = [vpn_gateway(ec2) for _ in range(3)]
    customers = [customer_gateway(ec2, BgpAsn=65000 + n) for n in range(3)]
    made = [connect(ec2, customers[n], gateways[0]) for n in range(2)]
    with refused(service, "VpnConnectionLimitExceeded", gateways[0], "(2)"):
        connect(ec2, customers[2], gateways[0])
    for n in range(2):
        connect(ec2, customers[n], gateways[1])
    with refused(service, "VpnConnectionLimitExceeded", "(4)"):
        connect(ec2, customers[2], gateways[2])
    assert connect(ec2, customers[0], gateways[0]) == made[0]
    ec2.delete_vpn_connection(VpnConnectionId=made[0]["VpnConnectionId"])
    with refused(service, "VpnConnectionLimitExceeded", "(4)"):
        connect(ec2, customers[2], gateways[2])
    service.settle()
    connect(ec2, customers[2], gateways[2])


def test_dry_run_changes_nothing(service: Service, ec2: Any) -> None:
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    with refused(service, "DryRunOperation"):
        connect(ec2, customer, gateway, DryRun=True)


def test_the_whole_life(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    ec2.delete_vpn_connection(VpnConnectionId=identifier)
    deleting = described(ec2, identifier)
    assert (deleting["State"], deleting["GatewayAssociationState"]) == ("deleting", "disassociating")
    assert "CustomerGatewayConfiguration" not in deleting
    before = service.dump()
    ec2.delete_vpn_connection(VpnConnectionId=identifier)
    assert service.dump() == before
    service.settle()
    deleted = described(ec2, identifier)
    assert (deleted["State"], deleted["GatewayAssociationState"]) == ("deleted", "not-associated")
    assert "CustomerGatewayConfiguration" not in deleted
    assert all("PreSharedKey" not in tunnel for tunnel in tunnel_options(deleted))
    assert [(t["OutsideIpAddress"], t["Status"]) for t in deleted["VgwTelemetry"]] == [
        (POOL_A[0], "DOWN"),
        (POOL_B[0], "DOWN"),
    ]
    with refused(service, "InvalidVpnConnectionID.NotFound", identifier):
        ec2.delete_vpn_connection(VpnConnectionId=identifier)
    with service.database.write() as tx:
        lifecycle.purge(tx, now() + timedelta(hours=2), timedelta(hours=1))
    with refused(service, "InvalidVpnConnectionID.NotFound", identifier):
        described(ec2, identifier)


def test_after_everything_was_deleted_and_its_time_is_over_nothing_is_left(service: Service, ec2: Any) -> None:
    before = service.dump()
    customer, gateway = customer_gateway(ec2), vpn_gateway(ec2)
    network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=network)["RouteTable"]["RouteTableId"]
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    made = connect(ec2, customer, gateway, Options={"StaticRoutesOnly": True}, TagSpecifications=tags(Name="site"))[
        "VpnConnectionId"
    ]
    service.settle()
    ec2.create_vpn_connection_route(VpnConnectionId=made, DestinationCidrBlock="192.168.7.0/24")
    service.settle()
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=network)
    ec2.delete_vpn_connection(VpnConnectionId=made)
    service.settle()
    ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    ec2.delete_customer_gateway(CustomerGatewayId=customer)
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_vpc(VpcId=network)
    service.settle()
    with service.database.write() as tx:
        lifecycle.purge(tx, now() + timedelta(hours=2), timedelta(hours=1))
    after = service.dump()
    assert {name: rows for name, rows in after.items() if name != "counters" and rows != before[name]} == {}


def test_a_pending_connection_can_be_deleted(service: Service, ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))["VpnConnectionId"]
    ec2.delete_vpn_connection(VpnConnectionId=made)
    service.settle()
    assert described(ec2, made)["State"] == "deleted"


def test_telemetry_is_shown_as_recorded(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    changed = now().replace(microsecond=0)
    with service.database.write() as tx:
        row = tx.get(r.TunnelTelemetry, f"{identifier}-2")
        assert row is not None
        tx.update(row, status="UP", status_message="3 BGP ROUTES", accepted_route_count=3, last_status_change=changed)
    first, second = described(ec2, identifier)["VgwTelemetry"]
    assert first["Status"] == "DOWN"
    assert second == {
        "OutsideIpAddress": POOL_B[0],
        "Status": "UP",
        "StatusMessage": "3 BGP ROUTES",
        "AcceptedRouteCount": 3,
        "LastStatusChange": changed,
    }


def test_every_filter_finds_the_one(service: Service, ec2: Any) -> None:
    connection(service, ec2)
    customer, gateway = customer_gateway(ec2, BgpAsn=65001), vpn_gateway(ec2)
    static = {"StaticRoutesOnly": True}
    wanted = connect(ec2, customer, gateway, Options=static, TagSpecifications=tags(Site="north"))["VpnConnectionId"]
    pending = ec2.describe_vpn_connections(Filters=[{"Name": "state", "Values": ["pending"]}])["VpnConnections"]
    assert [c["VpnConnectionId"] for c in pending] == [wanted]
    service.settle()
    ec2.create_vpn_connection_route(VpnConnectionId=wanted, DestinationCidrBlock="192.168.7.0/24")
    for name, value in (
        ("bgp-asn", "65001"),
        ("customer-gateway-configuration", f'*<vpn_connection id="{wanted}">*'),
        ("customer-gateway-id", customer),
        ("option.static-routes-only", "true"),
        ("route.destination-cidr-block", "192.168.7.0/24"),
        ("vpn-connection-id", wanted),
        ("vpn-gateway-id", gateway),
        ("tag:Site", "north"),
        ("tag-key", "Site"),
    ):
        found = ec2.describe_vpn_connections(Filters=[{"Name": name, "Values": [value]}])["VpnConnections"]
        assert [c["VpnConnectionId"] for c in found] == [wanted], name
    for name, value, count in (("type", "ipsec.1", 2), ("transit-gateway-id", "*", 0), ("state", "available", 2)):
        found = ec2.describe_vpn_connections(Filters=[{"Name": name, "Values": [value]}])["VpnConnections"]
        assert len(found) == count, name


def test_every_filter_that_aws_documents_is_known(ec2: Any) -> None:
    model = botocore.session.get_session().get_service_model("ec2")
    text = model.operation_model("DescribeVpnConnections").input_shape.members["Filters"].documentation
    names = [n for n in re.findall(r"<code>([a-z.-]+)</code> -", text) if not n.startswith("tag")]
    assert len(names) >= 10
    for name in names:
        ec2.describe_vpn_connections(Filters=[{"Name": name, "Values": ["x"]}])


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("vpn-0123456789abcdef0", "InvalidVpnConnectionID.NotFound"),
        ("vpn-1", "InvalidVpnConnectionID"),
    ],
)
def test_ids_that_do_not_exist(service: Service, ec2: Any, identifier: str, code: str) -> None:
    with refused(service, code, identifier):
        described(ec2, identifier)
    with refused(service, code, identifier):
        ec2.delete_vpn_connection(VpnConnectionId=identifier)


def test_another_accounts_connection_does_not_exist(service: Service, ec2: Any) -> None:
    account = "210987654321"
    customer = foreign(
        service,
        r.CustomerGateway("cgw-0123456789abcdef0", account, "available", "ipsec.1", 65000, ADDRESS, None, None, now()),
    )
    with service.database.write() as tx:
        tx.insert(
            r.VpnConnection(
                "vpn-0123456789abcdef0",
                account,
                "available",
                "ipsec.1",
                customer,
                None,
                False,
                "0.0.0.0/0",
                "0.0.0.0/0",
                "PublicIpv4",
                "ipv4",
                "standard",
                "Standard",
                now(),
            )
        )
    assert ec2.describe_vpn_connections()["VpnConnections"] == []
    with refused(service, "InvalidCustomerGatewayID.NotFound", customer):
        connect(ec2, customer, None)
    with refused(service, "InvalidVpnConnectionID.NotFound", "vpn-0123456789abcdef0"):
        ec2.delete_vpn_connection(VpnConnectionId="vpn-0123456789abcdef0")


NOT_EMITTED = {
    "TransitGatewayId": "there are no transit gateways",
    "VpnConcentratorId": "there are no VPN concentrators",
    "CoreNetworkArn": "there is no Cloud WAN",
    "CoreNetworkAttachmentArn": "there is no Cloud WAN",
    "PreSharedKeyArn": "keys are never in Secrets Manager",
    "Options.LocalIpv6NetworkCidr": "tunnels carry IPv4",
    "Options.RemoteIpv6NetworkCidr": "tunnels carry IPv4",
    "Options.TransportTransitGatewayAttachmentId": "there are no transit gateways",
    "Options.TunnelOptions.TunnelInsideIpv6Cidr": "tunnels carry IPv4",
    "Options.TunnelOptions.LogOptions.CloudWatchLogOptions.LogGroupArn": "there are no log groups",
    "Options.TunnelOptions.LogOptions.CloudWatchLogOptions.BgpLogGroupArn": "there are no log groups",
    "Options.TunnelOptions.Phase1AdditionalKeyExchanges": "additional key exchanges are refused",
    "Options.TunnelOptions.Phase2AdditionalKeyExchanges": "additional key exchanges are refused",
    "VgwTelemetry.CertificateArn": "authentication is by pre-shared key",
}
"""Members of AWS's answer that are never there, each with the reason."""


def test_the_answer_has_every_member_of_the_model_but_a_few(service: Service, ec2: Any) -> None:
    options = {"StaticRoutesOnly": True}
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2), Options=options, TagSpecifications=tags(Name="x"))[
        "VpnConnectionId"
    ]
    service.settle()
    ec2.create_vpn_connection_route(VpnConnectionId=made, DestinationCidrBlock="192.168.7.0/24")
    model = botocore.session.get_session().get_service_model("ec2")
    shape = model.shape_for("VpnConnection")
    assert set(_missing(shape, described(ec2, made), "")) == set(NOT_EMITTED)


def _missing(shape: Any, value: Any, path: str) -> list[str]:
    """Paths of the model's members that `value` does not have; of a list, its first item is looked at."""
    if shape.type_name == "list":
        return _missing(shape.member, value[0], path)
    if shape.type_name != "structure":
        return []
    found: list[str] = []
    for name, member in shape.members.items():
        below = f"{path}.{name}" if path else name
        found += [below] if name not in value else _missing(member, value[name], below)
    return found
