"""rtnetlink in any network namespace: links, addresses and batches of requests; the shared foundation of the engines.

Two layers. Below, blocking functions and `RouteSocket`, which speak rtnetlink in the namespace of the calling thread or
in a named one. Above, coroutines that run them in worker threads, so that the event loop never waits for the kernel.

pyroute2 gives the message formats (encoding and decoding); the transport is ours, for three reasons: many messages go
to the kernel in one system call (a thousand routes in about 80 ms, nearly all of it encoding), each message's error
comes back with the kernel's own words (extended ACK), and no helper process is forked to enter a namespace, which is
neither quick nor safe in a program with threads.

Invariants:
* A socket belongs to the namespace in which it was made, so it is made, used and closed within one call.

References: netlink(7), rtnetlink(7); linux/netlink.h, linux/rtnetlink.h, linux/net_namespace.h.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Any, Concatenate, ParamSpec, TypeVar

from pyroute2.netlink import nlmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg  # type: ignore[import-untyped]

from twinbore.engines import netns as namespaces

# linux/rtnetlink.h: message types. A type is a base plus new 0, delete 1, get 2.
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTM_NEWNSID, RTM_GETNSID = 88, 90
RTM_NEWLINKPROP = 108

# linux/netlink.h: flags, special types and socket options.
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x200, 0x400, 0x800
NLM_F_DUMP_INTR, NLM_F_ACK_TLVS = 0x10, 0x200
NLMSG_ERROR, NLMSG_DONE = 2, 3
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 10, 11, 12
NLMSGERR_ATTR_MSG = 1

IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
SCOPE_UNIVERSE = 0

_NSID_UNASSIGNED = -1
_HEADER = struct.Struct("=IHHII")
_BATCH_BYTES = 32768
_RECEIVE_BYTES = 1 << 18

P = ParamSpec("P")
T = TypeVar("T")
Message = Any
"""A pyroute2 `nlmsg`; the library has no type hints."""

_workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="netlink")


class NetlinkError(OSError):
    """The kernel refused a request; `strerror` has its own words where it gave any."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface: `flags` are IFF_* of linux/if.h, `kind` is rtnetlink's (veth, tun …) or empty for hardware.

    `alias` is free text that interfaces carry for administrators; `peer` is the index of a veth's other end in its own
    namespace, 0 for others.
    """

    index: int
    name: str
    flags: int
    mtu: int
    mac: str
    kind: str
    alias: str = ""
    peer: int = 0

    @property
    def up(self) -> bool:
        """Administratively up."""
        return bool(self.flags & IFF_UP)

    @property
    def carrier(self) -> bool:
        """Connected: a veth's other end is up, a TUN or TAP device is open. Known at once, unlike IFF_RUNNING."""
        return bool(self.flags & IFF_LOWER_UP)


# Transport -----------------------------------------------------------------------------------------------------------


