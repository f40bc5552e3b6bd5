"""The codec against botocore's own serialiser and parser: what one writes, the other reads, for any operation."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.model import OperationModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

import twinbore.api.ops  # noqa: F401 - registers the operations
from twinbore.api import codec
from twinbore.api.errors import ApiError
from twinbore.api.operation import OPERATIONS

EC2 = codec.service("ec2")
OPERATION_NAMES = sorted(OPERATIONS)
ID = "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1
)
MOMENTS = st.integers(0, 4102444800000).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))


def operation(name: str) -> OperationModel:
    return EC2.operation_model(name)


def values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Any value of the shape that a client can send and a server answer with."""
    if shape.type_name == "structure":
        members = {name: values(member, depth + 1) for name, member in shape.members.items()}
        required = {name: members[name] for name in shape.required_members}
        optional = {name: value for name, value in members.items() if name not in required}
        fixed = st.fixed_dictionaries(required, optional=optional)
        return fixed if depth == 0 else fixed.filter(bool)
    if shape.type_name == "list":
        return st.lists(values(shape.member, depth + 1), min_size=1, max_size=3)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "string": TEXT,
        "integer": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63) + 1, 2**63 - 1),
        "boolean": st.booleans(),
        "double": st.floats(allow_nan=False, allow_infinity=False),
        "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "timestamp": MOMENTS,
    }
    return simple[shape.type_name]


def parse(name: str, *parameters: tuple[str, str]) -> dict[str, Any]:
    return codec.parse(operation(name), parameters)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_botocore_sends_is_what_is_parsed(data: st.DataObject) -> None:
    model = operation(data.draw(st.sampled_from([n for n in OPERATION_NAMES if operation(n).input_shape])))
    request = data.draw(values(model.input_shape))
    sent = create_serializer("ec2", include_validation=False).serialize_to_request(request, model)["body"]
    assert codec.parse(model, [(name, str(value)) for name, value in sent.items()]) == request


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_is_answered_is_what_botocore_parses(data: st.DataObject) -> None:
    model = operation(data.draw(st.sampled_from([n for n in OPERATION_NAMES if operation(n).output_shape])))
    result = data.draw(values(model.output_shape))
    document = codec.answer(model, result, ID)
    response = {"status_code": 200, "headers": {}, "body": document}
    parsed = create_parser("ec2").parse(response, model.output_shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == ID
    assert parsed == result


PARTS = st.sampled_from(
    [
        "Filter",
        "VpcId",
        "1",
        "0",
        "2",
        "²",
        "-1",
        "Value",
        "Name",
        "",
        "Options",
        "TunnelOptions",
        "Tag",
        "Key",
        "DryRun",
    ]
)
NAMES = st.one_of(TEXT, st.lists(PARTS, min_size=1, max_size=6).map(".".join), st.text(max_size=20))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(OPERATION_NAMES), st.lists(st.tuples(NAMES, st.text(max_size=30)), max_size=8))
def test_arbitrary_parameters_are_parsed_or_refused(name: str, parameters: list[tuple[str, str]]) -> None:
    try:
        request = codec.parse(operation(name), parameters)
    except ApiError as error:
        assert error.status in (400, 404)
        ET.fromstring(codec.error_answer(error, ID))
    else:
        assert isinstance(request, dict)


@given(st.text())
def test_no_text_breaks_a_document(text: str) -> None:
    document = codec.error_answer(ApiError("InvalidParameterValue", text), ID)
    message = ET.fromstring(document).findtext("Errors/Error/Message") or ""
    assert len(message.replace("\r\n", "\n")) <= len(text)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        parse("DescribeVpcs", ("Filter." * 20_000 + "1", "x"))
    assert caught.value.code == "UnknownParameter"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([("VpcId.1", "a"), ("VpcId.2", "b")], ["a", "b"]),
        ([("VpcId.2", "b"), ("VpcId.1", "a")], ["a", "b"]),
        ([("VpcId.10", "c"), ("VpcId.9", "b"), ("VpcId.0", "a")], ["a", "b", "c"]),
        ([("VpcId", "a")], ["a"]),
        ([("VpcId.7", "a")], ["a"]),
    ],
)
def test_lists(parameters: list[tuple[str, str]], expected: list[str]) -> None:
    assert parse("DescribeVpcs", *parameters) == {"VpcIds": expected}


