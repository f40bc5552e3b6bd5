"""The BGP engine with real BIRDs: path selection, announcements, limits, failures, adoption."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from twinbore.engines import netns
from twinbore.engines.bgp.engine import BgpEngine
from twinbore.engines.process import Identity
from twinbore.model.desired import Bfd, BgpPlan, BgpSession, RoutingDomain, TunnelRoute
from twinbore.model.observed import BgpObservation, LearnedRoute

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

BIRD = "/usr/sbin/bird"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def run(*argv: str) -> str:
    result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, f"{' '.join(argv)}: {result.stderr or result.stdout}"
    return result.stdout


@dataclass
class Customer:
    """A customer gateway: BIRD in a namespace of its own, one session for each tunnel."""

    netns: str
    asn: int
    directory: Path
    tunnels: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Interface: our inside address, the gateway's."""
    process: subprocess.Popen[bytes] | None = None

    def configure(self, prefixes: dict[str, str], *, exports: dict[str, str] | None = None, bfd: bool = False) -> None:
        """Announce prefixes (each to a type of next hop); `exports` gives filter statements for an interface."""
        routes = " ".join(f"route {prefix} {kind};" for prefix, kind in prefixes.items())
        lines = [
            f"router id 192.0.2.{self.asn % 250 + 1};",
            "protocol device { }",
            "protocol bfd { }" if bfd else "",
            f"protocol static lan {{ ipv4; {routes} }}",
        ]
        for interface, (local, peer) in self.tunnels.items():
            statements = (exports or {}).get(interface, "")
            lines.append(
                f"protocol bgp to_{interface} {{ local {local} as {self.asn}; neighbor {peer} as 64512; direct; "
                f"connect delay time 1; connect retry time 1; error wait time 1,2; "
                + ("bfd { interval 100 ms; multiplier 3; }; " if bfd else "")
                + "ipv4 { import all; export filter { if source != RTS_STATIC then reject; "
                f"{statements} accept; }}; }}; }}"
            )
        (self.directory / "bird.conf").write_text("\n".join(lines) + "\n")
        if self.process is None:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.netns, BIRD, "-f", "-c", "bird.conf", "-s", "bird.ctl"], cwd=self.directory
            )
        else:
            self.control("configure")

    def control(self, command: str) -> str:
        return run("birdc", "-s", str(self.directory / "bird.ctl"), command)

    def received(self) -> dict[str, str]:
        """The prefixes that it was announced and their AS_PATH."""
        found: dict[str, str] = {}
        prefix = ""
        for line in self.control("show route where source = RTS_BGP all").splitlines():
            if line[:1].isdigit():
                prefix = line.split()[0]
            elif line.strip().startswith("BGP.as_path:"):
                found[prefix] = line.partition(":")[2].strip()
        return found

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


