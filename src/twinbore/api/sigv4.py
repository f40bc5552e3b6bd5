"""Signature Version 4, verified.

The request is rebuilt from what arrived (method, path, query, the signed headers, body) and signed again with the
secret of its access key; the two signatures must be equal. Which headers are signed differs much between clients, so
what the client names is what is verified, with the Host as received. Two rules bind all of them: Host and every
X-Amz- header that is there must be signed, and the body's hash is always part of the signature, so that nothing that
decides can be changed on the way.

Errors follow the service that is called. EC2: no authentication at all is MissingAuthenticationToken, an unknown key or
a wrong signature AuthFailure, a request older or younger than `SKEW` RequestExpired; STS has codes of its own
(`REFUSALS`). Secrets never leave this module, and comparing signatures takes the same time wherever they differ.

References: AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"); EC2 API reference, "Common
error types"; RFC 9110 section 5.3 (repeated headers).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, quote

from botocore.utils import remove_dot_segments

from twinbore.api.errors import ApiError
from twinbore.model.permissions import Policy

ALGORITHM: Final = "AWS4-HMAC-SHA256"
OTHER_SCHEMES: Final = ("AWS4-", "AWS ")
"""How the Authorization header begins in other versions of the signature."""

SKEW: Final = timedelta(minutes=5)
"""How old a request may be, or how far ahead of this host's clock (IAM User Guide, "Signature Version 4")."""
MAX_LIFETIME_SECONDS: Final = 604800
SERVICES: Final = ("ec2", "sts")
TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
KEPT_SIGNING_KEYS: Final = 256
INVALID_CREDENTIALS: Final = "AWS was not able to validate the provided access credentials"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came over the wire; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


REFUSALS: Final = {
    ("ec2", "key"): ("AuthFailure", INVALID_CREDENTIALS, 401),
    ("ec2", "signature"): ("AuthFailure", INVALID_CREDENTIALS, 401),
    ("ec2", "time"): ("RequestExpired", "Request has expired", 400),
    ("sts", "key"): ("InvalidClientTokenId", "The security token included in the request is invalid", 403),
    ("sts", "signature"): (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided",
        403,
    ),
    ("sts", "time"): ("SignatureDoesNotMatch", "Signature expired", 403),
}
"""Service and what is wrong → code, the message's beginning, HTTP status."""