def test_a_structure_in_a_list_without_an_index() -> None:
    assert parse("DescribeVpcs", ("Filter.Name", "cidr"), ("Filter.Value", "10.0.0.0/16")) == {
        "Filters": [{"Name": "cidr", "Values": ["10.0.0.0/16"]}]
    }


def test_names_on_the_wire() -> None:
    request = parse(
        "CreateVpnConnection",
        ("Type", "ipsec.1"),
        ("CustomerGatewayId", "cgw-1"),
        ("TagSpecification.1.ResourceType", "vpn-connection"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("Options.StaticRoutesOnly", "true"),
        ("Options.TunnelOptions.1.IKEVersion.1.Value", "ikev2"),
        ("Options.TunnelOptions.1.Phase1DHGroupNumber.1.Value", "20"),
    )
    assert request == {
        "Type": "ipsec.1",
        "CustomerGatewayId": "cgw-1",
        "TagSpecifications": [{"ResourceType": "vpn-connection", "Tags": [{"Key": "Name"}]}],
        "Options": {
            "StaticRoutesOnly": True,
            "TunnelOptions": [{"IKEVersions": [{"Value": "ikev2"}], "Phase1DHGroupNumbers": [{"Value": 20}]}],
        },
    }


@pytest.mark.parametrize(
    ("name", "parameters", "code", "words"),
    [
        ("DescribeVpcs", [("Colour", "red")], "UnknownParameter", "The parameter Colour is not recognized"),
        ("DescribeVpcs", [("", "red")], "UnknownParameter", "The parameter  is not recognized"),
        ("DescribeVpcs", [("Filter.1.Colour", "red")], "UnknownParameter", "Filter.1.Colour"),
        ("DescribeVpcs", [("NextToken.x", "red")], "UnknownParameter", "NextToken.x"),
        ("DescribeVpcs", [("MaxResults", "1.5")], "InvalidParameterValue", "Value (1.5) for parameter MaxResults"),
        ("DescribeVpcs", [("MaxResults", "")], "InvalidParameterValue", "MaxResults"),
        ("DescribeVpcs", [("MaxResults", "1_0")], "InvalidParameterValue", "1_0"),
        ("DescribeVpcs", [("MaxResults", " 5")], "InvalidParameterValue", "a whole number"),
        ("DescribeVpcs", [("MaxResults", "9223372036854775808")], "InvalidParameterValue", "a whole number"),
        ("DescribeVpcs", [("MaxResults", "٣")], "InvalidParameterValue", "a whole number"),
        ("DescribeVpcs", [("NextToken", "a\x00")], "InvalidParameterValue", "control characters"),
        ("DescribeVpcs", [("DryRun", "1")], "InvalidParameterValue", "true or false"),
        ("DescribeVpcs", [("Filter.1", "x")], "InvalidParameterValue", "Filter.1"),
        ("DeleteVpc", [], "MissingParameter", "The request must contain the parameter VpcId"),
        ("DescribeVpcs", [("VpcId.1", "a"), ("VpcId.1", "b")], "MalformedQueryString", "VpcId.1"),
        ("DescribeVpcs", [("VpcId", "a"), ("VpcId.1", "b")], "MalformedQueryString", "VpcId.1"),
    ],
)
def test_what_is_refused(name: str, parameters: list[tuple[str, str]], code: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(name, *parameters)
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value.message


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("StartTime", "2026-11-24T12:00:00Z", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("StartTime", "2026-11-24T12:00:00.250+09:00", datetime(2026, 11, 24, 3, 0, 0, 250_000, tzinfo=UTC)),
        ("StartTime", "2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
    ],
)
def test_times(name: str, text: str, expected: datetime) -> None:
    assert parse("DescribeSpotPriceHistory", (name, text)) == {name: expected}


def test_a_time_that_is_none() -> None:
    with pytest.raises(ApiError, match="InvalidParameterValue"):
        parse("DescribeSpotPriceHistory", ("StartTime", "noon"))


def test_octets_are_base64() -> None:
    shape = ("ImportKeyPair", ("KeyName", "k"))
    assert parse(*shape, ("PublicKeyMaterial", "a2V5"))["PublicKeyMaterial"] == b"key"
    with pytest.raises(ApiError) as caught:
        parse(*shape, ("PublicKeyMaterial", "not base64!"))
    assert "not base64" not in caught.value.message


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "x", "1e999"])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(ApiError, match="InvalidParameterValue"):
        parse("PurchaseReservedInstancesOffering", ("LimitPrice.Amount", text))