class NetlinkSocket:
    """A blocking netlink socket of one protocol in the calling thread's namespace. A context manager."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE, strict: bool = True) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        if strict:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> NetlinkSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def request(self, message: Message) -> None:
        """Send one message and wait for its acknowledgement. Raises `NetlinkError`."""
        (error,) = self.batch([message])
        if error is not None:
            raise error

    def batch(self, messages: Sequence[Message]) -> list[NetlinkError | None]:
        """Send all messages in as few system calls as fit, and give each one's error, or None, in their order.

        A message has its type and flags set (`message`); one that fails does not stop the others.
        """
        results: list[NetlinkError | None] = []
        chunk = bytearray()
        count = 0
        for message in messages:
            data = self._encode(message, NLM_F_ACK)
            if chunk and len(chunk) + len(data) > _BATCH_BYTES:
                results += self._exchange(chunk, count)
                chunk, count = bytearray(), 0
            chunk += data
            count += 1
        if chunk:
            results += self._exchange(chunk, count)
        return results

    def dump(self, message: Message) -> list[bytes]:
        """The raw messages that answer a dump request; asked again when the kernel says that they changed meanwhile."""
        while True:
            self._socket.send(self._encode(message, NLM_F_DUMP))
            answer, interrupted = self._receive_dump()
            if not interrupted:
                return answer

    def ask(self, message: Message) -> bytes:
        """The raw message that answers a question about one thing. Raises `NetlinkError`."""
        self._socket.send(self._encode(message, 0))
        for kind, flags, _, data in split(self._socket.recv(_RECEIVE_BYTES)):
            error = _error(flags, data) if kind == NLMSG_ERROR else None
            if error is not None:
                raise error
            return data
        raise NetlinkError(errno.EPROTO, "the kernel answered nothing")

    def _receive_dump(self) -> tuple[list[bytes], bool]:
        answer: list[bytes] = []
        interrupted = False
        while True:
            for kind, flags, _, data in split(self._socket.recv(_RECEIVE_BYTES)):
                interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if kind == NLMSG_DONE:
                    return answer, interrupted
                if kind == NLMSG_ERROR:
                    raise _error(flags, data) or NetlinkError(errno.EPROTO, "acknowledged instead of answered")
                answer.append(data)

    def _encode(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        message["header"]["sequence_number"] = self._sequence
        message["header"]["flags"] |= NLM_F_REQUEST | flags
        message.encode()
        return bytes(message.data)

    def _exchange(self, data: bytearray, count: int) -> list[NetlinkError | None]:
        self._socket.send(data)
        errors: list[NetlinkError | None] = []
        while len(errors) < count:
            for kind, flags, _, answer in split(self._socket.recv(_RECEIVE_BYTES)):
                if kind == NLMSG_ERROR:
                    errors.append(_error(flags, answer))
        return errors


class RouteSocket(NetlinkSocket):
    """rtnetlink of the calling thread's namespace: links and addresses in words."""

    def __enter__(self) -> RouteSocket:
        return self

    def links(self) -> dict[str, Link]:
        """Every interface of the namespace by name."""
        found = {}
        for data in self.dump(message(ifinfmsg, RTM_GETLINK)):
            link = parse_link(data)
            found[link.name] = link
        return found

    def addresses(self) -> dict[int, set[str]]:
        """The IPv4 addresses with their prefix length, by interface index."""
        found: dict[int, set[str]] = {}
        for data in self.dump(message(ifaddrmsg, RTM_GETADDR, family=socket.AF_INET)):
            entry = decode(ifaddrmsg, data)
            address = entry.get_attr("IFA_LOCAL") or entry.get_attr("IFA_ADDRESS")
            found.setdefault(entry["index"], set()).add(f"{address}/{entry['prefixlen']}")
        return found

    def set_link(self, index: int, up: bool | None = None, **attributes: Any) -> None:
        """Change an interface: up or down, and IFLA_* attributes by lower-case name (mtu, address, ifname …)."""
        request = message(ifinfmsg, RTM_NEWLINK, index=index)
        if up is not None:
            request["flags"] = IFF_UP if up else 0
            request["change"] = IFF_UP
        request["attrs"] = [("IFLA_" + name.upper(), value) for name, value in attributes.items()]
        self.request(request)

    def delete_link(self, index: int) -> None:
        """Delete an interface (and a veth's other end with it)."""
        self.request(message(ifinfmsg, RTM_DELLINK, index=index))

    def set_addresses(self, index: int, wanted: Iterable[str], present: Iterable[str]) -> bool:
        """Make the interface's IPv4 addresses `wanted` (with length); true when something had to change."""
        requests = [_address_message(RTM_DELADDR, index, a) for a in sorted(set(present) - set(wanted))]
        requests += [_address_message(RTM_NEWADDR, index, a) for a in sorted(set(wanted) - set(present))]
        for error in self.batch(requests):
            if error is not None and error.errno not in (errno.EEXIST, errno.EADDRNOTAVAIL):
                raise error
        return bool(requests)


def message(kind: type[nlmsg], command: int, flags: int = 0, **fields: Any) -> Message:
    """An empty message of a pyroute2 class with its header and fixed fields set; add `["attrs"]` as needed."""
    made = kind()
    made["header"]["type"] = command
    made["header"]["flags"] = flags
    for name, value in fields.items():
        made[name] = value
    made["attrs"] = []
    return made


def decode(kind: type[nlmsg], data: bytes) -> Message:
    """A received message as its pyroute2 class."""
    made = kind(data)
    made.decode()
    return made


def split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(type, flags, sequence number, whole message) of each netlink message in a datagram."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        yield kind, flags, sequence, data[offset : offset + length]
        offset += (length + 3) & ~3