class Lab:
    """A routing domain with tunnels (veth pairs) to customers, and the engine's events."""

    def __init__(self, directory: Path) -> None:
        self.tag = f"tb{secrets.token_hex(3)}"
        self.gateway = f"{self.tag}-vgw"
        self.directory = directory
        self.customers: list[Customer] = []
        self.sessions: list[BgpSession] = []
        self.events = 0
        run("ip", "netns", "add", self.gateway)
        run("ip", "-n", self.gateway, "link", "set", "lo", "up")

    def customer(self, asn: int, tunnels: int) -> Customer:
        number = len(self.customers)
        name = f"{self.tag}-c{number}"
        run("ip", "netns", "add", name)
        directory = self.directory / f"c{number}"
        directory.mkdir()
        made = Customer(name, asn, directory)
        for index in range(tunnels):
            interface = f"t{number}{index}"
            base = f"169.254.{number}.{4 * index}"
            ours, theirs = (base[: base.rindex(".") + 1] + str(4 * index + host) for host in (1, 2))
            run("ip", "link", "add", interface, "netns", self.gateway, "type", "veth",
                "peer", "name", interface, "netns", name)  # fmt: skip
            for where, address in ((self.gateway, ours), (name, theirs)):
                run("ip", "-n", where, "address", "add", f"{address}/30", "dev", interface)
                run("ip", "-n", where, "link", "set", interface, "up")
            made.tunnels[interface] = (theirs, ours)
            self.sessions.append(
                BgpSession(f"s_{interface}", interface, ours, theirs, asn, 100 * index, index + 1, import_limit=5)
            )
        self.customers.append(made)
        return made

    def plan(self, **changes: object) -> BgpPlan:
        domain = RoutingDomain(
            self.gateway, self.gateway, "10.254.0.1", 64512, ("10.0.0.0/16",), tuple(sorted(self.sessions))
        )
        return BgpPlan((replace(domain, **changes),))  # type: ignore[arg-type]

    def on_event(self) -> None:
        self.events += 1

    def kernel(self) -> dict[str, str]:
        """Prefix to interface, of BIRD's routes in the domain's main table."""
        routes = run("ip", "-n", self.gateway, "route", "show", "proto", "bird").splitlines()
        return {line.split()[0]: line.split("dev ")[1].split()[0] for line in routes}

    def link(self, interface: str, state: str) -> None:
        run("ip", "-n", self.gateway, "link", "set", interface, state)

    @asynccontextmanager
    async def engine(self, clock: Callable[[], float] = time.monotonic) -> AsyncIterator[BgpEngine]:
        engine = BgpEngine(run_dir=self.directory / "bgp", on_event=self.on_event, clock=clock)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()

    def bird_pid(self) -> int:
        return int((self.directory / "bgp" / self.gateway / "bird.pid").read_text().split()[0])

    def close(self) -> None:
        for customer in self.customers:
            customer.stop()
        for pid_file in (self.directory / "bgp").glob("*/bird.pid"):
            identity = Identity.parse(pid_file.read_text())
            if identity is not None and Identity.of(identity.pid) == identity:
                os.kill(identity.pid, signal.SIGKILL)
                os.waitpid(identity.pid, 0)
        for name in (self.gateway, *(customer.netns for customer in self.customers)):
            netns.delete(name)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        made.close()


async def until(
    engine: BgpEngine, condition: Callable[[BgpObservation], bool], seconds: float = 15.0
) -> BgpObservation:
    deadline = time.monotonic() + seconds
    while True:
        seen = await engine.observe()
        if condition(seen):
            return seen
        assert time.monotonic() < deadline, f"did not come true within {seconds} s: {seen}"
        await asyncio.sleep(0.05)


