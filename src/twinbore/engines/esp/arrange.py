"""Address, MTU and state of tunnel interfaces that exist: what both ESP engines do alike.

Blocking functions on a `RouteSocket` of one routing domain's namespace; they run in a netlink worker thread.

Decision: an interface is up only while `TunnelInterface.up` says so. BIRD takes routes off an interface that goes down
at once, long before BGP's hold time has passed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby

from twinbore.engines import netlink
from twinbore.engines.netlink import NetlinkError, RouteSocket
from twinbore.model.desired import TunnelInterface
from twinbore.model.observed import Changes, Failure


def by_namespace(interfaces: Iterable[TunnelInterface]) -> dict[str, list[TunnelInterface]]:
    """Interfaces by the namespace that they are in."""
    ordered = sorted(interfaces, key=lambda interface: (interface.netns, interface.if_id))
    return {netns: list(group) for netns, group in groupby(ordered, key=lambda interface: interface.netns)}


async def arrange_all(interfaces: Iterable[TunnelInterface]) -> Changes:
    """`arrange` in every namespace concerned."""
    changes = Changes()
    for netns, members in by_namespace(interfaces).items():
        try:
            changes += await netlink.in_netns(netns, arrange, members)
        except OSError as error:
            failed = (Failure(member.name, f"namespace {netns}: {error.strerror}") for member in members)
            changes += Changes(failed=tuple(failed))
    return changes


def arrange(sock: RouteSocket, interfaces: Iterable[TunnelInterface]) -> Changes:
    """Give each interface its address, MTU and state. One that is missing is a failure of its own."""
    links, addresses = sock.links(), sock.addresses()
    done: list[str] = []
    failed: list[Failure] = []
    for wanted in interfaces:
        link = links.get(wanted.name)
        if link is None:
            failed.append(Failure(wanted.name, f"there is no interface {wanted.name} in namespace {wanted.netns}"))
            continue
        try:
            if link.mtu != wanted.mtu:
                sock.set_link(link.index, mtu=wanted.mtu)
                done.append(f"set the MTU of {wanted.name} to {wanted.mtu}")
            if sock.set_addresses(link.index, {wanted.address}, addresses.get(link.index, set())):
                done.append(f"gave {wanted.name} the address {wanted.address}")
            if link.up != wanted.up:
                sock.set_link(link.index, up=wanted.up)
                done.append(f"brought {wanted.name} {'up' if wanted.up else 'down'}")
        except NetlinkError as error:
            failed.append(Failure(wanted.name, str(error.strerror)))
    return Changes(tuple(done), tuple(failed))


def delete_others(sock: RouteSocket, names: Collection[str]) -> list[str]:
    """Delete the TUN devices of the namespace that are not among `names`; a sentence for each."""
    others = [link for link in sock.links().values() if link.kind == "tun" and link.name not in names]
    for link in others:
        sock.delete_link(link.index)
    return [f"removed tunnel interface {link.name}, which a daemon had left behind" for link in others]


async def states(netnses: Iterable[str]) -> dict[tuple[str, str], bool]:
    """(namespace, interface) → up, for every interface of these namespaces; a missing namespace has none."""
    found = {}
    for netns in set(netnses):
        try:
            links = await netlink.links(netns)
        except OSError:
            continue
        found.update({(netns, name): link.up for name, link in links.items()})
    return found