def parse_link(data: bytes) -> Link:
    """An RTM_NEWLINK or RTM_DELLINK message."""
    entry = decode(ifinfmsg, data)
    info = entry.get_attr("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else "") or ""
    return Link(
        index=entry["index"],
        name=entry.get_attr("IFLA_IFNAME"),
        flags=entry["flags"],
        mtu=entry.get_attr("IFLA_MTU") or 0,
        mac=entry.get_attr("IFLA_ADDRESS") or "",
        kind=kind,
        alias=entry.get_attr("IFLA_IFALIAS") or "",
        peer=(entry.get_attr("IFLA_LINK") or 0) if kind == "veth" else 0,
    )


def _error(flags: int, data: bytes) -> NetlinkError | None:
    """The error in an NLMSG_ERROR: code, then the request's header, then attributes when NLM_F_ACK_TLVS is set."""
    (number,) = struct.unpack_from("=i", data, _HEADER.size)
    if number == 0:
        return None
    words = os.strerror(-number)
    offset = _HEADER.size + 4 + _HEADER.size
    while flags & NLM_F_ACK_TLVS and offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        if kind == NLMSGERR_ATTR_MSG:
            words = data[offset + 4 : offset + length].rstrip(b"\0").decode(errors="replace") + f" ({words})"
        offset += (length + 3) & ~3
    return NetlinkError(-number, words)


def _address_message(command: int, index: int, address: str) -> Message:
    interface = IPv4Interface(address)
    flags = NLM_F_CREATE | NLM_F_EXCL if command == RTM_NEWADDR else 0
    made = message(
        ifaddrmsg,
        command,
        flags,
        family=socket.AF_INET,
        prefixlen=interface.network.prefixlen,
        index=index,
        scope=SCOPE_UNIVERSE,
    )
    made["attrs"] = [("IFA_LOCAL", str(interface.ip)), ("IFA_ADDRESS", str(interface.ip))]
    return made


def namespace_id(name: str) -> int:
    """The number under which the calling thread's namespace sees events of the named one, assigned if there is none.

    Without such a number a socket with NETLINK_LISTEN_ALL_NSID hears nothing from a namespace.
    """
    handle = os.open(namespaces.path_of(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        with RouteSocket() as sock:
            assign = message(nsidmsg, RTM_NEWNSID)
            assign["attrs"] = [("NETNSA_NSID", _NSID_UNASSIGNED & 0xFFFFFFFF), ("NETNSA_FD", handle)]
            (error,) = sock.batch([assign])
            if error is not None and error.errno != errno.EEXIST:
                raise error
            query = message(nsidmsg, RTM_GETNSID)
            query["attrs"] = [("NETNSA_FD", handle)]
            return int(decode(nsidmsg, sock.ask(query)).get_attr("NETNSA_NSID"))
    finally:
        os.close(handle)


# Coroutines ----------------------------------------------------------------------------------------------------------


async def in_worker(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function in a netlink worker thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_workers, lambda: function(*args, **kwargs))


def within(
    netns: str | None, function: Callable[Concatenate[RouteSocket, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call a function with an rtnetlink socket of the namespace (None: the process's own). Blocking."""
    with namespaces.entered(netns), RouteSocket() as sock:
        return function(sock, *args, **kwargs)


async def in_netns(
    netns: str | None, function: Callable[Concatenate[RouteSocket, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """`within`, in a worker thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_workers, lambda: within(netns, function, *args, **kwargs))


async def create_netns(name: str) -> None:
    """Create a namespace. Raises FileExistsError when the name is taken."""
    await in_worker(namespaces.create, name)


async def delete_netns(name: str) -> bool:
    """Delete a namespace's name; false when there was none."""
    return await in_worker(namespaces.delete, name)


async def links(netns: str | None) -> dict[str, Link]:
    """Every interface of a namespace by name. Raises FileNotFoundError for an unknown namespace."""
    return await in_netns(netns, RouteSocket.links)


async def addresses(netns: str | None, device: str) -> frozenset[str]:
    """The IPv4 addresses (with length) of one interface. Raises `NetlinkError` (ENODEV) when it does not exist."""

    def read(sock: RouteSocket) -> frozenset[str]:
        return frozenset(sock.addresses().get(_existing(sock, device).index, ()))

    return await in_netns(netns, read)


async def set_up(netns: str | None, device: str, up: bool) -> bool:
    """Bring an interface up or down; true when it was not so already."""

    def change(sock: RouteSocket) -> bool:
        link = _existing(sock, device)
        if link.up != up:
            sock.set_link(link.index, up=up)
        return link.up != up

    return await in_netns(netns, change)


async def set_mtu(netns: str | None, device: str, mtu: int) -> bool:
    """Set an interface's MTU in bytes; true when it was another."""

    def change(sock: RouteSocket) -> bool:
        link = _existing(sock, device)
        if link.mtu != mtu:
            sock.set_link(link.index, mtu=mtu)
        return link.mtu != mtu

    return await in_netns(netns, change)


async def set_addresses(netns: str | None, device: str, wanted: Iterable[str]) -> bool:
    """Make an interface's IPv4 addresses (with length) exactly these; true when something had to change."""

    def change(sock: RouteSocket) -> bool:
        index = _existing(sock, device).index
        return sock.set_addresses(index, wanted, sock.addresses().get(index, ()))

    return await in_netns(netns, change)


async def delete_link(netns: str | None, device: str) -> bool:
    """Delete an interface; false when there was none."""

    def delete(sock: RouteSocket) -> bool:
        link = sock.links().get(device)
        if link is not None:
            sock.delete_link(link.index)
        return link is not None

    return await in_netns(netns, delete)


def _existing(sock: RouteSocket, device: str) -> Link:
    link = sock.links().get(device)
    if link is None:
        raise NetlinkError(errno.ENODEV, f"no interface {device}")
    return link
