"""Signature Version 4, verified with botocore's own canonicaliser.

The request is rebuilt from what arrived (method, path, query, the signed headers, body) and signed again with the
secret of its access key; the two signatures must be equal. Which headers are signed differs much between clients, so
what the client names is what is verified, with the Host as received.

Errors follow EC2: no authentication at all is MissingAuthenticationToken, an unknown key or a wrong signature
AuthFailure, a request older or younger than `SKEW` RequestExpired. Secrets never leave this module.

References: AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"); EC2 API reference, "Common
error types".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from twinbore.api.errors import ApiError

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW: Final = timedelta(minutes=15)
SERVICES: Final = ("ec2", "sts")
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came over the wire; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed: the access key, its account, and the service of the credential scope."""

    access_key_id: str
    account_id: str
    service: str


@dataclass(frozen=True, slots=True)
class Key:
    """An access key's account and secret."""

    account_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class _Claim:
    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    lifetime: timedelta
    query: str


def verify(received: Received, find_key: Callable[[str], Key | None], region: str, now: datetime) -> Identity:
    """The identity behind a request. Raises `ApiError` when the signature is missing, old or wrong."""
    claim = _claim(received)
    _check_scope(claim, region)
    _check_time(claim, now)
    key = find_key(claim.access_key_id)
    if key is None:
        raise _failure("AWS was not able to validate the provided access credentials")
    body_hash = _body_hash(received)
    if not hmac.compare_digest(_sign(received, claim, key, body_hash), claim.signature):
        raise _failure(
            "AWS was not able to validate the provided access credentials: the signature does not match; "
            "check the secret access key"
        )
    return Identity(claim.access_key_id, key.account_id, claim.service)


def _failure(message: str) -> ApiError:
    return ApiError("AuthFailure", message, 401)


def _claim(received: Received) -> _Claim:
    header = received.headers.get("authorization", "")
    query = dict(parse_qsl(received.query, keep_blank_values=True))
    if header.startswith(ALGORITHM):
        pairs = (part.strip().partition("=") for part in header.removeprefix(ALGORITHM).split(","))
        fields = {name: value for name, _, value in pairs}
        timestamp = received.headers.get("x-amz-date") or _from_date_header(received.headers.get("date", ""))
        return _build(fields, timestamp, timedelta(0), received.query)
    if "X-Amz-Signature" in query:
        fields = {name.removeprefix("X-Amz-"): value for name, value in query.items()}
        if not fields.get("Expires", "").isdigit():
            raise _failure("X-Amz-Expires must be a number of seconds")
        remaining = "&".join(p for p in received.query.split("&") if not p.startswith("X-Amz-Signature="))
        return _build(fields, fields.get("Date", ""), timedelta(seconds=int(fields["Expires"])), remaining)
    if header.startswith("AWS ") or "Signature" in query or b"SignatureVersion=2" in received.body:
        raise _failure("Signature version 2 is not supported: sign with Signature Version 4 (AWS4-HMAC-SHA256)")
    raise ApiError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)


def _build(fields: Mapping[str, str], timestamp: str, lifetime: timedelta, query: str) -> _Claim:
    scope = fields.get("Credential", "").split("/")
    if len(scope) != 5 or scope[4] != "aws4_request" or not fields.get("SignedHeaders") or not fields.get("Signature"):
        raise ApiError(
            "IncompleteSignature",
            "The authorization needs Credential=<key>/<date>/<region>/<service>/aws4_request, SignedHeaders "
            "and Signature",
        )
    return _Claim(
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(fields["SignedHeaders"].split(";")),
        signature=fields["Signature"],
        timestamp=timestamp,
        lifetime=lifetime,
        query=query,
    )


def _from_date_header(text: str) -> str:
    try:
        moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return text
    return moment.strftime(TIME_FORMAT)


def _check_scope(claim: _Claim, region: str) -> None:
    if claim.service not in SERVICES:
        raise ApiError(
            "SignatureDoesNotMatch",
            f"Credential should be scoped to service 'ec2', not '{claim.service}'",
            403,
        )
    if claim.region != region:
        raise ApiError(
            "SignatureDoesNotMatch", f"Credential should be scoped to region '{region}', not '{claim.region}'", 403
        )


def _check_time(claim: _Claim, now: datetime) -> None:
    try:
        signed = datetime.strptime(claim.timestamp, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise ApiError(
            "IncompleteSignature", "The request needs a date as X-Amz-Date, for example 20261124T120000Z"
        ) from None
    if claim.timestamp[:8] != claim.date:
        raise _failure("The date of the credential scope differs from the date of the request")
    latest = signed + max(SKEW, claim.lifetime)
    if not signed - SKEW <= now <= latest:
        raise ApiError(
            "RequestExpired",
            f"Request has expired: it was signed at {claim.timestamp}, and here it is {now.strftime(TIME_FORMAT)}; "
            "set the clock of the machine that signs",
        )


def _body_hash(received: Received) -> str:
    actual = hashlib.sha256(received.body).hexdigest()
    claimed = received.headers.get("x-amz-content-sha256")
    if claimed is None:
        return actual
    if claimed != UNSIGNED and not hmac.compare_digest(claimed, actual):
        raise _failure("The body does not have the hash of the header x-amz-content-sha256")
    return claimed


class _Canonical(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer with the signed headers chosen by the client."""

    def __init__(self, credentials: Credentials, claim: _Claim, body_hash: str) -> None:
        super().__init__(credentials, claim.service, claim.region)
        self._claim = claim
        self._body_hash = body_hash

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002 - botocore's signature
        return self._body_hash

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        chosen = HTTPHeaders()
        for name in self._claim.signed_headers:
            chosen[name.lower()] = request.headers[name]
        return chosen

    def canonical_query_string(self, request: AWSRequest) -> str:  # noqa: ARG002 - botocore's signature
        pairs = parse_qsl(self._claim.query, keep_blank_values=True)
        encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
        return "&".join(f"{name}={value}" for name, value in encoded)


def _sign(received: Received, claim: _Claim, key: Key, body_hash: str) -> str:
    headers = {name: received.headers.get(name, "") for name in claim.signed_headers}
    request = AWSRequest(
        method=received.method, url=f"http://{headers.get('host', '')}{received.path}", data=received.body
    )
    for name, value in headers.items():
        request.headers[name] = value
    request.context["timestamp"] = claim.timestamp
    signer = _Canonical(Credentials(claim.access_key_id, key.secret), claim, body_hash)
    signature: str = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return signature


def header_map(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Raw headers with lower-case names; repeated ones joined by a comma (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers
