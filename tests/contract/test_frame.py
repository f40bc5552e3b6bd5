"""The frame of every answer, as raw bytes: what strict and old clients look at before any operation's content."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from tests.contract.conftest import Service
from tests.contract.raw import FORM, get, presigned, send, signed
from twinbore.api import codec
from twinbore.api.app import MAX_BODY
from twinbore.api.operation import OPERATIONS, Call, Request, Response
from twinbore.model.resources import Vpc

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def test_an_answer_has_namespace_request_id_and_headers(service: Service) -> None:
    answer = signed(service, "DescribeVpcs")
    assert answer.status == 200
    found = re.fullmatch(
        rb'<\?xml version="1\.0" encoding="UTF-8"\?>\n'
        rb'<DescribeVpcsResponse xmlns="http://ec2\.amazonaws\.com/doc/2016-11-15/">'
        rb"<requestId>(" + UUID.encode() + rb")</requestId><vpcSet ?/></DescribeVpcsResponse>",
        answer.body,
    )
    assert found, answer.body
    assert answer.headers["x-amzn-requestid"] == found[1].decode()
    assert answer.headers["content-type"] == "text/xml;charset=UTF-8"
    assert answer.headers["server"] == "Twinbore"


def test_an_error_has_no_namespace_and_the_same_id_in_header_and_body(service: Service) -> None:
    answer = signed(service, "DescribeVpcs", "VpcId.1=vpc-0123456789abcdef0")
    assert answer.status == 400
    found = re.fullmatch(
        r'<\?xml version="1\.0" encoding="UTF-8"\?>\n<Response><Errors><Error><Code>InvalidVpcID\.NotFound</Code>'
        rf"<Message>([^<]*)</Message></Error></Errors><RequestID>({UUID})</RequestID></Response>",
        answer.text,
    )
    assert found, answer.text
    assert found[1] == "The vpc ID 'vpc-0123456789abcdef0' does not exist"
    assert answer.headers["x-amzn-requestid"] == found[2]
    assert answer.headers["content-type"] == "text/xml;charset=UTF-8"


@pytest.mark.parametrize("version", ["2014-05-01", "2014-10-01", "2015-10-01", "2016-11-15"])
def test_older_versions_are_echoed_in_the_namespace(service: Service, version: str) -> None:
    answer = signed(service, "DescribeVpcs", version=version)
    assert f'xmlns="http://ec2.amazonaws.com/doc/{version}/"' in answer.text


@pytest.mark.parametrize("version", ["2031-01-01", "latest", '2016-11-15" x="', "2016-11-16"])
def test_a_version_that_does_not_exist_is_refused(service: Service, version: str) -> None:
    answer = signed(service, "DescribeVpcs", version=version)
    assert (answer.status, "<Code>NoSuchVersion</Code>" in answer.text) == (400, True)


def test_an_operation_without_output_answers_true(service: Service, ec2: Any) -> None:
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    answer = signed(service, "CreateTags", {"ResourceId.1": vpc_id, "Tag.1.Key": "a", "Tag.1.Value": "b"})
    assert "</requestId><return>true</return></CreateTagsResponse>" in answer.text


def test_lists_may_start_at_zero_and_booleans_be_capitalised(service: Service, ec2: Any) -> None:
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    tags = {"ResourceId.0": vpc_id, "Tag.0.Key": "first", "Tag.0.Value": "0", "Tag.1.Key": "second", "Tag.1.Value": "1"}
    assert signed(service, "CreateTags", tags).status == 200
    assert signed(service, "CreateTags", tags | {"DryRun": "True"}).status == 412
    assert signed(service, "CreateTags", tags | {"DryRun": "False"}).status == 200
    assert [t["Key"] for t in ec2.describe_tags()["Tags"]] == ["first", "second"]


def test_a_filter_value_without_an_index_filters(service: Service, ec2: Any) -> None:
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    wanted = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    answer = signed(service, "DescribeVpcs", "Filter.1.Name=cidr&Filter.1.Value=10.1.0.0/16")
    assert re.findall("<vpcId>([^<]*)", answer.text) == [wanted]


@pytest.mark.parametrize(
    ("action", "parameters", "named"),
    [
        ("DescribeVpcs", "Filters.1.Name=cidr", "Filters"),
        ("DescribeVpcs", "Filter.1.Nmae=cidr", "Filter.1.Nmae"),
        ("DeleteVpc", "VpcId=vpc-0123456789abcdef0&Force=true", "Force"),
        ("CreateTags", "ResourceId.1=x&Tag.1.Key=k&Tag.1.Vlaue=v", "Tag.1.Vlaue"),
        ("DescribeAddresses", "AddressId.1=x", "AddressId"),
    ],
)
def test_a_parameter_that_nothing_knows_is_an_error(service: Service, action: str, parameters: str, named: str) -> None:
    answer = signed(service, action, parameters)
    assert answer.status == 400
    assert f"<Code>UnknownParameter</Code><Message>The parameter {named} is not recognized</Message>" in answer.text


def test_an_unknown_filter_is_an_error(service: Service) -> None:
    answer = signed(service, "DescribeVpcs", "Filter.1.Name=colour&Filter.1.Value.1=red")
    assert "<Code>InvalidParameterValue</Code><Message>The filter 'colour' is invalid</Message>" in answer.text


def test_a_get_with_a_signed_query(service: Service) -> None:
    answer = get(service, presigned(service, "DescribeVpcs"))
    assert answer.status == 200
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<DescribeVpcsResponse ')


def test_tags_of_any_script_survive(service: Service, ec2: Any) -> None:
    value = "雙管 <tunnel> & \"q\" 'a' é \U0001f687 line\nbreak\ttab"
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "Name", "Value": value}])
    assert ec2.describe_tags()["Tags"][0]["Value"] == value


@pytest.mark.parametrize("key", ["a%00", "a%01", "%0B", "%EF%BF%BF"])
def test_what_xml_cannot_hold_is_refused_in_an_answer_that_can_be_read(service: Service, ec2: Any, key: str) -> None:
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    before = service.dump()
    answer = signed(service, "CreateTags", f"ResourceId.1={vpc_id}&Tag.1.Key={key}&Tag.1.Value=x")
    assert answer.status == 400
    assert ET.fromstring(answer.body).findtext("Errors/Error/Code") == "InvalidParameterValue"
    assert "Tag.1.Key" in answer.text
    assert service.dump() == before


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("Frobnicate", "InvalidAction", "The action Frobnicate is not valid"),
        ("DescribeVPCs", "InvalidAction", "DescribeVPCs"),
        ("RunInstances", "UnsupportedOperation", "The operation RunInstances is not supported"),
        ("DescribeVpcBlockPublicAccessOptions", "UnsupportedOperation", "DescribeVpcBlockPublicAccessOptions"),
        ("GetTransitGatewayPrefixListReferences", "UnsupportedOperation", "GetTransitGatewayPrefixListReferences"),
        ("CreateTransitGateway", "UnsupportedOperation", "transit gateways come in a later version"),
        ("ModifyTransitGatewayVpcAttachment", "UnsupportedOperation", "transit gateways come in a later version"),
        ("SearchTransitGatewayRoutes", "UnsupportedOperation", "transit gateways come in a later version"),
        ("CreateVpnConcentrator", "UnsupportedOperation", "VPN concentrators come in a later version"),
        ("DeleteVpnConcentrator", "UnsupportedOperation", "VPN concentrators come in a later version"),
        ("", "MissingParameter", "Action"),
    ],
)
def test_what_is_not_there_is_refused_by_name(service: Service, action: str, code: str, words: str) -> None:
    answer = signed(service, action)
    assert answer.status == 400
    assert f"<Code>{code}</Code>" in answer.text
    assert words in answer.text


def listings() -> list[str]:
    """EC2's listings that Twinbore has no operation for and that need no parameter."""
    model = codec.service("ec2")
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        members = operation.output_shape.members if operation.output_shape else {}
        only_lists = members and all(m.type_name == "list" or n == "NextToken" for n, m in members.items())
        needs_nothing = operation.input_shape is None or not operation.input_shape.required_members
        if name.startswith("Describe") and name not in OPERATIONS and only_lists and needs_nothing:
            found.append(name)
    return found


