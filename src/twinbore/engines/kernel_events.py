"""Hearing the kernel: links, routes and rules that change in any of the namespaces that an engine has something in.

One rtnetlink socket hears every namespace (NETLINK_LISTEN_ALL_NSID). The kernel tells a namespace's events only when it
has a number (nsid) in ours: `netlink.namespace_id` assigns one. What is reported is only a name: an event says that
something is worth a look, and the truth is re-read. When the socket overflows, every name is reported.

References: netlink(7); linux/netlink.h (NETLINK_LISTEN_ALL_NSID), linux/rtnetlink.h (RTNLGRP_*).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Collection
from typing import Final

from twinbore.engines import netns as namespaces
from twinbore.engines.netlink import SOL_NETLINK, in_worker, namespace_id, split

RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE = 1, 7, 8

_NETLINK_ADD_MEMBERSHIP, _NETLINK_LISTEN_ALL_NSID = 1, 8
_SO_RCVBUFFORCE: Final = 33
_RECEIVE_BUFFER_BYTES: Final = 16 << 20
_READ_BYTES: Final = 1 << 18
_RTM_PROTOCOL_OFFSET: Final = 16 + 5


class Collector:
    """Collects names and reports them together, `seconds` after the first of them, or after the last (`quiet`)."""

    def __init__(self, seconds: float, report: Callable[[set[str]], None], quiet: bool = False) -> None:
        self._seconds = seconds
        self._report = report
        self._quiet = quiet
        self._names: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, names: Collection[str]) -> None:
        """Report these names soon."""
        self._names.update(names)
        if self._timer is not None:
            if not self._quiet:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._fire)

    def close(self) -> None:
        """Report nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _fire(self) -> None:
        names, self._names, self._timer = self._names, set(), None
        self._report(names)


class KernelEvents:
    """Calls `report` with the names under which namespaces were added, when `concerns` says so of an event.

    `concerns` is given a message's type and its bytes. Made and used on the event loop's thread.
    """

    def __init__(
        self, groups: Collection[int], concerns: Callable[[int, bytes], bool], report: Callable[[set[str]], None]
    ) -> None:
        self._concerns = concerns
        self._report = report
        self._added: dict[str, tuple[int, int]] = {}
        """Name: inode and nsid of its namespace."""
        self._names: dict[int, str] = {}
        self._socket = _all_namespaces_socket(groups)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    async def add(self, name: str, netns: str) -> None:
        """Report events of a namespace under this name; again when the namespace was replaced by a new one."""
        inode = namespaces.path_of(netns).stat().st_ino
        if self._added.get(name, (0, 0))[0] != inode:
            nsid = await in_worker(namespace_id, netns)
            self.remove(name)
            self._added[name] = (inode, nsid)
            self._names[nsid] = name

    def remove(self, name: str) -> None:
        """Stop reporting a name. An unknown one is no error."""
        _, nsid = self._added.pop(name, (0, -1))
        if self._names.get(nsid) == name:
            del self._names[nsid]

    def keep(self, names: Collection[str]) -> None:
        """Stop reporting every other name."""
        for name in self._added.keys() - set(names):
            self.remove(name)

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_READ_BYTES, socket.CMSG_SPACE(4))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._report(set(self._added))
            return
        for level, kind, value in ancillary:
            if (level, kind) == (SOL_NETLINK, _NETLINK_LISTEN_ALL_NSID):
                name = self._names.get(struct.unpack("=i", value[:4])[0])
                if name is not None and any(self._concerns(kind, message) for kind, _, _, message in split(data)):
                    self._report({name})


def route_protocol(message: bytes) -> int:
    """The routing protocol number in an RTM_NEWROUTE or RTM_DELROUTE message."""
    return message[_RTM_PROTOCOL_OFFSET]


def _all_namespaces_socket(groups: Collection[int]) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    sock.setsockopt(SOL_NETLINK, _NETLINK_LISTEN_ALL_NSID, 1)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
    sock.bind((0, 0))
    for group in groups:
        sock.setsockopt(SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
    return sock