async def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """Seconds until the condition holds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"did not come true within {seconds} s"
        await asyncio.sleep(0.002)
    return time.monotonic() - started


def established(count: int, accepted: int) -> Callable[[BgpObservation], bool]:
    return lambda seen: (
        sum(s.established for s in seen.sessions) == count and sum(s.accepted for s in seen.sessions) == accepted
    )


def best(seen: BgpObservation) -> dict[str, str]:
    return {route.prefix: route.session for route in seen.routes if route.best}


async def test_paths_are_chosen_as_aws_does(lab: Lab) -> None:
    customer = lab.customer(65000, 2)
    customer.configure(
        dict.fromkeys(("0.0.0.0/0", *(f"192.168.{i}.0/24" for i in range(4))), "blackhole"),
        exports={
            "t00": "bgp_med = 50; if net = 192.168.1.0/24 then bgp_path.prepend(65000); "
            "if net = 192.168.3.0/24 then bgp_med = 10;",
            "t01": "bgp_med = 50; if net = 192.168.2.0/24 then bgp_med = 20; if net = 192.168.1.0/24 then bgp_med = 99;"
            "if net = 192.168.3.0/24 then { bgp_med = 5; bgp_path.prepend(65000); }",
        },
    )  # fmt: skip
    async with lab.engine() as engine:
        static = (
            TunnelRoute("172.20.0.0/16", "t01", "169.254.0.6", 2),
            TunnelRoute("172.20.0.0/16", "t00", "169.254.0.2", 1),
        )
        changes = await engine.apply(lab.plan(static_routes=static))
        assert changes.done == (f"Started BIRD of {lab.gateway}",)
        assert not changes.failed
        assert not await engine.apply(lab.plan(static_routes=static)), "a second apply must find nothing to do"
        seen = await until(engine, established(2, 10))
        assert best(seen) == {
            "0.0.0.0/0": "s_t00",
            "172.20.0.0/16": "t00",
            "192.168.0.0/24": "s_t00",
            "192.168.1.0/24": "s_t01",
            "192.168.2.0/24": "s_t01",
            "192.168.3.0/24": "s_t00",
        }
        await eventually(lambda: len(lab.kernel()) == 6)
        assert lab.kernel()["default"] == "t00"
        assert lab.kernel()["192.168.2.0/24"] == "t01"
        assert LearnedRoute(lab.gateway, "192.168.1.0/24", "s_t00", (65000, 65000), 50, False) in seen.routes
        assert {s.advertised for s in seen.sessions} == {2}, "the VPC, and the static connection's prefix"
        assert {s.last_error for s in seen.sessions} == {""}
        lab.link("t00", "down")
        took = await eventually(lambda: set(lab.kernel().values()) == {"t01"})
        print(f"routes moved {took * 1000:.0f} ms after the link went down (with the cost of looking)")


async def test_a_static_route_beats_bgp_and_its_own_prefix_does_not_come_back(lab: Lab) -> None:
    customer = lab.customer(65000, 2)
    customer.configure({"192.168.0.0/24": "blackhole", "10.0.0.0/16": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan(static_routes=(TunnelRoute("192.168.0.0/24", "t01", "169.254.0.6", 1),)))
        seen = await until(engine, established(2, 4))
        assert best(seen)["192.168.0.0/24"] == "t01"
        assert [r.session for r in seen.routes if r.prefix == "10.0.0.0/16"] == ["s_t00", "s_t01"], (
            "a customer's announcement of our own prefix is seen, and does not hide ours"
        )
        await eventually(lambda: customer.received().get("10.0.0.0/16") == "64512")


async def test_sites_reach_each_other_and_never_hear_themselves(lab: Lab) -> None:
    one, two = lab.customer(65001, 2), lab.customer(65002, 1)
    one.configure({"192.168.1.0/24": "blackhole", "192.168.9.0/24": "blackhole"})
    two.configure({"192.168.2.0/24": "blackhole", "192.168.9.0/24": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(3, 6))
        await eventually(lambda: len(two.received()) == 3 and len(one.received()) == 2)
        assert two.received() == {
            "10.0.0.0/16": "64512",
            "192.168.1.0/24": "64512 65001",
            "192.168.9.0/24": "64512 65001",
        }
        assert one.received() == {"10.0.0.0/16": "64512", "192.168.2.0/24": "64512 65002"}, (
            "nothing of its own, and not the second-best path for what we reach through itself"
        )
        med = two.control("show route 192.168.1.0/24 all")
        assert "BGP.med: 0" in med
        one.control("disable lan")
        await until(engine, established(3, 2))
        await eventually(lambda: set(two.received()) == {"10.0.0.0/16"})


async def test_the_second_tunnel_announces_a_higher_med(lab: Lab) -> None:
    customer = lab.customer(65001, 2)
    customer.configure({})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(2, 0))
        await eventually(lambda: "BGP.med: 100" in customer.control("show route protocol to_t01 all"))
        assert "BGP.med: 0" in customer.control("show route protocol to_t00 all")


async def test_the_inside_addresses_of_tunnels_cannot_be_taken_over(lab: Lab) -> None:
    customer = lab.customer(65001, 2)
    customer.configure({"169.254.77.1/32": "blackhole", "169.254.0.0/16": "blackhole", "192.168.1.0/24": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        seen = await until(engine, established(2, 2))
        assert {route.prefix for route in seen.routes} == {"192.168.1.0/24"}
        assert set(lab.kernel()) == {"192.168.1.0/24"}


async def test_too_many_prefixes_take_the_session_down_for_a_while(lab: Lab) -> None:
    customer = lab.customer(65001, 2)
    few = dict.fromkeys((f"192.168.{i}.0/24" for i in range(5)), "blackhole")
    customer.configure(few)
    now = 0.0
    async with lab.engine(clock=lambda: now) as engine:
        await engine.apply(lab.plan())
        await until(engine, established(2, 10))
        customer.configure({**few, "192.168.77.0/24": "blackhole"})
        seen = await until(engine, established(0, 0))
        assert [s.state for s in seen.sessions] == ["Idle", "Idle"]
        assert "Maximum prefix exceeded" in seen.sessions[0].last_error
        assert "at most 5" in seen.sessions[0].last_error
        customer.configure(few)
        assert not await engine.apply(lab.plan()), "it rests"
        now = 301.0
        changes = await engine.apply(lab.plan())
        assert len(changes.done) == 2
        assert "s_t00" in changes.done[0]
        await until(engine, established(2, 10))


async def test_events_come_at_once_and_bfd_notices_silence(lab: Lab) -> None:
    customer = lab.customer(65001, 1)
    customer.configure({"192.168.0.0/24": "blackhole"}, bfd=True)
    lab.sessions = [replace(s, bfd=Bfd(100, 3)) for s in lab.sessions]
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(1, 1))
        await asyncio.sleep(2.0)
        lab.events = 0
        await asyncio.sleep(1.0)
        assert lab.events == 0, "a quiet session makes no events"

        customer.control("disable lan")
        assert await eventually(lambda: lab.events > 0) < 0.2
        await until(engine, established(1, 0))
        customer.control("enable lan")
        await until(engine, established(1, 1))

        assert customer.process is not None
        started = time.monotonic()
        os.kill(customer.process.pid, signal.SIGSTOP)
        try:
            seen = await until(engine, established(0, 0), seconds=3.0)
            print(f"BFD took the session down after {(time.monotonic() - started) * 1000:.0f} ms")
            assert "BFD" in seen.sessions[0].last_error
            await eventually(lambda: lab.kernel() == {})
        finally:
            os.kill(customer.process.pid, signal.SIGCONT)
        await until(engine, established(1, 1))


async def test_an_interface_that_goes_down_takes_its_routes_with_it_at_once(lab: Lab) -> None:
    customer = lab.customer(65001, 2)
    customer.configure({"192.168.0.0/24": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(2, 2))
        await eventually(lambda: lab.kernel() == {"192.168.0.0/24": "t00"})
        await asyncio.sleep(1.5)
        lab.events = 0
        lab.link("t00", "down")
        noticed = await eventually(lambda: lab.events > 0)
        moved = await eventually(lambda: lab.kernel() == {"192.168.0.0/24": "t01"})
        print(f"event after {noticed * 1000:.0f} ms, routes moved {moved * 1000:.0f} ms later")
        assert noticed + moved < 0.5
        seen = await engine.observe()
        assert {s.session: s.state for s in seen.sessions} == {"s_t00": "Idle", "s_t01": "Established"}
        assert seen.sessions[0].last_error == "the tunnel's interface is down"
        lab.link("t00", "up")
        await until(engine, established(2, 2))


async def test_changing_one_session_leaves_the_others_alone(lab: Lab) -> None:
    customer = lab.customer(65001, 2)
    customer.configure({"192.168.0.0/24": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(2, 2))
        since = customer.control("show protocols to_t00").splitlines()[-1]
        lab.sessions[1] = replace(lab.sessions[1], hold_time=60, keepalive_time=20)
        changes = await engine.apply(lab.plan(advertised=("10.0.0.0/16", "10.1.0.0/16")))
        assert changes.done == (f"Reconfigured BIRD of {lab.gateway}",)
        await eventually(lambda: len(customer.received()) == 2)
        await until(engine, established(2, 2))
        assert customer.control("show protocols to_t00").splitlines()[-1] == since


async def test_bird_outlives_the_engine_and_is_adopted(lab: Lab) -> None:
    lab.customer(65001, 1).configure({"192.168.0.0/24": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(1, 1))
    pid = lab.bird_pid()
    before = (lab.directory / "bgp" / lab.gateway / "bird.conf").stat().st_mtime_ns
    async with lab.engine() as fresh:
        assert established(1, 1)(await fresh.observe()), "seen before anything is applied"
        assert not await fresh.apply(lab.plan())
        assert not await fresh.prune(lab.plan())
        assert lab.bird_pid() == pid
        assert (lab.directory / "bgp" / lab.gateway / "bird.conf").stat().st_mtime_ns == before
        lab.events = 0
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: lab.events > 0)
        assert lab.kernel(), "a killed BIRD leaves its routes behind"
        seen = await fresh.observe()
        assert [(s.state, s.accepted) for s in seen.sessions] == [("Idle", 0)]
        assert "BIRD" in seen.sessions[0].last_error
        assert (await fresh.apply(lab.plan())).done == (f"Started BIRD of {lab.gateway}",)
        await eventually(lambda: lab.kernel() == {}, 2.0)
        await until(fresh, established(1, 1))


async def test_a_namespace_that_was_replaced_gets_a_bird_of_its_own(lab: Lab) -> None:
    lab.customer(65001, 1)
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        pid = lab.bird_pid()
        run("ip", "netns", "delete", lab.gateway)
        assert (await engine.apply(lab.plan())).failed
        run("ip", "netns", "add", lab.gateway)
        changes = await engine.apply(lab.plan())
        assert changes.done == (f"Started BIRD of {lab.gateway}",)
        assert lab.bird_pid() != pid
        assert Identity.of(pid) is None
        lab.events = 0
        run("ip", "-n", lab.gateway, "link", "set", "lo", "up")
        await eventually(lambda: lab.events > 0)


async def test_teardown_after_a_crash_leaves_nothing(lab: Lab) -> None:
    lab.customer(65001, 1).configure({"192.168.0.0/24": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(1, 1))
        await eventually(lambda: bool(lab.kernel()))
        os.kill(lab.bird_pid(), signal.SIGKILL)
    async with lab.engine() as fresh:
        await fresh.teardown()
        assert lab.kernel() == {}
        assert list((lab.directory / "bgp").iterdir()) == []
        assert not await fresh.teardown()


async def test_prune_stops_bird(lab: Lab) -> None:
    lab.customer(65001, 1).configure({"192.168.0.0/24": "blackhole"})
    async with lab.engine() as engine:
        await engine.apply(lab.plan())
        await until(engine, established(1, 1))
        pid = lab.bird_pid()
        assert (await engine.prune(BgpPlan())).done == (f"Stopped BIRD of {lab.gateway}",)
        assert Identity.of(pid) is None
        assert lab.kernel() == {}
        assert (await engine.observe()) == BgpObservation()


async def test_one_bad_domain_does_not_stop_the_others(lab: Lab) -> None:
    lab.customer(65001, 1)
    good = lab.plan().domains[0]
    bad = replace(good, name="vgw-bad", sessions=(replace(good.sessions[0], hold_time=1),))
    lost = replace(good, name="vgw-lost", netns="vgw-nowhere")
    async with lab.engine() as engine:
        changes = await engine.apply(BgpPlan((bad, good, lost)))
        assert changes.done == (f"Started BIRD of {lab.gateway}",)
        assert {f.subject: f.message.split(":")[0] for f in changes.failed} == {
            "vgw-bad": "hold time 1",
            "vgw-lost": "there is no network namespace vgw-nowhere",
        }
        await engine.teardown()