def test_listings_of_what_is_not_there_are_empty_and_answered_all_at_once(service: Service) -> None:
    actions = listings()
    assert len(actions) > 140
    with ThreadPoolExecutor(len(actions)) as pool:
        answers = dict(zip(actions, pool.map(lambda action: signed(service, action), actions), strict=True))
    wrong = {action: answer.text for action, answer in answers.items() if answer.status != 200}
    assert not wrong
    assert "<addressesSet" in answers["DescribeAddresses"].text
    assert "<item>" not in "".join(answer.text for answer in answers.values())


def test_a_dry_run_of_what_would_succeed_changes_nothing(service: Service) -> None:
    before = service.dump()
    answer = signed(service, "CreateVpc", "CidrBlock=10.0.0.0/16&DryRun=true")
    assert answer.status == 412
    assert (
        "<Code>DryRunOperation</Code><Message>Request would have succeeded, but DryRun flag is set.</Message>"
        in answer.text
    )
    assert service.dump() == before


def test_a_dry_run_of_what_would_fail_says_why(service: Service) -> None:
    answer = signed(service, "CreateVpc", "CidrBlock=10.0.0.0/8&DryRun=true")
    assert (answer.status, "<Code>InvalidVpc.Range</Code>" in answer.text) == (400, True)


def test_a_dry_run_of_an_empty_listing(service: Service) -> None:
    assert signed(service, "DescribeAddresses", "DryRun=true").status == 412


