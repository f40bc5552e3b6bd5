"""Traffic through a bed, and what of it arrives: TCP (iperf3), echo requests, UDP at a given rate, floods.

UDP is sent and counted by `twinbore-load` (esp/load), which leaves the machine to what is measured.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench import cpu
from bench.bed import HOSTS
from bench.machine import ROOT
from bench.measure import NotReached, seconds_until
from bench.tunnel import Bed
from twinbore.lab.namespaces import inside, run
from twinbore.lab.probe import Probe, Report

LOAD: Final = ROOT / "esp" / "target" / "release" / "twinbore-load"
UDP_PORT: Final = 5300
_YIELDING: Final = ("nice", "-n", "19")
"""Hosts are no part of a gateway: they get what the gateways leave of the processor."""
IP_AND_UDP_HEADERS: Final = 28
_TAIL_SECONDS: Final = 0.1
_numbers = itertools.count(1)


class Transfer(msgspec.Struct, frozen=True):
    """TCP payload in Gbit/s as received; processor seconds of the data path's processes for each GB of it."""

    rate: float
    cpu: float


class Trial(msgspec.Struct, frozen=True):
    """UDP datagrams sent, received and received too late, and the time of sending."""

    sent: int
    received: int
    late: int
    seconds: float

    @property
    def loss(self) -> float:
        return 1 - self.received / self.sent if self.sent else 1.0


class _Sent(msgspec.Struct):
    sent: int
    seconds: float


class _Received(msgspec.Struct):
    received: int
    late: int


@contextmanager
def _iperf_server(bed: Bed, role: str) -> Iterator[None]:
    namespace = bed.lab.name(role)
    server = subprocess.Popen(
        inside(namespace, ["iperf3", "--server", "--one-off", "--interval", "0"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def listens() -> bool:
        command = ["ss", "--no-header", "--listening", "--tcp", "sport = 5201"]
        return bool(run(command, namespace=namespace).strip())

    try:
        seconds_until(listens, 5, "iperf3 listens", pause=0.03)
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def tcp_running(bed: Bed, seconds: float, streams: int = 1, source: str = "left") -> Iterator[subprocess.Popen[bytes]]:
    """TCP from a host to the other one, in the background: iperf3's client, whose output is its report."""
    sink = "right" if source == "left" else "left"
    with _iperf_server(bed, sink):
        options = ["--client", HOSTS[sink], "--time", f"{seconds:g}", "--parallel", str(streams), "--json"]
        command = inside(bed.lab.name(source), ["iperf3", *options])
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            yield client
        finally:
            _end(client)


def tcp_result(bed: Bed, client: subprocess.Popen[bytes], seconds: float) -> tuple[float, float]:
    """Gbit/s and bytes received, when the client has ended. Raises `NotReached`."""
    try:
        output, _ = client.communicate(timeout=seconds + 20)
    except subprocess.TimeoutExpired as error:
        raise NotReached(f"{bed.lab.prefix}: iperf3 does not end") from error
    report = msgspec.json.decode(output)
    if "error" in report:
        raise NotReached(f"{bed.lab.prefix}: iperf3: {report['error']}")
    received = report["end"]["sum_received"]
    return received["bits_per_second"] / 1e9, received["bytes"]


def tcp(bed: Bed, seconds: float, streams: int = 1, source: str = "left") -> Transfer:
    """Throughput of TCP from a host to the other one."""
    with tcp_running(bed, seconds, streams, source) as client:
        before = cpu.seconds(bed.processes.values())
        rate, octets = tcp_result(bed, client, seconds)
        return Transfer(rate, (cpu.seconds(bed.processes.values()) - before) / (octets / 1e9))


def echo(bed: Bed, count: int = 100, interval: float = 0.01) -> Report:
    """Echo requests from left to right: loss and median round-trip time."""
    return Probe(bed.lab.name("left"), HOSTS["right"], interval=interval, count=count).wait()


def single_datagrams(bed: Bed) -> None:
    """Make the hosts' kernels take batches of datagrams apart, so that the gateways get single packets."""
    for host in HOSTS:
        run(["ethtool", "-K", "eth0", "tx-udp-segmentation", "off"], namespace=bed.lab.name(host))


def udp(bed: Bed, size: int, rate: float, seconds: float, source: str = "left") -> Trial:
    """Datagrams of `size` octets of payload, `rate` each second, from a host to the other one."""
    sink = "right" if source == "left" else "left"
    number = str(next(_numbers))
    receive: list[str | Path] = [*_YIELDING, LOAD, "receive", "--port", str(UDP_PORT), "--run", number]
    receiver = subprocess.Popen(
        inside(bed.lab.name(sink), receive), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert receiver.stdout is not None
        if receiver.stdout.readline() != b"ready\n":
            raise NotReached(f"{bed.lab.prefix}: twinbore-load: {receiver.communicate()[1].decode().strip()}")
        send: list[str | Path] = [
            LOAD,
            "send",
            *_load(f"{HOSTS[sink]}:{UDP_PORT}", size, rate, seconds),
            "--run",
            number,
        ]
        sent = msgspec.json.decode(run(send, namespace=bed.lab.name(source)), type=_Sent)
        time.sleep(_TAIL_SECONDS)
        received = msgspec.json.decode(receiver.communicate(timeout=10)[0], type=_Received)
    finally:
        _end(receiver)
    return Trial(sent.sent, received.received, received.late, sent.seconds)


@contextmanager
def flood(bed: Bed, to: str, rate: float, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Unknown ESP from the intruder, `to` an address and port of east, in the background."""
    command: list[str | Path] = [LOAD, "flood", *_load(to, 100, rate, seconds)]
    process = subprocess.Popen(
        inside(bed.lab.name("intruder"), command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        _end(process)


def flood_rate(process: subprocess.Popen[bytes]) -> float:
    """Packets each second that the flood had, when it has ended."""
    sent = msgspec.json.decode(process.communicate()[0], type=_Sent)
    return sent.sent / sent.seconds


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing is left of it, whether or not it had ended."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _load(to: str, size: int, rate: float, seconds: float) -> list[str]:
    return ["--to", to, "--size", str(size), "--rate", f"{rate:.0f}", "--seconds", f"{seconds:g}"]