def test_a_number() -> None:
    request = parse(
        "PurchaseReservedInstancesOffering",
        ("LimitPrice.Amount", "2.5"),
        ("InstanceCount", "1"),
        ("ReservedInstancesOfferingId", "x"),
    )
    assert math.isclose(request["LimitPrice"]["Amount"], 2.5)


def test_an_answer_has_scalars_before_lists_and_empty_lists() -> None:
    result = {
        "VpnGateway": {
            "Tags": [],
            "VpcAttachments": [{"VpcId": "vpc-1", "State": "attached"}],
            "VpnGatewayId": "vgw-1",
            "AmazonSideAsn": 64512,
        }
    }
    document = codec.answer(operation("CreateVpnGateway"), result, ID).decode()
    names = [element.tag.partition("}")[2] for element in ET.fromstring(document)[1]]
    assert (set(names[:2]), set(names[2:])) == ({"amazonSideAsn", "vpnGatewayId"}, {"attachments", "tagSet"})
    assert "<tagSet />" in document
    assert "<attachments><item><vpcId>vpc-1</vpcId><state>attached</state></item></attachments>" in document


def test_times_have_milliseconds_and_are_utc() -> None:
    moment = datetime(2026, 11, 24, 2, 0, 0, 1_999, tzinfo=timezone(timedelta(hours=9)))
    result = {"NetworkInterfaces": [{"Attachment": {"AttachTime": moment, "DeleteOnTermination": False}}]}
    document = codec.answer(operation("DescribeNetworkInterfaces"), result, ID).decode()
    assert "<attachTime>2026-11-23T17:00:00.001Z</attachTime>" in document
    assert "<deleteOnTermination>false</deleteOnTermination>" in document


def test_members_that_are_none_are_left_out() -> None:
    document = codec.answer(operation("CreateVpc"), {"Vpc": {"VpcId": "vpc-1", "State": None}}, ID)
    assert b"<vpc><vpcId>vpc-1</vpcId></vpc>" in document


def test_a_member_that_the_model_does_not_have_is_a_bug() -> None:
    with pytest.raises(TypeError, match="Colour"):
        codec.answer(operation("CreateVpc"), {"Vpc": {"Colour": "red"}}, ID)


@pytest.mark.parametrize("name", [n for n in OPERATION_NAMES if operation(n).output_shape is None])
def test_operations_without_output_answer_true(name: str) -> None:
    document = codec.answer(operation(name), {}, ID).decode()
    assert document.endswith(f"<requestId>{ID}</requestId><return>true</return></{name}Response>")


@pytest.mark.parametrize("version", ["2016-11-15", "2014-10-01", "2009-04-04"])
def test_versions(version: str) -> None:
    codec.check_version(version)
    document = codec.answer(operation("DescribeVpcs"), {"Vpcs": []}, ID, version)
    assert f'xmlns="http://ec2.amazonaws.com/doc/{version}/"'.encode() in document


@pytest.mark.parametrize("version", ["", "2016-11-16", "2026-01-01", "2016-11-15/", "٢٠١٦-١١-١٥"])
def test_versions_that_are_not(version: str) -> None:
    with pytest.raises(ApiError, match="NoSuchVersion"):
        codec.check_version(version)