@pytest.mark.parametrize("dry_run", ["", "&DryRun=true"])
def test_a_member_that_its_operation_has_not_read_is_refused_and_undoes_it(
    service: Service, monkeypatch: pytest.MonkeyPatch, dry_run: str
) -> None:
    def careless(call: Call, request: Request) -> Response:
        call.tx.insert(Vpc(call.new_id("vpc"), call.account_id, request["CidrBlock"], "available", call.now, "default"))
        assert request["TagSpecifications"][0]["ResourceType"] == "vpc"
        return {}

    monkeypatch.setitem(OPERATIONS, "CreateVpc", careless)
    before = service.dump()
    form = "CidrBlock=10.0.0.0/16&TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=a" + dry_run
    answer = signed(service, "CreateVpc", form)
    assert answer.status == 400
    assert (
        "<Code>UnsupportedOperation</Code><Message>The parameter TagSpecification.1.Tag is not supported by Twinbore: "
        "leave it out.</Message>" in answer.text
    )
    assert service.dump() == before


def test_a_member_that_is_refused_so_is_refused_with_the_reason(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPERATIONS, "CreateVpc", lambda _call, request: {"Vpc": {"CidrBlock": request["CidrBlock"]}})
    answer = signed(service, "CreateVpc", "CidrBlock=10.0.0.0/16&Ipv4IpamPoolId=ipam-1")
    assert (
        "<Message>The parameter Ipv4IpamPoolId is not supported by Twinbore: there is no IP address manager: give the "
        "block itself (CidrBlock).</Message>" in answer.text
    )


def test_a_listing_of_what_is_not_there_may_be_narrowed(service: Service) -> None:
    answer = signed(service, "DescribeAddresses", "Filter.1.Name=domain&Filter.1.Value.1=vpc")
    assert (answer.status, "<item>" in answer.text) == (200, False)


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ("MaxResults=many", 400, "InvalidParameterValue"),
        ("MaxResults=9%C2%B2", 400, "InvalidParameterValue"),
        ("MaxResults=99999999999999999999", 400, "InvalidParameterValue"),
        ("MaxResults=4", 400, "InvalidMaxResults"),
        ("NextToken=x", 400, "InvalidNextToken"),
        ("DryRun=yes", 400, "InvalidParameterValue"),
        ("DryRun.1=true", 400, "UnknownParameter"),
        ("VpcId.1=a&VpcId.1=b", 404, "MalformedQueryString"),
        ("VpcId=a&VpcId.1=b", 404, "MalformedQueryString"),
        ("Filter.1=x", 400, "InvalidParameterValue"),
        ("Filter.1.Value.1=x", 400, "MissingParameter"),
        ("Filter.1.Name=vpc-id", 400, "MissingParameter"),
    ],
)
def test_parameters_of_a_wrong_form(service: Service, parameters: str, status: int, code: str) -> None:
    answer = signed(service, "DescribeVpcs", parameters)
    assert (answer.status, f"<Code>{code}</Code>" in answer.text) == (status, True), answer.text


