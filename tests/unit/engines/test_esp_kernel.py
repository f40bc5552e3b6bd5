"""The kernel ESP engine without a kernel that has ESP: messages as the kernel would send them, and a fake kernel."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from tests.unit.engines.tunnels import interface
from twinbore.engines.esp import arrange, kernel, xfrm
from twinbore.engines.esp.xfrm import KernelSa, carrying, parse_sa
from twinbore.engines.netlink import Link, NetlinkError, decode
from twinbore.model.desired import EspPlan


def sa(source: str, destination: str, if_id: int | None, *, key: bool = True) -> bytes:
    """An XFRM_MSG_NEWSA as struct xfrm_usersa_info and attributes lay it out."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = [ipaddress.ip_address(a).packed.ljust(16, b"\0") for a in (destination, source)]
    info = bytearray(224)
    info[56:72] = addresses[0]
    info[72:80] = struct.pack("!IBxxx", 0xC0FFEE01, 50)
    info[80:96] = addresses[1]
    info[212:214] = struct.pack("=H", family)
    attributes = b""
    if key:
        attributes += struct.pack("=HH", 4 + 92, 18) + bytes(92)
    if if_id is not None:
        attributes += struct.pack("=HHI", 8, 31, if_id)
    body = bytes(info) + attributes
    return struct.pack("=IHHII", 16 + len(body), 16, 0, 1, 0) + body


@pytest.mark.parametrize(("source", "destination"), [("198.51.100.1", "203.0.113.1"), ("2001:db8::1", "2001:db8::2")])
def test_an_sa_is_read(source: str, destination: str) -> None:
    assert parse_sa(sa(source, destination, 1001)) == KernelSa(source, destination, 1001)
    assert parse_sa(sa(source, destination, None)) == KernelSa(source, destination, 0)


def test_a_reserved_spi_and_a_cut_message_are_no_sas() -> None:
    whole = sa("198.51.100.1", "203.0.113.1", 1001, key=False)
    assert parse_sa(whole) is None
    assert parse_sa(whole[:100]) is None


def test_a_tunnel_carries_with_an_sa_in_each_direction() -> None:
    inbound = KernelSa("198.51.100.1", "203.0.113.1", 1001)
    outbound = KernelSa("203.0.113.1", "198.51.100.1", 1001)
    foreign = KernelSa("198.51.100.1", "203.0.113.1", 1002)
    assert carrying([inbound, outbound, foreign], {"203.0.113.1"}) == {1001}
    assert carrying([inbound], {"203.0.113.1"}) == set()
    assert carrying([KernelSa("a", "203.0.113.1", 0), KernelSa("203.0.113.1", "a", 0)], {"203.0.113.1"}) == set()


