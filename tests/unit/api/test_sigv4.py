"""Signatures against botocore's own signer: whatever a client signs, verification comes to the same signature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from twinbore.api.errors import ApiError
from twinbore.api.sigv4 import Identity, Key, Received, verify
from twinbore.model.permissions import ADMINISTRATOR

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
REGION = "us-east-1"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
PATHS = st.lists(st.sampled_from([".", "..", "a", "%20", "~x", "", "b c"]), max_size=4).map(lambda p: "/" + "/".join(p))


def received(request: AWSRequest) -> Received:
    parts = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers.setdefault("host", "127.0.0.1:4566")
    return Received(request.method, parts.path, parts.query, headers, request.data or b"")


def key(secret: str) -> Key:
    return Key("123456789012", secret, "", enabled=True, policy=ADMINISTRATOR)


def check(request: AWSRequest, secret: str) -> Identity:
    return verify(received(request), lambda _: key(secret), REGION, datetime.now(UTC))


@given(secret=SECRETS, body=st.binary(max_size=100), path=PATHS, extra=VALUES, query=st.dictionaries(TEXT, TEXT))
def test_what_botocore_signs_in_the_header(
    secret: str, body: bytes, path: str, extra: str, query: dict[str, str]
) -> None:
    words = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())
    request = AWSRequest("POST", f"http://127.0.0.1:4566{quote(path, safe='/%~')}?{words}", {"X-Extra": extra}, body)
    SigV4Auth(Credentials(KEY_ID, secret), "ec2", REGION).add_auth(request)
    assert check(request, secret) == Identity(KEY_ID, key(secret), "ec2")
    with pytest.raises(ApiError, match="the signature does not match"):
        check(request, secret + "x")


@given(secret=SECRETS, value=TEXT)
def test_what_botocore_signs_in_the_query(secret: str, value: str) -> None:
    url = f"http://127.0.0.1:4566/?Action=DescribeVpcs&Filter.1.Name={quote(value, safe='-_.~')}"
    request = AWSRequest("GET", url)
    SigV4QueryAuth(Credentials(KEY_ID, secret), "sts", REGION, expires=60).add_auth(request)
    assert check(request, secret) == Identity(KEY_ID, key(secret), "sts")


def test_a_signing_key_belongs_to_one_secret_and_one_day() -> None:
    request = AWSRequest("POST", "http://127.0.0.1:4566/", {}, b"Action=DescribeVpcs")
    SigV4Auth(Credentials(KEY_ID, "first"), "ec2", REGION).add_auth(request)
    assert check(request, "first").service == "ec2"
    with pytest.raises(ApiError, match="the signature does not match"):
        check(request, "second")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(ApiError, match="expired"):
        verify(received(request), lambda _: key("first"), REGION, tomorrow)
