"""Who may speak: signatures as clients of many kinds make them, and every way to get them wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.contract.conftest import Service
from tests.contract.raw import FORM, VERSION, Answer, get, presigned, send, signed


def code(answer: Answer) -> str:
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_a_request_without_authentication(service: Service) -> None:
    answer = send(service, "POST", "/", FORM | {"Host": "x"}, b"Action=DescribeVpcs&Version=2016-11-15")
    assert (answer.status, code(answer)) == (403, "MissingAuthenticationToken")


def test_a_wrong_secret(service: Service) -> None:
    answer = signed(service, "DescribeVpcs", secret="x" * 40)
    assert (answer.status, code(answer)) == (401, "AuthFailure")
    assert "AWS was not able to validate the provided access credentials" in answer.text


def test_an_unknown_key(service: Service) -> None:
    with pytest.raises(ClientError) as caught:
        service.client(aws_access_key_id="AKIAAAAAAAAAAAAAAAAA").describe_vpcs()
    assert caught.value.response["Error"]["Code"] == "AuthFailure"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401


def test_a_wrong_region_says_which_is_right(service: Service) -> None:
    answer = signed(service, "DescribeVpcs", region="eu-west-1")
    assert code(answer) == "SignatureDoesNotMatch"
    assert "scoped to region 'us-east-1', not 'eu-west-1'" in answer.text


def test_a_wrong_service_says_which_is_right(service: Service) -> None:
    answer = signed(service, "DescribeVpcs", scope="s3")
    assert code(answer) == "SignatureDoesNotMatch"
    assert "scoped to service 'ec2' or 'sts', not 's3'" in answer.text


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_that_is_a_little_wrong(service: Service, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    assert _at(service, minutes).status == 200


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_that_is_too_wrong(service: Service, minutes: int) -> None:
    answer = _at(service, minutes)
    assert (answer.status, code(answer)) == (400, "RequestExpired")
    assert "clocks" in answer.text


def _at(service: Service, minutes: int) -> Answer:
    """A request signed by a clock that is so many minutes ahead."""
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    request = _request(service)
    signer = SigV4Auth(Credentials(service.access_key_id, service.secret_access_key), "ec2", service.settings.region)
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return send(service, "POST", "/", dict(request.headers.items()), request.data)


def _request(service: Service, **headers: str) -> AWSRequest:
    body = urlencode({"Action": "DescribeVpcs", "Version": VERSION}).encode()
    names = FORM | {"Host": urlsplit(service.url).netloc} | {k.replace("_", "-"): v for k, v in headers.items()}
    return AWSRequest("POST", service.url + "/", headers=names, data=body)


def _sign(service: Service, request: AWSRequest) -> dict[str, str]:
    SigV4Auth(Credentials(service.access_key_id, service.secret_access_key), "ec2", service.settings.region).add_auth(
        request
    )
    return dict(request.headers.items())


def test_many_signed_headers(service: Service) -> None:
    request = _request(service, action="DescribeVpcs", accept_encoding="gzip,  deflate", accept="*/*", x_amz_meta="a")
    headers = _sign(service, request)
    assert "accept;accept-encoding;action;content-type;host;x-amz-date;x-amz-meta" in headers["Authorization"]
    assert send(service, "POST", "/", headers, request.data).status == 200


def test_a_host_without_its_port(service: Service) -> None:
    request = _request(service)
    del request.headers["Host"]
    request.headers["Host"] = "twinbore.example"
    assert send(service, "POST", "/", _sign(service, request), request.data).status == 200


def test_another_host_than_the_signed_one(service: Service) -> None:
    request = _request(service)
    headers = _sign(service, request) | {"Host": "elsewhere.example"}
    assert code(send(service, "POST", "/", headers, request.data)) == "AuthFailure"


def test_a_body_changed_on_the_way(service: Service) -> None:
    request = _request(service)
    headers = _sign(service, request)
    changed = request.data.replace(b"DescribeVpcs", b"DescribeTags")
    assert code(send(service, "POST", "/", headers, changed)) == "AuthFailure"


def test_a_body_changed_on_the_way_with_its_hash_in_a_header(service: Service) -> None:
    request = _request(service)
    headers = _sign(service, request) | {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    assert code(send(service, "POST", "/", headers, request.data)) == "AuthFailure"


@pytest.mark.parametrize("value", ["UNSIGNED-PAYLOAD", "0" * 64])
def test_a_signed_hash_that_is_not_the_bodys(service: Service, value: str) -> None:
    request = _request(service, X_Amz_Content_SHA256=value)
    answer = send(service, "POST", "/", _sign(service, request), request.data)
    assert (code(answer), "x-amz-content-sha256" in answer.text) == ("AuthFailure", True)


def test_a_date_header_that_is_not_signed(service: Service) -> None:
    request = _request(service)
    headers = _sign(service, request)
    headers["Authorization"] = headers["Authorization"].replace(";x-amz-date", "")
    answer = send(service, "POST", "/", headers, request.data)
    assert (code(answer), "must be signed: x-amz-date" in answer.text) == ("AuthFailure", True)


def test_temporary_credentials(service: Service) -> None:
    with pytest.raises(ClientError) as caught:
        service.client(aws_session_token="left over").describe_vpcs()
    assert caught.value.response["Error"]["Code"] == "AuthFailure"
    assert "AWS_SESSION_TOKEN" in caught.value.response["Error"]["Message"]


def test_a_presigned_query_that_was_changed(service: Service) -> None:
    target = presigned(service, "DescribeVpcs").replace("DescribeVpcs", "DescribeTags")
    assert code(get(service, target)) == "AuthFailure"


def test_a_presigned_query_with_characters_to_encode(service: Service) -> None:
    target = presigned(service, "DescribeVpcs", "Filter.1.Name=tag%3AName&Filter.1.Value.1=a%20b%2F%2Bc%2A~%C3%A9")
    assert get(service, target).status == 200


def test_a_presigned_query_that_is_over(service: Service) -> None:
    assert code(get(service, presigned(service, "DescribeVpcs", expires=-1))) == "IncompleteSignature"
    expired = presigned(service, "DescribeVpcs", expires=0)
    assert code(get(service, expired)) == "RequestExpired"


def _presigned_at(service: Service, minutes: int, expires: int) -> Answer:
    """A presigned query of a clock that is so many minutes ahead."""
    request = AWSRequest("GET", f"{service.url}/?Action=DescribeVpcs&Version={VERSION}")
    credentials = Credentials(service.access_key_id, service.secret_access_key)
    signer = SigV4QueryAuth(credentials, "ec2", service.settings.region, expires=expires)
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return get(service, request.url.removeprefix(service.url))


@pytest.mark.parametrize(
    ("minutes", "expires", "status", "wanted"),
    [
        (-60, 3900, 200, ""),  # older than a signature in a header may be
        (-60, 3300, 400, "RequestExpired"),
        (-7 * 24 * 60 + 5, 604800, 200, ""),
        (-7 * 24 * 60 - 5, 604800, 400, "RequestExpired"),
        (-1, 604801, 400, "IncompleteSignature"),
        (4, 60, 200, ""),
        (6, 3600, 400, "RequestExpired"),
    ],
)
def test_the_lifetime_of_a_presigned_query(
    service: Service, minutes: int, expires: int, status: int, wanted: str
) -> None:
    answer = _presigned_at(service, minutes, expires)
    assert (answer.status, code(answer)) == (status, wanted)


@pytest.mark.parametrize("value", ["", "abc", "1.5", "%2D1", "99999999999999999999"])
def test_a_lifetime_that_is_no_number(service: Service, value: str) -> None:
    target = presigned(service, "DescribeVpcs").replace("X-Amz-Expires=60", f"X-Amz-Expires={value}")
    answer = get(service, target)
    assert (answer.status, code(answer), "at most 604800" in answer.text) == (400, "IncompleteSignature", True)


def test_a_lifetime_that_was_lengthened(service: Service) -> None:
    target = presigned(service, "DescribeVpcs").replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    assert code(get(service, target)) == "AuthFailure"


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=AKIA/20261124/us-east-1/ec2/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=AKIA/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=AKIA/20261124/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0",
    ],
)
def test_half_an_authorization(service: Service, authorization: str) -> None:
    headers = FORM | {"Host": "x", "Authorization": authorization}
    answer = send(service, "POST", "/", headers, b"Action=DescribeVpcs")
    assert (answer.status, code(answer)) == (400, "IncompleteSignature")


def test_characters_that_no_signature_has(service: Service) -> None:
    request = _request(service)
    headers = _sign(service, request)
    headers["Authorization"] = headers["Authorization"][:-1] + "\xe9"
    assert code(send(service, "POST", "/", headers, request.data)) == "AuthFailure"


@pytest.mark.parametrize(
    ("headers", "target", "body"),
    [
        ({"Authorization": "AWS AKIA:c2lnbmF0dXJl"}, "/", b"Action=DescribeVpcs"),
        ({}, "/?Action=DescribeVpcs&SignatureVersion=2&Signature=x&AWSAccessKeyId=AKIA", b""),
        ({}, "/", b"Action=DescribeVpcs&SignatureVersion=2&SignatureMethod=HmacSHA256&Signature=x"),
        ({"Authorization": "AWS4-ECDSA-P256-SHA256 Credential=AKIA/x"}, "/", b"Action=DescribeVpcs"),
    ],
)
def test_other_versions_of_the_signature_are_refused_by_name(
    service: Service, headers: dict[str, str], target: str, body: bytes
) -> None:
    answer = send(service, "POST", target, FORM | {"Host": "x"} | headers, body)
    assert (answer.status, code(answer)) == (401, "AuthFailure")
    assert "Signature Version 4" in answer.text


def test_who_am_i(service: Service, ec2: Any) -> None:
    identity = service.client("sts").get_caller_identity()
    owner = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["OwnerId"]
    assert identity["Account"] == owner
    assert identity["Arn"] == f"arn:aws:iam::{owner}:root"
    answer = signed(service, "GetCallerIdentity", version="2011-06-15", scope="sts")
    assert '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>' in (
        answer.text
    )
    assert f"<RequestId>{answer.headers['x-amzn-requestid']}</RequestId>" in answer.text


def test_sts_refuses_in_its_own_form(service: Service) -> None:
    with pytest.raises(ClientError) as caught:
        service.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="session")
    assert caught.value.response["Error"]["Code"] == "InvalidAction"
    for changes, wanted in (
        ({"aws_secret_access_key": "x"}, "SignatureDoesNotMatch"),
        ({"aws_access_key_id": "AKIAAAAAAAAAAAAAAAAA"}, "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError) as caught:
            service.client("sts", **changes).get_caller_identity()
        assert caught.value.response["Error"]["Code"] == wanted
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