@dataclass(frozen=True, slots=True)
class Key:
    """An access key: its account, secret and name, and what it may do."""

    account_id: str
    secret: str = field(repr=False)
    name: str
    enabled: bool
    policy: Policy


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed: the access key, and the service of the credential scope."""

    access_key_id: str
    key: Key
    service: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its signature: `query` is the part of the query that is signed, `lifetime` is None for a
    signature in a header."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    lifetime: timedelta | None
    query: tuple[tuple[str, str], ...]


def verify(received: Received, find_key: Callable[[str], Key | None], region: str, now: datetime) -> Identity:
    """The identity behind a request. Raises `ApiError` when the signature is missing, old or wrong."""
    claim = _claim(received)
    _check_scope(claim, region)
    _check_time(claim, now)
    _check_signed_headers(claim, received)
    body_hash = _body_hash(received)
    key = find_key(claim.access_key_id)
    if key is None:
        raise _refusal(claim, "key", "the access key ID does not exist")
    if not hmac.compare_digest(_sign(received, claim, key, body_hash).encode(), claim.signature.encode()):
        raise _refusal(claim, "signature", "the signature does not match; check the secret access key")
    if not key.enabled:
        raise _refusal(claim, "key", f"the access key {claim.access_key_id} is disabled")
    return Identity(claim.access_key_id, key, claim.service)


def _failure(message: str) -> ApiError:
    return ApiError("AuthFailure", message, 401)


def _refusal(claim: _Claim, what: str, why: str) -> ApiError:
    code, words, status = REFUSALS[claim.service, what]
    return ApiError(code, f"{words}: {why}", status)


def _incomplete(message: str) -> ApiError:
    return ApiError("IncompleteSignature", message)


def _claim(received: Received) -> _Claim:
    header = received.headers.get("authorization", "")
    pairs = tuple(parse_qsl(received.query, keep_blank_values=True))
    query = dict(pairs)
    if header.startswith(ALGORITHM):
        parts = (part.strip().partition("=") for part in header.removeprefix(ALGORITHM).split(","))
        timestamp = received.headers.get("x-amz-date") or _from_date_header(received.headers.get("date", ""))
        return _build({name: value for name, _, value in parts}, timestamp, None, pairs)
    if "X-Amz-Signature" in query:
        fields = {name.removeprefix("X-Amz-"): value for name, value in pairs}
        if fields.get("Algorithm") != ALGORITHM:
            raise _incomplete(f"X-Amz-Algorithm must be {ALGORITHM}")
        seconds = fields.get("Expires", "")
        if not re.fullmatch("[0-9]{1,6}", seconds, re.ASCII) or int(seconds) > MAX_LIFETIME_SECONDS:
            raise _incomplete(f"X-Amz-Expires must be a number of seconds, at most {MAX_LIFETIME_SECONDS}")
        signed = tuple(pair for pair in pairs if pair[0] != "X-Amz-Signature")
        return _build(fields, fields.get("Date", ""), timedelta(seconds=int(seconds)), signed)
    if header.startswith(OTHER_SCHEMES) or "SignatureVersion" in query or b"SignatureVersion=" in received.body:
        raise _failure(f"Only Signature Version 4 ({ALGORITHM}) is supported, not Signature Version 2 or another one")
    raise ApiError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)


def _build(
    fields: Mapping[str, str], timestamp: str, lifetime: timedelta | None, query: tuple[tuple[str, str], ...]
) -> _Claim:
    scope = fields.get("Credential", "").split("/")
    if len(scope) != 5 or scope[4] != "aws4_request" or not fields.get("SignedHeaders") or not fields.get("Signature"):
        raise _incomplete(
            "The authorization needs Credential=<key>/<date>/<region>/<service>/aws4_request, SignedHeaders and "
            "Signature"
        )
    return _Claim(
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(fields["SignedHeaders"].lower().split(";")),
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
    for name, expected, given in (
        ("service", SERVICES, claim.service),
        ("region", (region,), claim.region),
    ):
        if given not in expected:
            allowed = " or ".join(f"'{value}'" for value in expected)
            raise ApiError(
                "SignatureDoesNotMatch", f"Credential should be scoped to {name} {allowed}, not '{given}'.", 403
            )


def _check_time(claim: _Claim, now: datetime) -> None:
    signed = _moment(claim.timestamp)
    if signed is None:
        raise _incomplete("The request needs a date as X-Amz-Date, for example 20261124T120000Z")
    if claim.timestamp[:8] != claim.date:
        raise _failure("The date of the credential scope differs from the date of the request")
    latest = signed + (SKEW if claim.lifetime is None else claim.lifetime)
    if not signed - SKEW <= now <= latest:
        raise _refusal(
            claim,
            "time",
            f"it was signed at {claim.timestamp}, and here it is {now.strftime(TIME_FORMAT)}. Sign it again; if the "
            "two clocks differ, set them.",
        )


@lru_cache(16)
def _moment(timestamp: str) -> datetime | None:
    try:
        return datetime.strptime(timestamp, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _check_signed_headers(claim: _Claim, received: Received) -> None:
    needed = {"host", *(name for name in received.headers if name.startswith("x-amz-"))}
    if claim.lifetime is None and "x-amz-date" not in needed:
        needed.add("date")
    missing = sorted(needed - set(claim.signed_headers))
    if missing:
        raise _failure(f"These headers must be signed: {', '.join(missing)}")
    if "x-amz-security-token" in needed or any(name == "X-Amz-Security-Token" for name, _ in claim.query):
        raise _failure(
            "The security token included in the request is invalid: there are no temporary credentials here. Leave it "
            "out (unset AWS_SESSION_TOKEN)."
        )


def _body_hash(received: Received) -> str:
    actual = hashlib.sha256(received.body).hexdigest()
    claimed = received.headers.get("x-amz-content-sha256", actual)
    if not hmac.compare_digest(claimed.encode(), actual.encode()):
        raise _failure("The body does not have the hash of the header x-amz-content-sha256")
    return actual


def _sign(received: Received, claim: _Claim, key: Key, body_hash: str) -> str:
    text = "\n".join(
        (
            ALGORITHM,
            claim.timestamp,
            f"{claim.date}/{claim.region}/{claim.service}/aws4_request",
            hashlib.sha256(_canonical_request(received, claim, body_hash).encode()).hexdigest(),
        )
    )
    return _hmac(_signing_key(key.secret, claim.date, claim.region, claim.service), text).hex()


def _canonical_request(received: Received, claim: _Claim, body_hash: str) -> str:
    names = sorted(set(claim.signed_headers))
    path = received.path
    if path != "/":
        path = quote(remove_dot_segments(path) if path else "/", safe="/~")
    return "\n".join(
        (
            received.method.upper(),
            path,
            _canonical_query(claim.query) if claim.query else "",
            *(f"{name}:{' '.join(received.headers.get(name, '').split())}" for name in names),
            "",
            ";".join(names),
            body_hash,
        )
    )


def _canonical_query(query: tuple[tuple[str, str], ...]) -> str:
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in encoded)


@lru_cache(KEPT_SIGNING_KEYS)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a credential scope: the same for all requests of a day."""
    derived = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        derived = _hmac(derived, part)
    return derived


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def header_map(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Raw headers with lower-case names; repeated ones joined by a comma (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers
