"""GetVpnConnectionDeviceTypes and GetVpnConnectionDeviceSampleConfiguration."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service, now
from tests.contract.vpn import connect, connection, customer_gateway, described, refused, vpc, vpn_gateway
from twinbore.api.accounts import SECRET_FIELD
from twinbore.devices.catalogue import DeviceType, device_types
from twinbore.model.resources import AccessKey

GENERIC = "9005b6c1"
FORTIOS = "9d9470de"


def sample(ec2: Any, identifier: str, **changes: Any) -> str:
    request = {"VpnConnectionId": identifier, "VpnConnectionDeviceTypeId": GENERIC} | changes
    answer = ec2.get_vpn_connection_device_sample_configuration(**request)
    return str(answer["VpnConnectionDeviceSampleConfiguration"])


def test_every_device_type_is_listed(ec2: Any) -> None:
    answer = ec2.get_vpn_connection_device_types()
    assert [
        (t["VpnConnectionDeviceTypeId"], t["Vendor"], t["Platform"], t["Software"])
        for t in answer["VpnConnectionDeviceTypes"]
    ] == [(d.id, d.vendor, d.platform, d.software) for d in device_types()]
    assert "NextToken" not in answer


def test_a_page_as_large_as_aws_allows_has_them_all(ec2: Any) -> None:
    answer = ec2.get_vpn_connection_device_types(MaxResults=200)
    assert len(answer["VpnConnectionDeviceTypes"]) == len(device_types())


def test_bad_pages_are_refused(service: Service, ec2: Any) -> None:
    with refused(service, "InvalidMaxResults", "(1001)"):
        ec2.get_vpn_connection_device_types(MaxResults=1001)
    with refused(service, "InvalidNextToken", "nonsense"):
        ec2.get_vpn_connection_device_types(NextToken="nonsense")


@pytest.mark.parametrize("device", device_types(), ids=lambda device: device.id)
def test_a_sample_has_the_connections_own_values(service: Service, ec2: Any, device: DeviceType) -> None:
    static = {"StaticRoutesOnly": True, "LocalIpv4NetworkCidr": "10.9.0.0/16", "RemoteIpv4NetworkCidr": "10.0.0.0/16"}
    identifier = connection(service, ec2, **({} if "bgp" in device.routing else {"Options": static}))
    text = sample(ec2, identifier, VpnConnectionDeviceTypeId=device.id)
    shape = described(ec2, identifier)
    assert identifier in text and shape["CustomerGatewayId"] in text and shape["VpnGatewayId"] in text
    for tunnel in shape["Options"]["TunnelOptions"]:
        assert tunnel["PreSharedKey"] in text
        assert tunnel["OutsideIpAddress"] in text


def test_a_pending_connection_has_one_already(ec2: Any) -> None:
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))
    assert made["VpnConnectionId"] in sample(ec2, made["VpnConnectionId"])


def test_the_default_ike_version_is_ikev2_where_permitted(service: Service, ec2: Any) -> None:
    gateway = vpn_gateway(ec2)
    both = connect(ec2, customer_gateway(ec2), gateway)["VpnConnectionId"]
    old = {"TunnelOptions": [{"IKEVersions": [{"Value": "ikev1"}]}] * 2}
    only_ikev1 = connect(ec2, customer_gateway(ec2, BgpAsn=65001), gateway, Options=old)["VpnConnectionId"]
    assert sample(ec2, both) == sample(ec2, both, InternetKeyExchangeVersion="ikev2")
    assert sample(ec2, only_ikev1) == sample(ec2, only_ikev1, InternetKeyExchangeVersion="ikev1")
    with refused(service, "InvalidParameterCombination", "ikev2", only_ikev1, "ikev1 only"):
        sample(ec2, only_ikev1, InternetKeyExchangeVersion="ikev2")


def test_without_a_sample_type_the_suite_is_the_strongest(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    text = sample(ec2, identifier)
    assert "AES256-GCM-16" in text
    assert "SHA1" not in text
    assert "SHA1" in sample(ec2, identifier, SampleType="compatibility")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"VpnConnectionDeviceTypeId": "00000000"}, "InvalidParameterValue", ["00000000", GENERIC]),
        ({"InternetKeyExchangeVersion": "ikev3"}, "InvalidParameterValue", ["ikev3", "ikev1, ikev2"]),
        ({"SampleType": "best"}, "InvalidParameterValue", ["best", "compatibility, recommended"]),
        (
            {"SampleType": "recommended", "InternetKeyExchangeVersion": "ikev1"},
            "UnsupportedOperationException",
            ["ikev2"],
        ),
        ({"VpnConnectionId": "vpn-0123456789abcdef0"}, "InvalidVpnConnectionID.NotFound", ["vpn-0123"]),
        ({"VpnConnectionId": "vpn-1"}, "InvalidVpnConnectionID", ["vpn-1"]),
    ],
)
def test_bad_input_is_refused(service: Service, ec2: Any, change: dict[str, str], code: str, words: list[str]) -> None:
    identifier = connection(service, ec2)
    with refused(service, code, *words):
        sample(ec2, identifier, **change)


def test_there_is_none_while_the_connection_is_being_deleted(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    ec2.delete_vpn_connection(VpnConnectionId=identifier)
    with refused(service, "InvalidVpnConnection.InvalidState", "deleting"):
        sample(ec2, identifier)
    service.settle()
    with refused(service, "InvalidVpnConnectionID.NotFound", identifier):
        sample(ec2, identifier)


def test_the_password_of_a_session_is_in_the_sample_and_hidden_from_who_may_not_set_keys(
    service: Service, ec2: Any
) -> None:
    identifier = connection(service, ec2)
    with service.database.write() as tx:
        tx.put_secret(f"{identifier}-1", "bgp_password", "s3cret")
        tx.insert(AccessKey("AKIAREADER", tx.all(AccessKey)[0].account_id, now(), role="read-only"))
        tx.put_secret("AKIAREADER", SECRET_FIELD, "reader")
    assert sample(ec2, identifier).count("s3cret") == 1
    assert "s3cret" not in str(ec2.describe_vpn_connections())
    reader = service.client(aws_access_key_id="AKIAREADER", aws_secret_access_key="reader")
    assert "s3cret" not in sample(reader, identifier)


def test_options_of_the_site_are_tags_of_the_customer_gateway_and_of_the_connection(service: Service, ec2: Any) -> None:
    gateway = customer_gateway(ec2)
    identifier = connect(ec2, gateway, vpn_gateway(ec2))["VpnConnectionId"]
    both = {"twinbore:device-outside-interface": "wan7", "twinbore:device-announce": "192.168.1.0/24"}
    ec2.create_tags(Resources=[gateway], Tags=[{"Key": key, "Value": value} for key, value in both.items()])
    text = sample(ec2, identifier, VpnConnectionDeviceTypeId=FORTIOS)
    assert 'set interface "wan7"' in text
    assert "set prefix 192.168.1.0 255.255.255.0" in text
    ec2.create_tags(Resources=[identifier], Tags=[{"Key": "twinbore:device-outside-interface", "Value": "wan8"}])
    assert 'set interface "wan8"' in sample(ec2, identifier, VpnConnectionDeviceTypeId=FORTIOS)
    with refused(service, "InvalidParameterValue", "twinbore:device-announce", "10.0.0.1/8", "without host bits"):
        ec2.create_tags(Resources=[gateway], Tags=[{"Key": "twinbore:device-announce", "Value": "10.0.0.1/8"}])
    with refused(service, "InvalidParameterValue", "twinbore:device-colour", "an option of a vpn-connection"):
        ec2.create_tags(Resources=[identifier], Tags=[{"Key": "twinbore:device-colour", "Value": "blue"}])


def test_the_blocks_of_the_attached_vpc_are_routed_to(service: Service, ec2: Any) -> None:
    gateway, cloud = vpn_gateway(ec2), vpc(ec2, "10.77.0.0/16")
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=cloud)
    service.settle()
    made = connect(ec2, customer_gateway(ec2), gateway, Options={"StaticRoutesOnly": True})
    text = sample(ec2, made["VpnConnectionId"], VpnConnectionDeviceTypeId=FORTIOS)
    assert text.count("set dst 10.77.0.0 255.255.0.0") == 2


def test_what_a_device_cannot_do_is_told_as_what_to_change(service: Service, ec2: Any) -> None:
    strong = {
        "Phase1EncryptionAlgorithms": [{"Value": "AES256-GCM-16"}],
        "Phase2DHGroupNumbers": [{"Value": 22}],
    }
    identifier = connection(service, ec2, Options={"TunnelOptions": [strong, strong]})
    words = [f"tunnel {n}: {member}" for n in (1, 2) for member in ("Phase1Encryption", "Phase2DHGroup")]
    with refused(service, "InvalidParameterCombination", "FortiOS 5.0+", *words):
        sample(ec2, identifier, VpnConnectionDeviceTypeId=FORTIOS)
    with refused(service, "InvalidParameterCombination", "StaticRoutesOnly to true"):
        sample(ec2, identifier, VpnConnectionDeviceTypeId="c41e7d58")
