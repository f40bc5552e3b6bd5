"""The wire to the letter: names as clients of all ages write them, answers as strict parsers read them, as raw bytes.

The names of parameters stand here as text, so that they do not come from the model that the service reads them with.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.conftest import Service
from tests.contract.raw import FORM, VERSION, Answer, get, presigned, send, signed
from tests.contract.vpn import connection, customer_gateway, vpn_gateway
from tests.contract.walk import model
from twinbore.api import codec
from twinbore.api.errors import ApiError
from twinbore.api.operation import OPERATIONS

NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"

TUNNEL = """
    TunnelInsideCidr=169.254.10.0/30 PreSharedKey=abcdefgh Phase1LifetimeSeconds=28000 Phase2LifetimeSeconds=3500
    RekeyMarginTimeSeconds=260 RekeyFuzzPercentage=90 ReplayWindowSize=1000 DPDTimeoutSeconds=31 DPDTimeoutAction=clear
    Phase1EncryptionAlgorithm.1.Value=AES256 Phase2EncryptionAlgorithm.1.Value=AES256
    Phase1IntegrityAlgorithm.1.Value=SHA2-256 Phase2IntegrityAlgorithm.1.Value=SHA2-256
    Phase1DHGroupNumber.1.Value=20 Phase2DHGroupNumber.1.Value=20 IKEVersion.1.Value=ikev2 StartupAction=add
    LogOptions.CloudWatchLogOptions.LogEnabled=false LogOptions.CloudWatchLogOptions.LogOutputFormat=json
    LogOptions.CloudWatchLogOptions.BgpLogEnabled=false LogOptions.CloudWatchLogOptions.BgpLogOutputFormat=json
    EnableTunnelLifecycleControl=true
""".split()  # noqa: SIM905 - as it is sent

OPTIONS = """
    StaticRoutesOnly=false EnableAcceleration=false TunnelInsideIpVersion=ipv4 LocalIpv4NetworkCidr=0.0.0.0/0
    RemoteIpv4NetworkCidr=0.0.0.0/0 OutsideIpAddressType=PublicIpv4 TunnelBandwidth=standard
