"""The net engine on the real kernel: reachability, repair, ownership, speed."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from twinbore.engines import netns
from twinbore.engines.net.engine import NetEngine
from twinbore.model.desired import (
    Attachment,
    LocalAddress,
    Namespace,
    NetPlan,
    PacketFilter,
    Port,
    Route,
    Rule,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

EVERYTHING = "0.0.0.0/0"


def run(*argv: str, check: bool = True) -> str:
    result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {result.stderr or result.stdout}")
    return result.stdout


def inside(name: str, *argv: str, check: bool = True) -> str:
    return run("ip", "netns", "exec", name, *argv, check=check)


def pings(name: str, address: str, *options: str) -> bool:
    argv = ("ip", "netns", "exec", name, "ping", "-c1", "-W1", *options, address)
    return subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode == 0


def listen(name: str) -> subprocess.Popen[str]:
    """A TCP server at 10.0.0.11:7000 that takes one connection and prints its MSS."""
    program = (
        "import socket\ns=socket.create_server(('10.0.0.11',7000))\nprint('ready',flush=True)\n"
        "c,_=s.accept()\nprint(c.getsockopt(socket.IPPROTO_TCP,socket.TCP_MAXSEG),flush=True)\nc.recv(1)"
    )
    argv = ("ip", "netns", "exec", name, "python3", "-c", program)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


class World:
    """Names of one test's namespaces, and a plan of one VPC with two workloads behind a gateway's routing domain."""

    def __init__(self) -> None:
        tag = secrets.token_hex(3)
        self.vpc, self.domain = f"tn{tag}-vpc", f"tn{tag}-vgw"
        self.one, self.two = f"tn{tag}-w1", f"tn{tag}-w2"

    @property
    def names(self) -> tuple[str, ...]:
        return self.vpc, self.domain, self.one, self.two

    def port(self, number: int, target: str) -> Port:
        return Port(
            eni_id=f"eni-{number}",
            netns=self.vpc,
            device=f"e{number}",
            address=f"10.0.0.{number}/24",
            gateway="10.0.0.1",
            mac=f"02:00:00:00:00:{number:02x}",
            kind="netns",
            target=target,
            target_device="ens5",
        )

    def plan(self) -> NetPlan:
        return NetPlan(
            namespaces=(Namespace(self.domain, "routing-domain"), Namespace(self.vpc, "vpc")),
            attachments=(Attachment(self.domain, "vpc", "169.254.255.1/30", self.vpc, "vgw", "169.254.255.2/30"),),
            ports=(self.port(11, self.one), self.port(12, self.two)),
            local_addresses=(LocalAddress(self.vpc, "10.0.0.1/32"),),
            routes=(
                Route(self.domain, 100, "10.0.0.0/16", 0, "unicast", "169.254.255.2", "vpc"),
                Route(self.vpc, 100, "10.0.0.0/16", 1000, "unreachable"),
                Route(self.vpc, 100, "10.0.0.11/32", 0, "unicast", "", "e11"),
                Route(self.vpc, 100, "10.0.0.12/32", 0, "unicast", "", "e12"),
                Route(self.vpc, 110, EVERYTHING, 1000, "unreachable"),
                Route(self.vpc, 110, "192.168.0.0/16", 10, "unicast", "169.254.255.1", "vgw"),
                Route(self.vpc, 110, "192.168.9.0/24", 10, "blackhole"),
                Route(self.vpc, 254, EVERYTHING, 10, "unicast", "169.254.255.1", "vgw"),
            ),
            rules=(
                Rule(self.domain, 1000, 100, "", "10.0.0.0/16"),
                Rule(self.vpc, 1000, 100, "", "10.0.0.0/16"),
                Rule(self.vpc, 2000, 110, "e11"),
                Rule(self.vpc, 2000, 110, "e12"),
            ),
            filters=(
                PacketFilter(self.domain, (("vpc", ("10.0.0.0/16",)),), (("t1", ("127.0.0.0/8",)),), (("t1", 1379),)),
                PacketFilter(self.vpc, (("e11", ("10.0.0.11/32",)), ("e12", ("10.0.0.12/32",)))),
            ),
        )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    for workload in (made.one, made.two):
        run("ip", "netns", "add", workload)
    try:
        yield made
    finally:
        for name in made.names:
            netns.delete(name)


@asynccontextmanager
async def engine_at(run_dir: Path) -> AsyncIterator[NetEngine]:
    engine = NetEngine(run_dir=run_dir / "net")
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


async def test_workloads_reach_each_other_and_what_is_behind_the_gateway(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        changes = await engine.apply(world.plan())
        assert not changes.failed
        assert changes.done
        assert not await engine.apply(world.plan()), "a second apply must find nothing to do"
        assert not await engine.prune(world.plan()), "and nothing is superfluous"

        assert pings(world.one, "10.0.0.12")
        delay = inside(world.vpc, "cat", "/proc/sys/net/ipv4/neigh/e12/proxy_delay").strip()
        assert delay == "0", "proxy ARP must answer without the kernel's random delay"
        assert pings(world.one, "10.0.0.1"), "the subnet's router address answers"
        assert pings(world.two, "169.254.255.1") is False, "only what a route table names is reachable"
        inside(world.domain, "ip", "address", "add", "192.168.1.1/32", "dev", "lo")
        assert pings(world.one, "192.168.1.1"), "over the attachment, and back through the rule of the domain"
        assert not pings(world.one, "192.168.9.1"), "a blackhole drops"
        assert not pings(world.one, "10.0.0.99"), "an address without an interface is unreachable"

        seen = inside(world.one, "ip", "neigh", "show", "10.0.0.12")
        gateway_mac = inside(world.vpc, "cat", "/sys/class/net/e11/address").strip()
        assert gateway_mac in seen, "traffic inside a subnet goes through the VPC's router, not beside it"


async def test_forged_sources_are_dropped_and_counted_and_counters_survive(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        await engine.apply(world.plan())
        inside(world.one, "ip", "address", "add", "10.0.0.66/32", "dev", "ens5")
        assert not pings(world.one, "10.0.0.12", "-I", "10.0.0.66")
        drops = {(d.netns, d.device, d.reason): d.packets for d in (await engine.observe()).drops}
        dropped = drops[world.vpc, "e11", "source_not_allowed"]
        assert dropped >= 1
        assert drops[world.vpc, "e12", "source_not_allowed"] == 0

        plan = world.plan()
        loosened = PacketFilter(world.vpc, (("e11", ("10.0.0.11/32", "10.0.0.66/32")), ("e12", ("10.0.0.12/32",))))
        plan = replace(plan, filters=(plan.filters[0], loosened))
        assert "packet filter" in " ".join((await engine.apply(plan)).done)
        assert pings(world.one, "10.0.0.12", "-I", "10.0.0.66") is False, "there is no route back to it"
        drops = {(d.netns, d.device, d.reason): d.packets for d in (await engine.observe()).drops}
        assert drops[world.vpc, "e11", "source_not_allowed"] == dropped, "carried over, and no longer growing"


async def test_a_workload_answers_at_its_secondary_addresses(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        plan = world.plan()
        allowed = PacketFilter(world.vpc, (("e11", ("10.0.0.11/32", "10.0.0.66/32")), ("e12", ("10.0.0.12/32",))))
        host = Route(world.vpc, 100, "10.0.0.66/32", 0, "unicast", "", "e11")
        plan = replace(plan, filters=(plan.filters[0], allowed), routes=(*plan.routes, host))
        assert not (await engine.apply(plan)).failed
        assert not pings(world.two, "10.0.0.66"), "the workload has to add the address itself"
        inside(world.one, "ip", "address", "add", "10.0.0.66/32", "dev", "ens5")
        # The router's ARP for the first ping is still going on, with a request each second: what is sent now waits
        # for the next one, which may come later than the second that a ping waits.
        assert pings(world.two, "10.0.0.66", "-w8")
        assert pings(world.one, "10.0.0.12", "-I", "10.0.0.66")
        assert not await engine.apply(plan), "the workload's own address is left alone"


async def test_mss_is_lowered_both_ways(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        plan = world.plan()
        clamped = replace(plan.filters[1], clamp_mss=(("vgw", 1000),))
        await engine.apply(replace(plan, filters=(plan.filters[0], clamped)))
        inside(world.domain, "ip", "address", "add", "192.168.1.1/32", "dev", "lo")
        script = (
            "import socket,sys\n"
            "s=socket.create_connection(('10.0.0.11',7000),5,('192.168.1.1',0))\n"
            "print(s.getsockopt(socket.IPPROTO_TCP,socket.TCP_MAXSEG))"
        )
        server = listen(world.one)
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            client = int(inside(world.domain, "python3", "-c", script))
            assert client <= 1000
            assert int(server.stdout.readline()) <= 1000
        finally:
            server.kill()
            server.wait()


@pytest.mark.parametrize(
    "damage",
    [
        "ip -n {vpc} route delete 10.0.0.11/32 table 100",
        "ip -n {vpc} rule delete priority 1000",
        "ip -n {vpc} link delete e11",
        "ip -n {one} link delete ens5",
        "ip -n {domain} link delete vpc",
        "ip -n {vpc} link set e11 down",
        "ip -n {one} link set ens5 down",
        "ip -n {one} route delete default",
        "ip -n {one} address flush dev ens5",
        "ip -n {vpc} address delete 10.0.0.1/32 dev lo",
        "ip -n {domain} address flush dev vpc",
        "ip netns exec {vpc} nft delete table inet twinbore",
        "ip netns exec {vpc} nft flush chain inet twinbore from_e11",
        "ip netns exec {vpc} sysctl -q net.ipv4.ip_forward=0",
        "ip netns exec {vpc} sysctl -q net.ipv4.conf.e11.proxy_arp=0",
        "ip netns delete {vpc}",
    ],
)
async def test_what_is_damaged_by_hand_is_repaired(tmp_path: Path, world: World, damage: str) -> None:
    async with engine_at(tmp_path) as engine:
        await engine.apply(world.plan())
        words = damage.format(vpc=world.vpc, one=world.one, domain=world.domain).split()
        run(*words)
        changes = await engine.apply(world.plan())
        assert changes.done, "the damage was not noticed"
        assert not changes.failed
        assert not await engine.apply(world.plan())
        assert pings(world.one, "10.0.0.12")


@pytest.mark.parametrize(
    "loss", ["link delete e11", "route delete 10.0.0.11/32 table 100", "rule delete priority 1000"]
)
async def test_a_loss_is_told_and_our_own_work_is_not(tmp_path: Path, world: World, loss: str) -> None:
    told = asyncio.Event()
    engine = NetEngine(run_dir=tmp_path / "net", on_event=told.set)
    await engine.start()
    try:
        await engine.apply(world.plan())
        await asyncio.sleep(0.2)
        assert not told.is_set()
        run("ip", "-n", world.vpc, *loss.split())
        async with asyncio.timeout(1.0):
            await told.wait()
        assert (await engine.apply(world.plan())).done
    finally:
        await engine.close()


async def test_prune_removes_what_is_ours_and_nothing_else(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        await engine.apply(world.plan())
        inside(world.vpc, "ip", "route", "add", "blackhole", "172.31.0.0/16", "table", "110")
        inside(world.vpc, "ip", "rule", "add", "priority", "900", "lookup", "110")
        inside(world.vpc, "ip", "link", "add", "foreign", "type", "veth", "peer", "name", "foreign2")
        inside(world.vpc, "nft", "add", "table", "inet", "foreign")
        less = replace(world.plan(), ports=(world.port(12, world.two),), filters=(), local_addresses=(), attachments=())
        less = replace(
            less,
            routes=tuple(r for r in less.routes if r.device not in ("e11", "vgw", "vpc")),
            rules=tuple(r for r in less.rules if r.iif != "e11"),
        )
        changes = await engine.prune(less)
        assert not changes.failed
        links = inside(world.vpc, "ip", "-brief", "link")
        assert "e11" not in links
        assert "vgw" not in links
        assert "foreign" in links
        assert "e12" in links
        assert inside(world.one, "ip", "-brief", "link", "show", "ens5", check=False) == "", "its other end is gone too"
        assert "blackhole 172.31.0.0/16" in inside(world.vpc, "ip", "route", "show", "table", "110")
        assert "192.168.0.0/16" not in inside(world.vpc, "ip", "route", "show", "table", "110")
        rules = inside(world.vpc, "ip", "rule")
        assert "900:" in rules
        assert "e11" not in rules
        assert inside(world.vpc, "nft", "list", "tables").split() == ["table", "inet", "foreign"]
        assert not await engine.prune(less)


async def test_teardown_after_a_crash_removes_everything(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        await engine.apply(world.plan())
    async with engine_at(tmp_path) as fresh:
        changes = await fresh.teardown()
        assert len(changes.done) == 2
        assert not netns.exists(world.vpc)
        assert not netns.exists(world.domain)
        assert inside(world.one, "ip", "-brief", "link", "show", "ens5", check=False) == ""
        assert list((tmp_path / "net" / "netns").iterdir()) == []
        assert not await fresh.teardown()


async def test_an_adopting_engine_changes_nothing(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        await engine.apply(world.plan())
    async with engine_at(tmp_path) as fresh:
        assert not await fresh.apply(world.plan())
        assert not await fresh.prune(world.plan())
        inside(world.vpc, "nft", "flush", "chain", "inet", "twinbore", "from_e11")
        assert (await fresh.apply(world.plan())).done == (f"Loaded the packet filter of {world.vpc}",)


async def test_a_namespace_of_others_is_neither_used_nor_removed(tmp_path: Path, world: World) -> None:
    run("ip", "netns", "add", world.vpc)
    async with engine_at(tmp_path) as engine:
        changes = await engine.apply(NetPlan(namespaces=(Namespace(world.vpc, "vpc"),)))
        assert [f.subject for f in changes.failed] == [world.vpc]
        assert "ip netns delete" in changes.failed[0].message
        await engine.teardown()
        assert netns.exists(world.vpc)


async def test_a_port_waits_for_its_workload(tmp_path: Path, world: World) -> None:
    run("ip", "netns", "delete", world.one)
    async with engine_at(tmp_path) as engine:
        changes = await engine.apply(world.plan())
        assert {f.subject for f in changes.failed} >= {"eni-11"}
        assert "there is no network namespace" in changes.failed[0].message
        assert pings(world.two, "10.0.0.1"), "the other port works"
        run("ip", "netns", "add", world.one)
        assert not (await engine.apply(world.plan())).failed
        assert pings(world.one, "10.0.0.12")


async def test_a_moved_port_leaves_its_former_workload(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        plan = replace(world.plan(), ports=(world.port(11, world.one),), routes=(), rules=())
        await engine.apply(plan)
        await engine.apply(replace(plan, ports=(world.port(11, world.two),)))
        assert inside(world.one, "ip", "-brief", "link", "show", "ens5", check=False) == ""
        assert "10.0.0.11/24" in inside(world.two, "ip", "-brief", "address", "show", "ens5")


async def test_a_tap_port_is_opened_by_its_own_name(tmp_path: Path, world: World) -> None:
    port = replace(world.port(13, "vm-disk0"), kind="tap")
    plan = replace(world.plan(), ports=(port,), routes=(), rules=())
    opener = (
        "import fcntl,struct\nf=open('/dev/net/tun','rb+',buffering=0)\n"
        "r=fcntl.ioctl(f,0x400454ca,struct.pack('16sH22x',b'vm-disk0',0x1002))\nprint(r.split(b'\\0')[0].decode())"
    )
    async with engine_at(tmp_path) as engine:
        changes = await engine.apply(plan)
        assert not changes.failed
        assert not await engine.apply(plan)
        assert inside(world.vpc, "python3", "-c", opener).strip() == "e13"
        ports = (await engine.observe()).ports
        assert [(p.eni_id, p.device, p.carrier) for p in ports] == [("eni-13", "e13", False)]
        await engine.prune(replace(plan, ports=()))
        assert "e13" not in inside(world.vpc, "ip", "-brief", "link")


async def test_a_changed_route_replaces_the_one_in_its_place(tmp_path: Path, world: World) -> None:
    async with engine_at(tmp_path) as engine:
        await engine.apply(world.plan())
        routes = tuple(
            replace(r, kind="unicast", via="169.254.255.1", device="vgw") if r.kind == "blackhole" else r
            for r in world.plan().routes
        )
        changed = replace(world.plan(), routes=routes)
        assert (await engine.apply(changed)).done == (f"Changed the routes of {world.vpc}: 1 added, 1 removed",)
        assert not await engine.apply(changed)


async def test_a_thousand_routes_are_made_at_once_and_found_again(tmp_path: Path, world: World) -> None:
    routes = tuple(
        Route(world.vpc, 110, f"172.{16 + i // 250}.{i % 250}.0/24", 20, "unicast", "169.254.255.1", "vgw")
        for i in range(1000)
    )
    plan = replace(world.plan(), routes=world.plan().routes + routes)
    async with engine_at(tmp_path) as engine:
        await engine.apply(world.plan())
        changes = await engine.apply(plan)
        assert not changes.failed
        assert changes.done == (f"Changed the routes of {world.vpc}: 1000 added, 0 removed",)
        assert not await engine.apply(plan)


async def test_the_event_loop_is_not_held_up(tmp_path: Path, world: World) -> None:
    beats = 0

    async def heartbeat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    async with engine_at(tmp_path) as engine:
        beating = asyncio.create_task(heartbeat())
        await engine.apply(world.plan())
        beating.cancel()
    assert beats > 10, "an engine that works in the event loop lets it go between its steps only"
