"""Links of VPCs and routing domains: attachments, ports, and addresses on them. Blocking; runs in worker threads.

An interface of ours carries an alias (`ip link` shows it) that begins with `ALIAS`: that is how it is found again and
told from the tunnels' interfaces, which belong to the ESP engine.

A veth pair is made in one request that puts each end into its namespace, so there is no moment in which an end stands
in the wrong one. Deleting either end, or its namespace, removes both.

A TAP device has the port's name, and the name that the virtual machine monitor asks for as its alternative name, which
the kernel accepts wherever a name is looked up.

References: veth(4); linux/if_link.h (IFLA_*), linux/veth.h; kernel Documentation/networking/tuntap.rst.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Collection
from typing import Final

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # type: ignore[import-untyped]

from twinbore.engines import netns as namespaces
from twinbore.engines.net import sysctl
from twinbore.engines.net.routing import ROUTE_PROTOCOL
from twinbore.engines.netlink import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_GETROUTE,
    RTM_NEWLINK,
    RTM_NEWLINKPROP,
    RTM_NEWROUTE,
    Link,
    Message,
    NetlinkError,
    RouteSocket,
    decode,
    message,
    within,
)
from twinbore.model.desired import Attachment, Port

ALIAS: Final = "twinbore:"
ATTACHMENT_ALIAS: Final = ALIAS + "attachment"
LOOPBACK_ADDRESS: Final = "127.0.0.1/8"

_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_ONLINK = 4
_TABLE_MAIN = 254
_UNICAST = 1


def port_alias(eni_id: str) -> str:
    """The alias of a port's interface."""
    return ALIAS + eni_id


def ensure_attachment(link: Attachment) -> list[str]:
    """Make the veth pair, its addresses and both ends up; a sentence for each change. Raises OSError."""
    done = []
    ends = (
        (link.vpc_netns, link.vpc_device, link.vpc_address),
        (link.domain_netns, link.domain_device, link.domain_address),
    )
    if not _joined(link.vpc_netns, link.vpc_device, link.domain_netns, link.domain_device):
        within(link.vpc_netns, _create_veth, link.vpc_device, link.domain_netns, link.domain_device, ATTACHMENT_ALIAS)
        done.append(f"Connected {link.domain_netns} with {link.vpc_netns}")
    for netns, device, address in ends:
        if within(netns, _configure, device, {address}) and not done:
            done.append(f"Repaired {device} of {netns}")
    return done


def ensure_port(port: Port) -> list[str]:
    """Make a port's interface in the VPC's namespace and what the workload sees; a sentence for each change.

    Raises OSError; FileNotFoundError when the workload's namespace does not exist (yet).
    """
    alias = port_alias(port.eni_id)
    if port.kind == "tap":
        done = within(port.netns, _ensure_tap, port)
    else:
        done = []
        if not namespaces.exists(port.target):
            raise FileNotFoundError(errno.ENOENT, f"there is no network namespace {port.target}")
        if not _joined(port.netns, port.device, port.target, port.target_device):
            within(port.netns, _create_veth, port.device, port.target, port.target_device, alias)
            done.append(f"Plugged {port.eni_id} into {port.target}")
        if within(port.target, _configure_workload, port) and not done:
            done.append(f"Repaired {port.target_device} of {port.target}")
    if within(port.netns, _configure_port, port) and not done:
        done.append(f"Repaired {port.device} of {port.netns}")
    return done


def ensure_local_addresses(sock: RouteSocket, wanted: Collection[str], remove: bool) -> bool:
    """The addresses of the namespace itself, on its loopback interface; true when something had to change."""
    loopback = sock.links()["lo"]
    if not loopback.up:
        sock.set_link(loopback.index, up=True)
    present = sock.addresses().get(loopback.index, set())
    wanted = {LOOPBACK_ADDRESS, *wanted}
    return sock.set_addresses(loopback.index, wanted if remove else wanted | present, present)


def remove_unwanted(sock: RouteSocket, wanted: Collection[str]) -> list[Link]:
    """Delete our interfaces of the namespace whose names are not wanted; those that were deleted."""
    unwanted = [link for link in sock.links().values() if link.alias.startswith(ALIAS) and link.name not in wanted]
    for link in unwanted:
        sock.delete_link(link.index)
    return unwanted


