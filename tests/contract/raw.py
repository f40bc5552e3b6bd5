"""Requests byte by byte: for what no client of ours would send, and for what a client's parser would hide."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.conftest import Service

VERSION = "2016-11-15"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def send(service: Service, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """One request exactly as given; `target` is path and query."""
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=10)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def signed(
    service: Service,
    action: str,
    parameters: str | Mapping[str, str] = "",
    *,
    version: str = VERSION,
    scope: str = "ec2",
    region: str | None = None,
    secret: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A signed POST; `parameters` as a form or as text that is already encoded."""
    text = parameters if isinstance(parameters, str) else urlencode(parameters)
    frame = {"Action": action} | ({"Version": version} if version else {})
    body = "&".join(part for part in (urlencode(frame), text) if part).encode()
    return _signed_post(service, body, scope, region, secret, headers)


def signed_octets(service: Service, action: str, form: bytes) -> Answer:
    """A signed POST whose form is given as octets, of whatever kind."""
    return _signed_post(service, f"Action={action}&Version={VERSION}&".encode() + form)


def _signed_post(
    service: Service,
    body: bytes,
    scope: str = "ec2",
    region: str | None = None,
    secret: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    request = AWSRequest("POST", service.url + "/", headers=FORM | dict(headers or {}), data=body)
    request.headers["Host"] = urlsplit(service.url).netloc
    credentials = Credentials(service.access_key_id, secret or service.secret_access_key)
    SigV4Auth(credentials, scope, region or service.settings.region).add_auth(request)
    return send(service, "POST", "/", dict(request.headers.items()), body)


def presigned(service: Service, action: str, parameters: str = "", expires: int = 60) -> str:
    """Path and query of a GET whose signature is in the query."""
    url = f"{service.url}/?Action={action}&Version={VERSION}" + (f"&{parameters}" if parameters else "")
    request = AWSRequest("GET", url)
    credentials = Credentials(service.access_key_id, service.secret_access_key)
    SigV4QueryAuth(credentials, "ec2", service.settings.region, expires=expires).add_auth(request)
    parts = urlsplit(request.url)
    return f"{parts.path}?{parts.query}"


def get(service: Service, target: str) -> Answer:
    """A GET without a header but Host."""
    return send(service, "GET", target, {"Host": urlsplit(service.url).netloc})
