"""A client for EC2's Query protocol that costs next to nothing, so that the server is what is measured.

Requests are signed beforehand and sent as octets over kept connections; an answer is read as far as its framing says
and kept as octets. A request's latency is the time from its first octet sent to its answer's last one received. Several
clients are threads of this process, each with a connection of its own; the work is dealt out in turn.

What the client itself costs (some 0.05 ms a request, on the machine that the server runs on) is the same for each
server.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.measure import NotReached
from twinbore.lab.service import REGION

_END_OF_HEADERS: Final = b"\r\n\r\n"
_RECEIVE: Final = 1 << 18
_TIMEOUT_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is running: `name` in figures, `address` as host:port, the key it knows, its process."""

    name: str
    address: str
    credentials: Credentials
    pid: int

    def request(self, action: str, **parameters: str) -> bytes:
        """A signed request as the octets that go over the wire."""
        body = urlencode({"Action": action, "Version": "2016-11-15", **parameters})
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", f"http://{self.address}/", headers, body)
        SigV4Auth(self.credentials, "ec2", REGION).add_auth(request)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        head = ["POST / HTTP/1.1", f"Host: {self.address}", *lines, f"Content-Length: {len(body)}"]
        return "\r\n".join(head).encode() + _END_OF_HEADERS + body.encode()

    def call(self, action: str, **parameters: str) -> str:
        """The answer to one request, over a connection of its own."""
        return run(self, [self.request(action, **parameters)], 1).answers[0].decode()


@dataclass(frozen=True, slots=True)
class Timing:
    """What a number of requests took: each one's latency in ms, all of them in seconds, and the answers in order."""

    latencies: tuple[float, ...]
    seconds: float
    answers: tuple[bytes, ...]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, hundredth: int) -> float:
        """The latency that so many of a hundred requests do not exceed (nearest rank)."""
        ordered = sorted(self.latencies)
        return ordered[max(0, -(-len(ordered) * hundredth // 100) - 1)]


def run(server: Server, requests: Sequence[bytes], clients: int) -> Timing:
    """Send the requests by so many clients at once. Raises `NotReached` for an answer other than success."""
    latencies = [0.0] * len(requests)
    answers = [b""] * len(requests)
    failures: list[Exception] = []
    barrier = threading.Barrier(clients + 1)

    def work(first: int) -> None:
        try:
            with Connection(server.address) as connection:
                barrier.wait()
                for number in range(first, len(requests), clients):
                    begin = time.perf_counter()
                    answers[number] = connection.ask(requests[number])
                    latencies[number] = (time.perf_counter() - begin) * 1000
        except (OSError, NotReached, ValueError) as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):
        barrier.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    if failures:
        raise NotReached(f"{server.name}: {failures[0]}")
    return Timing(tuple(latencies), seconds, tuple(answers))


class Connection:
    """One kept HTTP/1.1 connection. A context manager: leaving it closes it."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=_TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._address = address

    def ask(self, request: bytes) -> bytes:
        """The body of the answer. Raises `NotReached` for another status than 200 or an answer that breaks off."""
        try:
            self._socket.sendall(request)
            return self._answer()
        except BrokenPipeError as error:
            raise NotReached(f"the server has closed the connection: {error}") from error

    def _answer(self) -> bytes:
        received = bytearray()
        while (end := received.find(_END_OF_HEADERS)) < 0:
            self._more(received)
        status, *lines = received[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        del received[: end + len(_END_OF_HEADERS)]
        body = self._chunks(received) if "transfer-encoding" in headers else self._sized(received, headers)
        if status.split()[1] != "200":
            raise NotReached(f"{status}: {body.decode(errors='replace')}")
        if headers.get("connection", "").lower() == "close":
            self._reconnect()
        return body

    def _sized(self, received: bytearray, headers: dict[str, str]) -> bytes:
        size = int(headers["content-length"])
        while len(received) < size:
            self._more(received)
        return bytes(received)

    def _chunks(self, received: bytearray) -> bytes:
        parts: list[bytes] = []
        start = 0
        while True:
            while (end := received.find(b"\r\n", start)) < 0:
                self._more(received)
            size = int(received[start:end], 16)
            start = end + 2
            while len(received) < start + size + 2:
                self._more(received)
            parts.append(bytes(received[start : start + size]))
            start += size + 2
            if size == 0:
                return b"".join(parts)

    def _more(self, received: bytearray) -> None:
        octets = self._socket.recv(_RECEIVE)
        if not octets:
            raise NotReached("the answer breaks off")
        received += octets

    def _reconnect(self) -> None:
        self._socket.close()
        self.__init__(self._address)  # type: ignore[misc]

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
