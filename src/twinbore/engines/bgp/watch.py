"""Noticing that something happened in a routing domain: BIRD's logs and the kernel's routes and links.

BIRD writes a line when a session's state changes; one inotify instance watches the directories of all domains. Which
line it was does not matter: the domain's name is reported and its truth re-read.

Events come in bursts, so they are collected for `COLLECT_SECONDS`; and when a session comes up, its prefixes follow a
moment later without any log line, so a domain is reported once more after `LATER_SECONDS`.

References: inotify(7).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from twinbore.engines.bgp.domain import LOG_NAME, RTPROT_BIRD
from twinbore.engines.kernel_events import (
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_LINK,
    Collector,
    KernelEvents,
    route_protocol,
)
from twinbore.engines.netlink import RTM_DELLINK, RTM_DELROUTE, RTM_NEWLINK, RTM_NEWROUTE

COLLECT_SECONDS: Final = 0.005
LATER_SECONDS: Final = 1.0

_READ_BYTES = 1 << 18
_IN_MODIFY, _IN_CREATE, _IN_Q_OVERFLOW = 0x2, 0x100, 0x4000
_IN_NONBLOCK, _IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_EVENT = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Calls `on_domains` with the names of the domains in which something happened. Made on the event loop."""

    def __init__(self, on_domains: Callable[[set[str]], None]) -> None:
        self._soon = Collector(COLLECT_SECONDS, on_domains)
        self._later = Collector(LATER_SECONDS, on_domains, quiet=True)
        self._kernel = KernelEvents((RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE), _concerns_bgp, self._report)
        self._directories: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._inotify = _check(_libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC), "inotify_init1")
        asyncio.get_running_loop().add_reader(self._inotify, self._read_logs)

    async def add(self, name: str, directory: Path, netns: str) -> None:
        """Watch a domain's log directory and namespace; again when either was replaced by a new one."""
        mask = _IN_MODIFY | _IN_CREATE
        number = _check(_libc.inotify_add_watch(self._inotify, bytes(directory), mask), f"watch {directory}")
        self._directories.pop(self._watches.get(name, -1), None)
        self._directories[number] = name
        self._watches[name] = number
        await self._kernel.add(name, netns)

    def remove(self, name: str) -> None:
        """Stop watching a domain. An unknown one is no error."""
        self._kernel.remove(name)
        number = self._watches.pop(name, None)
        if number is not None:
            # Fails without harm when the directory, and with it the watch, is gone already.
            _libc.inotify_rm_watch(self._inotify, number)
            self._directories.pop(number, None)

    def close(self) -> None:
        """Stop watching everything."""
        asyncio.get_running_loop().remove_reader(self._inotify)
        os.close(self._inotify)
        self._kernel.close()
        self._soon.close()
        self._later.close()

    def _read_logs(self) -> None:
        data = os.read(self._inotify, _READ_BYTES)
        offset = 0
        while offset < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, offset)
            file = data[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
            offset += _EVENT.size + length
            if mask & _IN_Q_OVERFLOW:
                self._report(self._watches.keys())
            elif number in self._directories and file == LOG_NAME.encode():
                self._report({self._directories[number]})

    def _report(self, names: Collection[str]) -> None:
        self._soon.add(names)
        self._later.add(names)


def _concerns_bgp(kind: int, message: bytes) -> bool:
    """Links, and routes that BIRD made: what our own net engine writes is no news."""
    if kind in (RTM_NEWLINK, RTM_DELLINK):
        return True
    return kind in (RTM_NEWROUTE, RTM_DELROUTE) and route_protocol(message) == RTPROT_BIRD


def _check(result: int, action: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")
    return result
