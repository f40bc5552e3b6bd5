"""The HTTP edge: one ASGI application that answers the EC2 and STS Query protocols.

A request passes: size, signature, parameters, dispatch, answer. Everything behind the edge is synchronous and runs in
a worker thread. Whatever goes wrong becomes one of EC2's error documents: a client never sees a traceback, and a
failure of the store is an error to the caller, never a half-made resource. Every answer has the request's id in its
header and body, and a line in the log.

Which service is meant is told by the version that a request names, and by the scope of its credential otherwise.

References: EC2 API reference, "Making requests", "Common error types"; STS API reference, "Common parameters";
RFC 9110 (methods, 413).
"""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

from twinbore import __version__
from twinbore.api import codec, form, sts
from twinbore.api.accounts import KeyRing
from twinbore.api.authorization import Caller
from twinbore.api.dispatch import Dispatcher
from twinbore.api.errors import ApiError
from twinbore.api.operation import Randomness
from twinbore.api.sigv4 import Received, header_map, verify
from twinbore.api.streamed import Streamed
from twinbore.model.settings import Settings
from twinbore.store.database import Database, StoreError

MAX_BODY: Final = 1 << 20
"""Octets; EC2's longest requests are some 100 KiB."""

MAX_DISCARDED: Final = 16 << 20
"""Octets of a longer body that are read and thrown away: a client that sends before it reads gets its answer so."""

METHODS: Final = ("GET", "POST")
HEALTH: Final = "/health"
HEALTH_METHODS: Final = ("GET", "HEAD")
HEADERS: Final = (
    (b"server", b"Twinbore"),
    (b"cache-control", b"no-cache, no-store"),
    (b"content-type", b"text/xml;charset=UTF-8"),
)
LOGGED_CHARACTERS: Final = 64
THREADS: Final = 2
"""Requests that are worked on at once; the others wait. They share one interpreter: more would not make it quicker."""

STALLED_SECONDS: Final = 60.0
"""How long a client may take nothing of a long answer, which holds a snapshot of the database."""

Answer = TypeVar("Answer")


class Endpoint:
    """Answers requests; one for an application."""

    def __init__(
        self, database: Database, settings: Settings, clock: Callable[[], datetime], random: Randomness
    ) -> None:
        self._dispatcher = Dispatcher(database, settings, clock, random)
        self._keys = KeyRing(database)
        self._region = settings.region
        self._clock = clock
        self._random = random
        self._threads = ThreadPoolExecutor(THREADS, "api")
        self._log = structlog.get_logger("api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        http = HttpRequest(scope, receive)
        if scope["path"] == HEALTH and http.method in HEALTH_METHODS:
            await _health()(scope, receive, send)
            return
        begun = time.monotonic()
        request_id = str(UUID(self._random.hex(32)))
        facts: dict[str, Any] = {"request_id": request_id}
        content: bytes | Streamed
        try:
            received = await _receive(http)
            content, status = await self._in_thread(self._answer, received, request_id, facts), 200
        except ClientDisconnect:
            content, status = b"", 400
        except ApiError as error:
            content, status = _error_answer(error, request_id, facts), error.status
        except StoreError as error:
            self._log.error("store failure", reason=str(error), **facts)
            content, status = _error_answer(_failure("Unavailable", request_id, 503), request_id, facts), 503
        except Exception:
            # As text: what formats an exception for a terminal shows local variables too, and secrets are among them.
            self._log.error("internal error", traceback=traceback.format_exc(), **facts)
            content, status = _error_answer(_failure("InternalError", request_id, 500), request_id, facts), 500
        headers = [*HEADERS, (b"x-amzn-requestid", request_id.encode())]
        if "retry_after" in facts:
            headers.append((b"retry-after", str(facts["retry_after"]).encode()))
        if isinstance(content, Streamed):
            await self._stream(http, send, headers, content, facts)
        self._log.info("request", status=status, ms=round((time.monotonic() - begun) * 1000, 1), **facts)
        if isinstance(content, bytes):
            headers.append((b"content-length", str(len(content)).encode()))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    async def _stream(
        self,
        http: HttpRequest,
        send: Send,
        headers: list[tuple[bytes, bytes]],
        content: Streamed,
        facts: dict[str, Any],
    ) -> None:
        """Send a long answer. After an error it stays without its end, and the server breaks the connection off."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while piece := await self._in_thread(content.piece):
                await asyncio.wait_for(
                    send({"type": "http.response.body", "body": piece, "more_body": True}), STALLED_SECONDS
                )
                if await http.is_disconnected():
                    facts["error"] = "ClientDisconnected"
                    return
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            facts["error"] = "ClientStalled"
        except Exception:
            facts["error"] = "InternalError"
            self._log.error("an answer was broken off", traceback=traceback.format_exc(), **facts)
        finally:
            await self._in_thread(content.close)

    async def _in_thread(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _answer(self, received: Received, request_id: str, facts: dict[str, Any]) -> bytes | Streamed:
        parameters = form.parameters(received.query, received.body if received.method == "POST" else b"")
        named = dict(parameters)
        action, version = named.get("Action", ""), named.get("Version", "")
        facts |= {"service": "sts" if version == sts.VERSION else "ec2", "action": action[:LOGGED_CHARACTERS]}
        identity = verify(received, self._keys.find, self._region, self._clock())
        if not version:
            facts["service"] = identity.service
        key = identity.key
        facts |= {"account": key.account_id, "access_key": identity.access_key_id}
        caller = Caller(key.account_id, identity.access_key_id, key.name, key.policy, self._region)
        if facts["service"] == "sts":
            return sts.answer(action, caller, request_id)
        version = version or codec.CURRENT_VERSION
        return self._dispatcher.answer(caller, action, version, parameters, request_id)


def create_app(database: Database, settings: Settings, clock: Callable[[], datetime], random: Randomness) -> Endpoint:
    """The application; `clock` gives the time of day in UTC."""
    return Endpoint(database, settings, clock, random)


def _health() -> HttpResponse:
    return HttpResponse(json.dumps({"status": "ok", "version": __version__}), media_type="application/json")


def _error_answer(error: ApiError, request_id: str, facts: dict[str, Any]) -> bytes:
    """The refusal as its service writes it; the log's line gets its code."""
    facts["error"] = error.code
    if error.retry_after is not None:
        facts["retry_after"] = error.retry_after
    write = codec.query_error_answer if facts.get("service") == "sts" else codec.error_answer
    return write(error, request_id)


def _failure(code: str, request_id: str, status: int) -> ApiError:
    what = "cannot store anything at the moment" if code == "Unavailable" else "has met an internal error"
    return ApiError(
        code, f"The service {what}. Try again; if it stays so, look for request {request_id} in its log.", status
    )


async def _receive(http: HttpRequest) -> Received:
    if http.method not in METHODS:
        raise ApiError("MethodNotAllowed", f"{http.method} is not a method of this service: use GET or POST.", 405)
    chunks: list[bytes] = []
    size = 0
    async for chunk in http.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        elif size > MAX_DISCARDED:
            break
    if size > MAX_BODY:
        raise ApiError("RequestEntityTooLarge", f"The request has more than {MAX_BODY} octets.", 413)
    return Received(
        method=http.method,
        path=http.scope["raw_path"].decode("latin-1"),
        query=http.scope["query_string"].decode("latin-1"),
        headers=header_map(http.scope["headers"]),
        body=b"".join(chunks),
    )
