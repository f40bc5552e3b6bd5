"""The kernel ESP engine: one xfrm interface for each tunnel, made in the underlay, used in the routing domain.

An xfrm interface belongs for ever to the namespace in which it was made, as far as its SAs and policies are concerned:
that is the underlay, where charon puts them. So it is made there under a passing name and then moved, with its real
name, into the routing domain's namespace, where the inner packets are.

Invariants:
* An interface is ours if it is an xfrm interface with the name of its `if_id`; what a crash left in the underlay under
  the passing name is moved by the next `apply`, or removed by the next `prune`.
* There is no process: the kernel's interfaces and SAs outlive agent and charon by nature.

References: net/xfrm/xfrm_interface_core.c of the kernel; linux/if_link.h (IFLA_XFRM_*); ip-link(8), type xfrm.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]

from twinbore.engines import netlink
from twinbore.engines import netns as namespaces
from twinbore.engines.esp import arrange
from twinbore.engines.esp.xfrm import read_carrying
from twinbore.engines.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_GETLINK,
    RTM_NEWLINK,
    NetlinkError,
    RouteSocket,
    decode,
    message,
)
from twinbore.model.desired import EspPlan, TunnelInterface
from twinbore.model.observed import Changes, EspStatus, Failure

IFLA_XFRM_IF_ID: Final = "IFLA_XFRM_IF_ID"
_PASSING: Final = "twx"


@dataclass(frozen=True, slots=True)
class XfrmLink:
    """An xfrm interface with its counters (bytes and packets of inner packets)."""

    index: int
    name: str
    if_id: int
    rx_bytes: int
    rx_packets: int
    tx_bytes: int
    tx_packets: int
    drops: tuple[tuple[str, int], ...]


class KernelEspEngine:
    """`Engine[EspPlan, tuple[EspStatus, ...]]` on the kernel's ESP.

    The engine has no events of its own: SAs change when charon says so, and its engine reports that.
    """

    def __init__(self, *, run_dir: Path, underlay: str | None, on_event: Callable[[], None]) -> None:
        self._known_file = run_dir / "namespaces"
        self._underlay = underlay
        self._on_event = on_event
        self._turn = asyncio.Lock()
        self._plan: EspPlan | None = None

    async def start(self) -> None:
        """Nothing to start."""

    async def apply(self, desired: EspPlan) -> Changes:
        async with self._turn:
            changes = await self._move(desired)
            self._plan = desired
            self._remember(desired)
            ready: list[TunnelInterface] = []
            strays = await netlink.in_netns(self._underlay, xfrm_links)
            for netns, members in arrange.by_namespace(desired.interfaces).items():
                try:
                    present = await netlink.in_netns(netns, xfrm_links)
                except OSError as error:
                    failed = (Failure(i.name, f"namespace {netns}: {error.strerror}") for i in members)
                    changes += Changes(failed=tuple(failed))
                    continue
                for wanted in members:
                    made = await self._ensure(wanted, present, strays)
                    changes += made
                    if not made.failed:
                        ready.append(wanted)
            return changes + await arrange.arrange_all(ready)

    async def prune(self, desired: EspPlan) -> Changes:
        async with self._turn:
            self._plan = desired
            wanted = {(interface.netns, interface.name) for interface in desired.interfaces}
            changes = await self._prune(wanted)
            self._remember(desired, forget=True)
            return changes

    async def observe(self) -> tuple[EspStatus, ...]:
        """The state of every interface of the last plan, by `if_id`."""
        plan = self._plan or EspPlan()
        try:
            carrying = await netlink.in_netns(self._underlay, read_carrying)
        except OSError:
            carrying = set()
        found: dict[int, XfrmLink] = {}
        up = await arrange.states({interface.netns for interface in plan.interfaces})
        for netns in {interface.netns for interface in plan.interfaces}:
            try:
                found.update(await netlink.in_netns(netns, xfrm_links))
            except OSError:
                continue
        return tuple(
            _status(wanted, found.get(wanted.if_id), up, wanted.if_id in carrying)
            for wanted in sorted(plan.interfaces, key=lambda interface: interface.if_id)
        )

    async def close(self) -> None:
        """Nothing to let go of."""

    async def teardown(self) -> Changes:
        async with self._turn:
            changes = await self._prune(set())
            self._known_file.unlink(missing_ok=True)
        return changes

    async def _move(self, desired: EspPlan) -> Changes:
        """Take interfaces along whose tunnels belong to another routing domain now: their `if_id` exists once only."""
        homes = {interface.if_id: interface.netns for interface in self._plan.interfaces} if self._plan else None
        wanted = {i.if_id: i for i in desired.interfaces if homes is None or homes.get(i.if_id, i.netns) != i.netns}
        done: list[str] = []
        failed: list[Failure] = []
        for netns in sorted(self._known()) if wanted else ():
            try:
                links = await netlink.in_netns(netns, xfrm_links)
            except OSError:
                continue
            for link in links.values():
                target = wanted.get(link.if_id)
                if target is None or target.netns == netns:
                    continue
                try:
                    await netlink.in_netns(netns, carry, link.index, target)
                    done.append(f"moved tunnel interface {link.name} from {netns} to {target.netns}")
                except OSError as error:
                    failed.append(Failure(target.name, f"xfrm interface: {error.strerror}"))
        return Changes(tuple(done), tuple(failed))

    async def _ensure(
        self, wanted: TunnelInterface, present: dict[int, XfrmLink], strays: dict[int, XfrmLink]
    ) -> Changes:
        link = present.get(wanted.if_id)
        if link is not None and link.name == wanted.name:
            return Changes()
        try:
            if wanted.if_id not in strays:
                await netlink.in_netns(self._underlay, create, wanted)
            await netlink.in_netns(self._underlay, move, wanted)
        except OSError as error:
            return Changes(failed=(Failure(wanted.name, f"xfrm interface: {error.strerror}"),))
        return Changes((f"made tunnel interface {wanted.name} in {wanted.netns}",))

    async def _prune(self, wanted: set[tuple[str, str]]) -> Changes:
        done: list[str] = []
        for netns in sorted(self._known()):
            try:
                links = await netlink.in_netns(netns, xfrm_links)
            except OSError:
                continue
            gone = [link for link in links.values() if (netns, link.name) not in wanted]
            await netlink.in_netns(netns, delete, [link.index for link in gone])
            done += [f"removed tunnel interface {link.name} from {netns}" for link in gone]
        strays = await netlink.in_netns(self._underlay, xfrm_links)
        left = [link for link in strays.values() if link.name == passing_name(link.if_id)]
        await netlink.in_netns(self._underlay, delete, [link.index for link in left])
        done += [f"removed the unfinished interface {link.name}" for link in left]
        return Changes(tuple(done))

    def _known(self) -> set[str]:
        """The namespaces in which interfaces of ours may be, also those of a former agent."""
        try:
            return set(self._known_file.read_text().split())
        except FileNotFoundError:
            return set()

    def _remember(self, plan: EspPlan, *, forget: bool = False) -> None:
        names = {interface.netns for interface in plan.interfaces}
        known = names if forget else names | self._known()
        if known != self._known():
            self._known_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._known_file.write_text("\n".join(sorted(known)))


def passing_name(if_id: int) -> str:
    """The name of an interface in the underlay, until it is moved."""
    return f"{_PASSING}{if_id}"


def creation(wanted: TunnelInterface) -> Any:
    """The message that makes the interface in the namespace of the socket."""
    request = message(ifinfmsg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)
    info = {"attrs": [("IFLA_INFO_KIND", "xfrm"), ("IFLA_INFO_DATA", {"attrs": [(IFLA_XFRM_IF_ID, wanted.if_id)]})]}
    request["attrs"] = [
        ("IFLA_IFNAME", passing_name(wanted.if_id)),
        ("IFLA_MTU", wanted.mtu),
        ("IFLA_LINKINFO", info),
    ]
    return request


def create(sock: RouteSocket, wanted: TunnelInterface) -> None:
    """Make the interface under its passing name. Blocking."""
    sock.request(creation(wanted))


def move(sock: RouteSocket, wanted: TunnelInterface) -> None:
    """Move the interface from its passing name to its namespace and name. Blocking."""
    link = sock.links().get(passing_name(wanted.if_id))
    if link is None:
        raise NetlinkError(errno.ENODEV, f"{passing_name(wanted.if_id)} is not there")
    with closing(_Handle(wanted.netns)) as target:
        sock.set_link(link.index, net_ns_fd=target.number, ifname=wanted.name)


def carry(sock: RouteSocket, index: int, wanted: TunnelInterface) -> None:
    """Move an interface from the socket's namespace to another routing domain's. Blocking."""
    with closing(_Handle(wanted.netns)) as target:
        sock.set_link(index, net_ns_fd=target.number, ifname=wanted.name)


def delete(sock: RouteSocket, indexes: Iterable[int]) -> None:
    """Delete interfaces. Blocking."""
    for index in indexes:
        sock.delete_link(index)


def xfrm_links(sock: RouteSocket) -> dict[int, XfrmLink]:
    """The xfrm interfaces of the socket's namespace by `if_id`. Blocking."""
    links = (parse_xfrm_link(data) for data in sock.dump(message(ifinfmsg, RTM_GETLINK)))
    return {link.if_id: link for link in links if link is not None}