def _joined(netns: str, device: str, peer_netns: str, peer_device: str) -> bool:
    """Whether the two are the ends of one veth pair; an end of ours without its counterpart is deleted.

    A left-over end is possible on either side: the kernel destroys a namespace some time after its name is gone.
    """
    here = within(netns, RouteSocket.links).get(device)
    there = within(peer_netns, RouteSocket.links).get(peer_device)
    if here and there and (here.peer, there.peer) == (there.index, here.index):
        return True
    for name, end in ((netns, here), (peer_netns, there)):
        if end is not None and end.alias.startswith(ALIAS):
            within(name, _delete_if_present, end.index)
    return False


def _delete_if_present(sock: RouteSocket, index: int) -> None:
    try:
        sock.delete_link(index)
    except NetlinkError as error:
        if error.errno != errno.ENODEV:
            raise


def _create_veth(sock: RouteSocket, device: str, peer_netns: str, peer_device: str, alias: str) -> None:
    handle = os.open(namespaces.path_of(peer_netns), os.O_RDONLY | os.O_CLOEXEC)
    try:
        request = message(ifinfmsg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)
        peer = {"attrs": [("IFLA_IFNAME", peer_device), ("IFLA_NET_NS_FD", handle)]}
        request["attrs"] = [
            ("IFLA_IFNAME", device),
            (
                "IFLA_LINKINFO",
                {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]})]},
            ),
        ]
        sock.request(request)
    finally:
        os.close(handle)
    sock.set_link(sock.links()[device].index, ifalias=alias)
    within(peer_netns, _set_alias, peer_device, alias)


def _set_alias(sock: RouteSocket, device: str, alias: str) -> None:
    sock.set_link(sock.links()[device].index, ifalias=alias)


def _configure(sock: RouteSocket, device: str, addresses: Collection[str]) -> bool:
    link = sock.links()[device]
    changed = sock.set_addresses(link.index, addresses, sock.addresses().get(link.index, ()))
    if not link.up:
        sock.set_link(link.index, up=True)
    return changed or not link.up


def _configure_port(sock: RouteSocket, port: Port) -> bool:
    written = sysctl.ensure(sysctl.PORT, port.device)
    link = sock.links()[port.device]
    if not link.up:
        sock.set_link(link.index, up=True)
    return bool(written) or not link.up


def _ensure_tap(sock: RouteSocket, port: Port) -> list[str]:
    if port.device in sock.links():
        return []
    try:
        handle = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "/dev/net/tun is missing: load the kernel module tun") from None
    try:
        request = struct.pack("16sH22x", port.device.encode(), _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(handle, _TUNSETIFF, request)
        fcntl.ioctl(handle, _TUNSETPERSIST, 1)
    finally:
        os.close(handle)
    link = sock.links()[port.device]
    sock.set_link(link.index, ifalias=port_alias(port.eni_id))
    if port.target != port.device:
        naming = message(ifinfmsg, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, index=link.index)
        naming["attrs"] = [("IFLA_PROP_LIST", {"attrs": [("IFLA_ALT_IFNAME", port.target)]})]
        sock.request(naming)
    return [f"Created TAP device {port.target} for {port.eni_id} in {port.netns}"]


def _configure_workload(sock: RouteSocket, port: Port) -> bool:
    """MAC, address, loopback and default route of the workload; addresses and routes of its own are left alone."""
    links = sock.links()
    link = links[port.target_device]
    changed = False
    if link.mac != port.mac.lower():
        sock.set_link(link.index, address=port.mac)
        changed = True
    for one in (links["lo"], link):
        if not one.up:
            sock.set_link(one.index, up=True)
            changed = True
    present = sock.addresses().get(link.index, set())
    changed |= sock.set_addresses(link.index, present | {port.address}, present)
    if not _has_default_route(sock, link.index, port.gateway):
        sock.request(_default_route(link.index, port.gateway))
        changed = True
    return changed


def _has_default_route(sock: RouteSocket, index: int, gateway: str) -> bool:
    for data in sock.dump(message(rtmsg, RTM_GETROUTE, family=socket.AF_INET, table=_TABLE_MAIN)):
        entry = decode(rtmsg, data)
        if entry["dst_len"] == 0 and (entry.get_attr("RTA_OIF"), entry.get_attr("RTA_GATEWAY")) == (index, gateway):
            return True
    return False


def _default_route(index: int, gateway: str) -> Message:
    """Appended, so that a default route that the workload has already is preferred to ours and not in the way."""
    made = message(
        rtmsg,
        RTM_NEWROUTE,
        NLM_F_CREATE | NLM_F_APPEND,
        family=socket.AF_INET,
        table=_TABLE_MAIN,
        proto=ROUTE_PROTOCOL,
        type=_UNICAST,
    )
    made["flags"] = _ONLINK
    made["attrs"] = [("RTA_GATEWAY", gateway), ("RTA_OIF", index)]
    return made
