"""The HTTP edge: one ASGI application that answers the EC2 and STS Query protocols.

A request passes: size, signature, parsing, operation, answer. Operations are plain functions; each runs in a worker
thread inside one transaction, a write transaction unless its name says that it only reads. DryRun undoes the
transaction after the operation has succeeded. Whatever goes wrong becomes one of EC2's error documents: a client never
sees a traceback, and a failure of the store is an error to the caller, never a half-made resource.

References: EC2 API reference, "Making requests", "Common error types"; STS API reference, GetCallerIdentity.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

import twinbore.api.ops  # noqa: F401 - registers the operations
from twinbore import __version__
from twinbore.api import codec, errors, sts
from twinbore.api.accounts import find_key
from twinbore.api.errors import ApiError
from twinbore.api.operation import OPERATIONS, READ_ONLY, Call, Randomness
from twinbore.api.sigv4 import Identity, Key, Received, header_map, verify
from twinbore.model.settings import Settings
from twinbore.store.database import Database, StoreError, Transaction

MAX_BODY: Final = 1 << 20
"""Octets; EC2's longest requests are some 100 KiB."""
XML: Final = "text/xml;charset=UTF-8"


class Endpoint:
    """Answers requests; one for an application."""

    def __init__(
        self, database: Database, settings: Settings, clock: Callable[[], datetime], random: Randomness
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._random = random
        self._log = structlog.get_logger("api")

    async def handle(self, http: HttpRequest) -> HttpResponse:
        begun = time.monotonic()
        request_id = str(UUID(self._random.hex(32)))
        body = b""
        facts: dict[str, Any] = {"request_id": request_id}
        try:
            body = await _body(http)
            received = Received(
                method=http.method,
                path=http.scope.get("raw_path", b"/").decode("latin-1").partition("?")[0],
                query=http.url.query,
                headers=header_map(http.scope["headers"]),
                body=body,
            )
            content, status = await run_in_threadpool(self._answer, received, request_id, facts), 200
        except ApiError as error:
            content, status = codec.error_answer(error, request_id), error.status
            facts["error"] = error.code
        except StoreError as error:
            self._log.error("store failure", reason=str(error), **facts)
            content, status = self._failure(
                "Unavailable", "The service cannot store anything at the moment.", request_id
            )
        except Exception:
            self._log.exception("internal error", **facts)
            content, status = self._failure("InternalError", "An internal error has occurred.", request_id)
        self._log.info("request", status=status, ms=round((time.monotonic() - begun) * 1000, 1), **facts)
        headers = {"x-amzn-RequestId": request_id, "Server": "Twinbore"}
        return HttpResponse(content, status, headers=headers, media_type=XML)

    def _failure(self, code: str, message: str, request_id: str) -> tuple[bytes, int]:
        text = f"{message} Try again; if it stays so, look for request {request_id} in the service's log."
        status = 503 if code == "Unavailable" else 500
        return codec.error_answer(ApiError(code, text, status), request_id), status

    def _answer(self, received: Received, request_id: str, facts: dict[str, Any]) -> bytes:
        identity = verify(received, self._key, self._settings.region, self._clock())
        parameters = _parameters(received)
        named = dict(parameters)
        action, version = named.get("Action", ""), named.get("Version", codec.CURRENT_VERSION)
        facts |= {"action": action, "account": identity.account_id}
        if identity.service == "sts":
            return sts.answer(action, identity.account_id, identity.access_key_id, request_id)
        return self._operate(identity, action, version, parameters, request_id)

    def _operate(
        self, identity: Identity, action: str, version: str, parameters: list[tuple[str, str]], request_id: str
    ) -> bytes:
        model = codec.service("ec2")
        if not action:
            raise errors.missing_parameter("Action")
        if action not in model.operation_names:
            raise ApiError("InvalidAction", f"The action {action} is not valid for this web service.")
        operation_model = model.operation_model(action)
        function = OPERATIONS.get(action)
        if function is None:
            return codec.answer(operation_model, _empty_listing(operation_model, action), request_id, version)
        request = codec.parse(operation_model, parameters)
        dry_run = bool(request.pop("DryRun", False))
        reading = action.startswith(READ_ONLY)
        with self._database.read() if reading else self._database.write() as tx:
            result = function(self._call(tx, identity), request)
            if dry_run:
                raise errors.dry_run()
        return codec.answer(operation_model, result, request_id, version)

    def _call(self, tx: Transaction, identity: Identity) -> Call:
        return Call(tx, identity.account_id, self._settings, self._clock(), self._random)

    def _key(self, access_key_id: str) -> Key | None:
        with self._database.read() as tx:
            return find_key(tx, access_key_id)


def create_app(database: Database, settings: Settings, clock: Callable[[], datetime], random: Randomness) -> Starlette:
    """The application; `clock` gives the time of day in UTC."""
    endpoint = Endpoint(database, settings, clock, random)
    return Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Route("/{path:path}", endpoint.handle, methods=["GET", "POST"]),
        ]
    )


async def _health(_http: HttpRequest) -> HttpResponse:
    return HttpResponse(json.dumps({"status": "ok", "version": __version__}), media_type="application/json")


async def _body(http: HttpRequest) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in http.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise ApiError("RequestEntityTooLarge", f"The request has more than {MAX_BODY} bytes", 413)
        chunks.append(chunk)
    return b"".join(chunks)


def _parameters(received: Received) -> list[tuple[str, str]]:
    text = received.body.decode("utf-8", "replace") if received.method == "POST" else received.query
    pairs = parse_qsl(text, keep_blank_values=True)
    if received.method == "POST" and received.query:
        pairs += parse_qsl(received.query, keep_blank_values=True)
    return [(name, value) for name, value in pairs if not name.startswith("X-Amz-")]


def _empty_listing(operation_model: Any, action: str) -> dict[str, Any]:
    """An empty answer for a listing of what does not exist here; every other operation is refused by name."""
    shape = operation_model.output_shape
    lists = [n for n, m in shape.members.items() if m.type_name == "list"] if shape is not None else []
    if not action.startswith("Describe") or not lists:
        raise errors.unsupported(f"The operation {action} is not supported by Twinbore.")
    return {name: [] for name in lists}