""".split()  # noqa: SIM905


def form(*pairs: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)


def found(answer: Answer, path: str) -> str | None:
    """The text at a path of element names."""
    return ET.fromstring(answer.body).findtext("/".join(NAMESPACE + name for name in path.split("/")))


def test_the_names_of_every_parameter_of_a_connection(service: Service, ec2: Any) -> None:
    request = form(
        f"CustomerGatewayId={customer_gateway(ec2)}",
        f"VpnGatewayId={vpn_gateway(ec2)}",
        "Type=ipsec.1",
        "PreSharedKeyStorage=Standard",
        "TagSpecification.1.ResourceType=vpn-connection",
        "TagSpecification.1.Tag.1.Key=Name",
        "TagSpecification.1.Tag.1.Value=x",
        *(f"Options.{pair}" for pair in OPTIONS),
        *(f"Options.TunnelOptions.1.{pair}" for pair in TUNNEL),
    )
    answer = signed(service, "CreateVpnConnection", request)
    assert answer.status == 200, answer.text
    tunnel = "vpnConnection/options/tunnelOptionSet/item/"
    for path, expected in {
        "vpnConnection/tagSet/item/key": "Name",
        "vpnConnection/options/staticRoutesOnly": "false",
        tunnel + "tunnelInsideCidr": "169.254.10.0/30",
        tunnel + "preSharedKey": "abcdefgh",
        tunnel + "dpdTimeoutSeconds": "31",
        tunnel + "dpdTimeoutAction": "clear",
        tunnel + "ikeVersionSet/item/value": "ikev2",
        tunnel + "phase1EncryptionAlgorithmSet/item/value": "AES256",
        tunnel + "phase1DHGroupNumberSet/item/value": "20",
        tunnel + "enableTunnelLifecycleControl": "true",
        tunnel + "logOptions/cloudWatchLogOptions/bgpLogOutputFormat": "json",
    }.items():
        assert found(answer, path) == expected, path
    telemetry = ET.fromstring(answer.body).find(f"{NAMESPACE}vpnConnection/{NAMESPACE}vgwTelemetry")
    assert telemetry is not None
    assert [item.findtext(f"{NAMESPACE}status") for item in telemetry] == ["DOWN", "DOWN"]
    changes = [item.findtext(f"{NAMESPACE}lastStatusChange") or "" for item in telemetry]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", change) for change in changes), changes


@pytest.mark.parametrize(
    ("action", "names"),
    [
        ("CreateCustomerGateway", "Type BgpAsn IpAddress TagSpecification.1.ResourceType TagSpecification.1.Tag.1.Key"),
        ("CreateCustomerGateway", "PublicIp DeviceName CertificateArn BgpAsnExtended"),
        ("EnableVgwRoutePropagation", "GatewayId RouteTableId DryRun"),
        ("CreateVpnConnectionRoute", "DestinationCidrBlock VpnConnectionId"),
        ("ModifyVpnTunnelOptions", "VpnConnectionId VpnTunnelOutsideIpAddress SkipTunnelReplacement"),
        ("ModifyVpnTunnelOptions", "TunnelOptions.PreSharedKey TunnelOptions.Phase1DHGroupNumber.1.Value"),
        ("ReplaceVpnTunnel", "VpnConnectionId VpnTunnelOutsideIpAddress ApplyPendingMaintenance"),
        ("DescribeVpnConnections", "VpnConnectionId.1 Filter.1.Name Filter.1.Value.1"),
        ("DescribeVpnGateways", "VpnGatewayId.1 Filter.1.Name Filter.1.Value.1"),
        ("DescribeCustomerGateways", "CustomerGatewayId.1 Filter.1.Name Filter.1.Value.1"),
        (
            "GetVpnConnectionDeviceSampleConfiguration",
            "VpnConnectionId VpnConnectionDeviceTypeId InternetKeyExchangeVersion SampleType",
        ),
        ("CreateTransitGateway", "Options.AmazonSideAsn Options.TransitGatewayCidrBlocks.1 Options.VpnEcmpSupport"),
        ("DescribeVpcs", "VpcId.1 MaxResults NextToken"),
        ("DescribeSubnets", "SubnetId.1"),
        ("DescribeRouteTables", "RouteTableId.1"),
        ("DescribeAccountAttributes", "AttributeName.1"),
        ("CreateTags", "ResourceId.1 Tag.1.Key Tag.1.Value"),
    ],
)
def test_the_names_of_parameters(action: str, names: str) -> None:
    """None of them is unknown; others may be missing."""
    samples = {"DryRun": "true", "MaxResults": "5", "SkipTunnelReplacement": "true", "ApplyPendingMaintenance": "true"}
    try:
        codec.parse(model.operation(action), [(name, samples.get(name, "1")) for name in names.split()])
    except ApiError as error:
        assert error.code == "MissingParameter", error


def test_every_operation_without_output_answers_true() -> None:
    """As the codec writes it; who reads `return` reports a failure without it."""
    silent = [name for name in codec.service("ec2").operation_names if model.operation(name).output_shape is None]
    assert len(set(silent) & OPERATIONS.keys()) > 10
    for name in silent:
        body = codec.answer(model.operation(name), {}, "an-id").decode()
        expected = (
            f'<{name}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>an-id</requestId>'
            f"<return>true</return></{name}Response>"
        )
        assert body.partition("\n")[2] == expected


@pytest.mark.parametrize(
    ("action", "parameters", "empty"),
    [
        ("DescribeVpnGateways", {}, ("attachments", "tagSet")),
        ("DescribeRouteTables", {}, ("propagatingVgwSet", "tagSet")),
        ("DescribeVpnConnections", {}, ("routes", "tagSet")),
        ("DescribeInternetGateways", {}, ("attachmentSet", "tagSet")),
        ("DescribeCustomerGateways", {}, ("tagSet",)),
        ("DescribeSubnets", {}, ("subnetSet",)),
        ("DescribeAddresses", {}, ("addressesSet",)),
    ],
)
def test_empty_lists_are_written(
    service: Service, ec2: Any, action: str, parameters: dict[str, str], empty: tuple[str, ...]
) -> None:
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    ec2.create_internet_gateway()
    connection(service, ec2)
    answer = signed(service, action, parameters)
    for name in empty:
        assert re.search(rf"<{name} ?/>", answer.text), (name, answer.text)


def test_scalars_come_before_what_has_members(service: Service, ec2: Any) -> None:
    connection(service, ec2)
    answer = signed(service, "DescribeVpnConnections")
    item = ET.fromstring(answer.body).find(f"{NAMESPACE}vpnConnectionSet/{NAMESPACE}item")
    assert item is not None
    names = [child.tag.removeprefix(NAMESPACE) for child in item]
    nested = ["options", "routes", "tagSet", "vgwTelemetry"]
    assert set(names[-4:]) == set(nested)
    assert "vpnConnectionId" in names[:-4]


def test_a_get_that_is_signed_in_its_header(service: Service) -> None:
    url = f"{service.url}/?" + urlencode({"Action": "DescribeVpcs", "Version": VERSION})
    request = AWSRequest("GET", url, headers={"Host": urlsplit(service.url).netloc})
    credentials = Credentials(service.access_key_id, service.secret_access_key)
    SigV4Auth(credentials, "ec2", service.settings.region).add_auth(request)
    target = url.removeprefix(service.url)
    answer = send(service, "GET", target, dict(request.headers.items()))
    assert (answer.status, "<vpcSet" in answer.text) == (200, True)


def test_the_query_and_the_form_are_read_together(service: Service) -> None:
    """Older libraries send the action in the query of a POST."""
    body = urlencode({"Version": VERSION, "DryRun": "True"}).encode()
    request = AWSRequest("POST", service.url + "/?Action=DescribeVpcs", headers=dict(FORM), data=body)
    request.headers["Host"] = urlsplit(service.url).netloc
    credentials = Credentials(service.access_key_id, service.secret_access_key)
    SigV4Auth(credentials, "ec2", service.settings.region).add_auth(request)
    answer = send(service, "POST", "/?Action=DescribeVpcs", dict(request.headers.items()), body)
    assert answer.status == 412


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("DescribeVpcAttribute", "VpcId={vpc}&Attribute=colour", "InvalidParameterValue"),
        ("DescribeAccountAttributes", "AttributeName.1=colour", "InvalidParameterValue"),
        ("DescribeAccountAttributes", "Filter.1.Name=attribute-name", "UnknownParameter"),
        ("DescribeTags", "Filter.1.Name=colour&Filter.1.Value.1=red", "InvalidParameterValue"),
        ("DescribeRegions", "Filter.1.Name=colour&Filter.1.Value.1=red", "InvalidParameterValue"),
        ("DescribeVpnConnections", "Filter.1.Name=colour&Filter.1.Value.1=red", "InvalidParameterValue"),
        ("DescribeVpcs", "Action=DescribeSubnets", "MalformedQueryString"),
        ("DescribeVpcs", "Filter.1.Name=%ff", "MalformedQueryString"),
    ],
)
def test_unknown_names_and_broken_ones_are_errors(
    service: Service, ec2: Any, action: str, parameters: str, code: str
) -> None:
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    answer = signed(service, action, parameters.format(vpc=vpc_id))
    assert f"<Code>{code}</Code>" in answer.text


def test_a_filter_without_an_index_is_of_one(service: Service, ec2: Any) -> None:
    first = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc(CidrBlock="10.1.0.0/16")
    for parameters in (
        f"VpcId={first}",
        f"VpcId.0={first}",
        "Filter.Name=cidr&Filter.Value=10.0.0.0/16",
        "Filter.0.Name=cidr&Filter.0.Value.0=10.0.0.0/16",
    ):
        assert re.findall("<vpcId>([^<]*)", signed(service, "DescribeVpcs", parameters).text) == [first], parameters


REFUSALS = {
    "a wrong value": (400, lambda s: signed(s, "DescribeVpcs", "MaxResults=4")),
    "no signature": (403, lambda s: send(s, "POST", "/", FORM | {"Host": "x"}, b"Action=DescribeVpcs")),
    "a wrong signature": (401, lambda s: signed(s, "DescribeVpcs", secret="x" * 40)),
    "a parameter twice": (404, lambda s: signed(s, "DescribeVpcs", "VpcId.1=a&VpcId.1=b")),
    "another method": (405, lambda s: send(s, "DELETE", "/", {"Host": "x"})),
    "a dry run": (412, lambda s: signed(s, "DescribeVpcs", "DryRun=true")),
    "an unknown action": (400, lambda s: get(s, presigned(s, "DescribeColours"))),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_every_refusal_has_the_same_form(service: Service, what: str) -> None:
    status, ask = REFUSALS[what]
    answer = ask(service)
    assert answer.status == status
    match = re.fullmatch(
        r'<\?xml version="1\.0" encoding="UTF-8"\?>\n<Response><Errors><Error><Code>[A-Za-z.]+</Code>'
        r"<Message>[^<]+</Message></Error></Errors><RequestID>([0-9a-f-]{36})</RequestID></Response>",
        answer.text,
    )
    assert match, answer.text
    assert answer.headers["x-amzn-requestid"] == match[1]
    assert answer.headers["content-type"] == "text/xml;charset=UTF-8"