def test_a_missing_parameter_is_named(service: Service) -> None:
    answer = signed(service, "DeleteVpc")
    assert "<Code>MissingParameter</Code><Message>The request must contain the parameter VpcId</Message>" in answer.text


def test_a_body_that_is_too_long(service: Service) -> None:
    answer = send(service, "POST", "/", FORM | {"Host": urlsplit(service.url).netloc}, b"x" * (MAX_BODY + 1))
    assert (answer.status, "<Code>RequestEntityTooLarge</Code>" in answer.text) == (413, True)
    assert "x-amzn-requestid" in answer.headers


def test_other_methods(service: Service) -> None:
    answer = send(service, "PUT", "/", {"Host": urlsplit(service.url).netloc})
    assert (answer.status, "<Code>MethodNotAllowed</Code>" in answer.text) == (405, True)


def test_health_needs_no_signature(service: Service) -> None:
    answer = get(service, "/health")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert b'"status": "ok"' in answer.body


def test_a_failure_of_the_store_is_an_error_to_the_caller(service: Service, ec2: Any) -> None:
    ec2.describe_subnets()
    with service.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE vpcs RENAME TO hidden")
    answer = signed(service, "DescribeVpcs")
    assert (answer.status, "<Code>Unavailable</Code>" in answer.text) == (503, True)
    assert answer.headers["x-amzn-requestid"] in answer.text.partition("<Message>")[2].partition("</Message>")[0]
    assert "vpcs" not in answer.text.lower().replace("describevpcs", "")


def test_a_bug_is_an_internal_error_without_a_traceback(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError("the secret reason")

    monkeypatch.setitem(OPERATIONS, "DescribeVpcs", broken)
    answer = signed(service, "DescribeVpcs")
    assert (answer.status, "<Code>InternalError</Code>" in answer.text) == (500, True)
    assert "secret reason" not in answer.text
    assert "Traceback" not in answer.text


def test_the_log_tells_each_request_and_the_reason_of_a_bug_but_no_secret(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError("the reason")

    monkeypatch.setitem(OPERATIONS, "DescribeSubnets", broken)
    with capture_logs() as lines:
        answers = [signed(service, action) for action in ("DescribeVpcs", "DescribeSubnets")]
        answers.append(signed(service, "DescribeVpcs", secret="x" * 40))
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["request_id"] for line in requests] == [a.headers["x-amzn-requestid"] for a in answers]
    assert [(line["action"], line["status"], line.get("error")) for line in requests] == [
        ("DescribeVpcs", 200, None),
        ("DescribeSubnets", 500, "InternalError"),
        ("DescribeVpcs", 401, "AuthFailure"),
    ]
    assert requests[0]["access_key"] == service.access_key_id
    assert re.fullmatch("[0-9]{12}", requests[0]["account"])
    assert all(line["ms"] >= 0 for line in requests)
    (bug,) = [line for line in lines if line["event"] == "internal error"]
    assert "ZeroDivisionError: the reason" in bug["traceback"]
    assert service.secret_access_key not in str(lines)


def test_an_answer_that_cannot_be_written_undoes_its_operation(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = OPERATIONS["CreateVpc"]
    monkeypatch.setitem(OPERATIONS, "CreateVpc", lambda call, request: {"Vpx": create(call, request)})
    before = service.dump()
    assert signed(service, "CreateVpc", "CidrBlock=10.0.0.0/16").status == 500
    assert service.dump() == before
