"""Loss and gaps of a path: ICMP echo requests at a steady pace, each one accounted for.

Run in a namespace as `python -m twinbore.lab.probe DESTINATION --interval S [--count N]`; it ends after N requests or
on SIGTERM, waits for late replies, and prints a report as JSON. `Probe` is that as an object.

References: RFC 792 (echo), RFC 1071 (checksum).
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Final

import msgspec

from twinbore.lab.namespaces import CommandFailed, inside

MARKER: Final = b"twinbore lab echo request"
"""In every request's payload, so that a capture can show that it is nowhere in clear."""

LATE_REPLY_SECONDS: Final = 1.0
_HEADER: Final = struct.Struct("!BBHHH")
_ECHO_REQUEST: Final = 8
_ECHO_REPLY: Final = 0


class Report(msgspec.Struct, frozen=True):
    """`longest_gap` is the longest time, in seconds, during which no request that was sent got a reply."""

    sent: int
    received: int
    longest_gap: float
    median_ms: float

    @property
    def lost(self) -> int:
        return self.sent - self.received


def summarise(sent: Sequence[float], replied: dict[int, float], interval: float) -> Report:
    """The report over requests sent at the times `sent`; `replied` maps their indices to round-trip times."""
    gap = 0.0
    began: float | None = None
    for index, moment in enumerate(sent):
        if index in replied:
            if began is not None:
                gap = max(gap, moment - began)
            began = None
        elif began is None:
            began = moment
    if began is not None:
        gap = max(gap, sent[-1] + interval - began)
    times = sorted(replied.values())
    return Report(len(sent), len(replied), gap, times[len(times) // 2] * 1000 if times else 0.0)


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(identifier: int, sequence: int, payload: bytes) -> bytes:
    """An ICMP echo request. The payload is padded to an even length."""
    payload += b"\0" * (len(payload) % 2)
    blank = _HEADER.pack(_ECHO_REQUEST, 0, 0, identifier, sequence) + payload
    return _HEADER.pack(_ECHO_REQUEST, 0, checksum(blank), identifier, sequence) + payload


def reply_sequence(packet: bytes, identifier: int) -> int | None:
    """The sequence number of our echo reply in an IPv4 packet, or None for any other packet."""
    start = (packet[0] & 0x0F) * 4
    kind, _, _, its_identifier, sequence = _HEADER.unpack_from(packet, start)
    return sequence if kind == _ECHO_REPLY and its_identifier == identifier else None


def measure(destination: str, interval: float, count: int | None) -> Report:
    """Sends `count` requests (None: until SIGTERM), one each `interval` seconds, and reports."""
    stopped = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    identifier = os.getpid() & 0xFFFF
    sent: list[float] = []
    replied: dict[int, float] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
        link.setblocking(False)
        begin = time.monotonic()
        while not stopped and (count is None or len(sent) < count):
            due = begin + len(sent) * interval
            while (left := due - time.monotonic()) > 0:
                _receive(link, identifier, sent, replied, left)
            with suppress(OSError):  # no route at the moment: the request counts as sent and lost
                link.sendto(echo_request(identifier, len(sent) & 0xFFFF, MARKER), (destination, 0))
            sent.append(time.monotonic())
        deadline = time.monotonic() + LATE_REPLY_SECONDS
        while len(replied) < len(sent) and (left := deadline - time.monotonic()) > 0:
            _receive(link, identifier, sent, replied, left)
    return summarise(sent, replied, interval)


def _receive(
    link: socket.socket, identifier: int, sent: list[float], replied: dict[int, float], timeout: float
) -> None:
    """Waits for one packet; if it answers a request that was sent, notes the round-trip time."""
    if not select.select([link], [], [], timeout)[0]:
        return
    sequence = reply_sequence(link.recv(2048), identifier)
    if sequence is None:
        return
    newest = len(sent) - 1
    index = newest - ((newest - sequence) & 0xFFFF)
    if index >= 0:
        replied.setdefault(index, time.monotonic() - sent[index])


class Probe:
    """A measurement that runs in a namespace, in the background, until `finish`."""

    def __init__(self, namespace: str, destination: str, *, interval: float = 0.02, count: int | None = None) -> None:
        command = [sys.executable, "-P", "-m", "twinbore.lab.probe", destination, "--interval", str(interval)]
        if count is not None:
            command += ["--count", str(count)]
        self._process = subprocess.Popen(
            inside(namespace, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def finish(self) -> Report:
        """Stops sending, waits for late replies, and gives the report."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> Report:
        """Waits for the last of `count` requests, and gives the report."""
        output, said = self._process.communicate()
        if self._process.returncode != 0:
            raise CommandFailed(f"probe: {said.decode().strip()}")
        return msgspec.json.decode(output, type=Report)

    def kill(self) -> None:
        """Ends it without a report. Nothing if it has ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def main() -> None:
    """The command line of the probe."""
    parser = argparse.ArgumentParser()
    parser.add_argument("destination")
    parser.add_argument("--interval", type=float, default=0.02)
    parser.add_argument("--count", type=int)
    arguments = parser.parse_args()
    report = measure(arguments.destination, arguments.interval, arguments.count)
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