def link_message(name: str, if_id: int, kind: str = "xfrm", index: int = 7) -> bytes:
    made = ifinfmsg()
    made["header"]["type"] = 16
    made["index"] = index
    stats = {"rx_bytes": 300, "rx_packets": 3, "tx_bytes": 400, "tx_packets": 4, "rx_dropped": 2}
    made["attrs"] = [
        ("IFLA_IFNAME", name),
        (
            "IFLA_LINKINFO",
            {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": [("IFLA_XFRM_IF_ID", if_id)]})]},
        ),
        ("IFLA_STATS64", stats),
    ]
    made.encode()
    return bytes(made.data)


def test_an_xfrm_interface_and_its_counters_are_read() -> None:
    link = kernel.parse_xfrm_link(link_message("t1001", 1001))
    assert link == kernel.XfrmLink(7, "t1001", 1001, 300, 3, 400, 4, (("receive_dropped", 2),))
    assert kernel.parse_xfrm_link(link_message("v", 0, kind="veth")) is None


def test_the_request_that_makes_an_interface() -> None:
    request = kernel.creation(interface())
    request.encode()
    made = decode(ifinfmsg, bytes(request.data))
    info = made.get_attr("IFLA_LINKINFO")
    assert made.get_attr("IFLA_IFNAME") == "twx1001"
    assert made.get_attr("IFLA_MTU") == 1438
    assert info.get_attr("IFLA_INFO_KIND") == "xfrm"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_XFRM_IF_ID") == 1001


class FakeKernel:
    """Namespaces with xfrm interfaces, behind the functions that the engine runs in a namespace."""

    def __init__(self, *netnses: str | None) -> None:
        self.spaces: dict[str | None, dict[str, Any]] = {netns: {} for netns in netnses}
        self.carrying: set[int] = set()
        self.broken = False
        self._index = 0

    async def in_netns(self, netns: str | None, function: Any, *arguments: Any) -> Any:
        if netns not in self.spaces:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        space = self.spaces[netns]
        if function is kernel.xfrm_links:
            return {entry["if_id"]: self._link(name, entry) for name, entry in space.items()}
        if function is xfrm.read_carrying:
            return self.carrying
        if function is kernel.create:
            if self.broken:
                raise NetlinkError(errno.EOPNOTSUPP, "Unknown device type")
            self._index += 1
            (wanted,) = arguments
            if any(wanted.if_id == e["if_id"] for space in self.spaces.values() for e in space.values()):
                raise NetlinkError(errno.EEXIST, "File exists")
            entry = {"if_id": wanted.if_id, "index": self._index, "mtu": wanted.mtu, "up": False, "address": ""}
            space[kernel.passing_name(wanted.if_id)] = entry
        elif function is kernel.move:
            (wanted,) = arguments
            self.spaces[wanted.netns][wanted.name] = space.pop(kernel.passing_name(wanted.if_id))
        elif function is kernel.carry:
            index, wanted = arguments
            (name,) = (name for name, entry in space.items() if entry["index"] == index)
            self.spaces[wanted.netns][wanted.name] = space.pop(name) | {"up": False, "address": ""}
        elif function is kernel.delete:
            gone = set(arguments[0])
            self.spaces[netns] = {name: entry for name, entry in space.items() if entry["index"] not in gone}
        else:
            assert function is arrange.arrange
            return arrange.arrange(FakeRouteSocket(space), *arguments)
        return None

    async def links(self, netns: str | None) -> dict[str, Link]:
        return FakeRouteSocket(self.spaces[netns]).links()

    def _link(self, name: str, entry: dict[str, Any]) -> kernel.XfrmLink:
        return kernel.XfrmLink(entry["index"], name, entry["if_id"], 300, 3, 400, 4, ())


class FakeRouteSocket:
    def __init__(self, space: dict[str, Any]) -> None:
        self._space = space

    def links(self) -> dict[str, Link]:
        return {
            name: Link(entry["index"], name, int(entry["up"]), entry["mtu"], "", "xfrm")
            for name, entry in self._space.items()
        }

    def addresses(self) -> dict[int, set[str]]:
        return {entry["index"]: {entry["address"]} - {""} for entry in self._space.values()}

    def set_link(self, index: int, up: bool | None = None, mtu: int | None = None) -> None:
        entry = self._by_index(index)
        entry["up"] = entry["up"] if up is None else up
        entry["mtu"] = mtu or entry["mtu"]

    def set_addresses(self, index: int, wanted: set[str], present: set[str]) -> bool:
        (self._by_index(index)["address"],) = wanted
        return wanted != present

    def _by_index(self, index: int) -> dict[str, Any]:
        return next(entry for entry in self._space.values() if entry["index"] == index)


VGW = interface().netns


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    fake = FakeKernel("underlay", VGW)
    monkeypatch.setattr(kernel.netlink, "in_netns", fake.in_netns)
    monkeypatch.setattr(arrange.netlink, "links", fake.links)
    return fake


def engine(tmp_path: Path) -> kernel.KernelEspEngine:
    return kernel.KernelEspEngine(run_dir=tmp_path / "esp", underlay="underlay", on_event=lambda: None)


def test_interfaces_are_made_arranged_and_not_touched_again(tmp_path: Path, world: FakeKernel) -> None:
    plan = EspPlan((interface(up=True), interface(2)))

    async def scenario() -> None:
        it = engine(tmp_path)
        changes = await it.apply(plan)
        assert not changes.failed
        assert f"made tunnel interface t1001 in {VGW}" in changes.done
        assert "brought t1001 up" in changes.done
        assert not await it.apply(plan)
        assert not await it.prune(plan)
        world.carrying = {1001}
        first, second = await it.observe()
        assert (first.present, first.up, first.carrying, first.rx_bytes, first.tx_packets) == (True, True, True, 300, 4)
        assert (second.present, second.up, second.carrying) == (True, False, False)

    asyncio.run(scenario())
    assert world.spaces["underlay"] == {}
    assert world.spaces[VGW]["t1002"] == {
        "if_id": 1002,
        "index": 2,
        "mtu": 1438,
        "up": False,
        "address": "169.254.10.9/30",
    }


@pytest.mark.parametrize("restarted", [False, True])
def test_a_tunnel_that_changes_its_routing_domain_takes_its_interface_along(
    tmp_path: Path, world: FakeKernel, restarted: bool
) -> None:
    other = "vgw-0000000000000000b"
    world.spaces[other] = {}

    async def scenario() -> None:
        it = engine(tmp_path)
        await it.apply(EspPlan((interface(up=True), interface(2))))
        it = engine(tmp_path) if restarted else it
        moved = EspPlan((interface(up=True, netns=other), interface(2)))
        changes = await it.apply(moved)
        assert not changes.failed
        assert f"moved tunnel interface t1001 from {VGW} to {other}" in changes.done
        assert not await it.prune(moved)
        assert not await it.apply(moved)

    asyncio.run(scenario())
    assert world.spaces[other]["t1001"]["index"] == 1
    assert world.spaces[other]["t1001"]["up"]
    assert list(world.spaces[VGW]) == ["t1002"]


def test_what_a_crash_left_in_the_underlay_is_moved_not_made_twice(tmp_path: Path, world: FakeKernel) -> None:
    world.spaces["underlay"]["twx1001"] = {"if_id": 1001, "index": 90, "mtu": 1438, "up": False, "address": ""}

    asyncio.run(engine(tmp_path).apply(EspPlan((interface(),))))
    assert world.spaces["underlay"] == {}
    assert world.spaces[VGW]["t1001"]["index"] == 90


def test_prune_finds_the_interfaces_of_a_former_agent_and_leftovers(tmp_path: Path, world: FakeKernel) -> None:
    async def scenario() -> None:
        await engine(tmp_path).apply(EspPlan((interface(), interface(2))))
        world.spaces["underlay"]["twx1003"] = {"if_id": 1003, "index": 91, "mtu": 1438, "up": False, "address": ""}
        changes = await engine(tmp_path).prune(EspPlan((interface(2),)))
        assert changes.done == (
            f"removed tunnel interface t1001 from {VGW}",
            "removed the unfinished interface twx1003",
        )
        assert list(world.spaces[VGW]) == ["t1002"]
        assert (await engine(tmp_path).teardown()).done == (f"removed tunnel interface t1002 from {VGW}",)
        assert not await engine(tmp_path).teardown()

    asyncio.run(scenario())


def test_one_interfaces_failure_does_not_stop_the_others(tmp_path: Path, world: FakeKernel) -> None:
    plan = EspPlan((interface(2, netns="vgw-gone"), interface()))

    async def scenario() -> None:
        changes = await engine(tmp_path).apply(plan)
        assert [failure.subject for failure in changes.failed] == ["t1002"]
        assert f"made tunnel interface t1001 in {VGW}" in changes.done
        world.broken = True
        again = await engine(tmp_path).apply(EspPlan((interface(), interface(3))))
        assert [(f.subject, f.message) for f in again.failed] == [("t1003", "xfrm interface: Unknown device type")]

    asyncio.run(scenario())