def parse_xfrm_link(data: bytes) -> XfrmLink | None:
    """An RTM_NEWLINK message; None for an interface of another kind."""
    entry = decode(ifinfmsg, data)
    info = entry.get_attr("IFLA_LINKINFO")
    if info is None or info.get_attr("IFLA_INFO_KIND") != "xfrm":
        return None
    details = info.get_attr("IFLA_INFO_DATA")
    stats = entry.get_attr("IFLA_STATS64") or {}
    drops = {
        "receive_errors": stats.get("rx_errors", 0),
        "receive_dropped": stats.get("rx_dropped", 0),
        "transmit_errors": stats.get("tx_errors", 0),
        "transmit_dropped": stats.get("tx_dropped", 0),
    }
    return XfrmLink(
        index=entry["index"],
        name=entry.get_attr("IFLA_IFNAME"),
        if_id=(details.get_attr(IFLA_XFRM_IF_ID) if details else 0) or 0,
        rx_bytes=stats.get("rx_bytes", 0),
        rx_packets=stats.get("rx_packets", 0),
        tx_bytes=stats.get("tx_bytes", 0),
        tx_packets=stats.get("tx_packets", 0),
        drops=tuple(sorted((reason, count) for reason, count in drops.items() if count)),
    )


class _Handle:
    """A named namespace as an open file."""

    def __init__(self, netns: str) -> None:
        self.number = os.open(namespaces.path_of(netns), os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self.number)


def _status(
    wanted: TunnelInterface, link: XfrmLink | None, up: dict[tuple[str, str], bool], carrying: bool
) -> EspStatus:
    if link is None:
        return EspStatus(wanted.if_id, False, False, carrying)
    return EspStatus(
        if_id=wanted.if_id,
        present=True,
        up=up.get((wanted.netns, wanted.name), False),
        carrying=carrying,
        rx_bytes=link.rx_bytes,
        rx_packets=link.rx_packets,
        tx_bytes=link.tx_bytes,
        tx_packets=link.tx_packets,
        drops=link.drops,
    )
