"""Named network namespaces: creating, deleting and entering them, without a helper process.

A named namespace is a bind mount below /run/netns, as ip-netns(8) makes it, so that `ip netns exec` works with ours and
ours with what others made. Everything here blocks and changes the calling thread: it runs in worker threads only
(`netlink.in_worker`).

Invariant: a worker thread is in the process's own namespace whenever it is idle; `entered` and `create` return there.

References: setns(2), unshare(2), mount(2), ip-netns(8), network_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NETNS_DIR: Final = Path("/run/netns")

_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED, _MNT_DETACH = 0x1000, 0x4000, 0x100000, 2

_libc = ctypes.CDLL(None, use_errno=True)


def path_of(name: str) -> Path:
    """Where the namespace is bound. Raises ValueError for what is not a plain name."""
    if not name or "/" in name or name in (".", ".."):
        raise ValueError(f"network namespace name {name!r}: must be a plain file name")
    return NETNS_DIR / name


def exists(name: str) -> bool:
    """Whether a namespace (not merely a left-over file) is bound under that name."""
    path = path_of(name)
    return path.exists() and path.stat().st_dev != NETNS_DIR.stat().st_dev


def names() -> set[str]:
    """All named namespaces of the machine."""
    if not NETNS_DIR.is_dir():
        return set()
    return {path.name for path in NETNS_DIR.iterdir()}


@contextmanager
def entered(name: str | None) -> Iterator[None]:
    """Put the calling thread into a namespace (None: stay) for the block. Never on the event loop's thread."""
    if name is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            there = os.open(path_of(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, f"there is no network namespace {name}") from None
        try:
            _check(_libc.setns(there, _CLONE_NEWNET), f"enter network namespace {name}")
        finally:
            os.close(there)
        try:
            yield
        finally:
            _check(_libc.setns(home, _CLONE_NEWNET), "return to the process's network namespace")
    finally:
        os.close(home)


def create(name: str) -> None:
    """Create a namespace and bind it under its name. Raises FileExistsError when the name is taken."""
    path = path_of(name)
    _share_netns_dir()
    path.touch(mode=0o444, exist_ok=False)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(_CLONE_NEWNET), f"create network namespace {name}")
        try:
            _mount(Path(f"/proc/self/task/{_gettid()}/ns/net"), path, _MS_BIND)
        finally:
            _check(_libc.setns(home, _CLONE_NEWNET), "return to the process's network namespace")
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(home)


def delete(name: str) -> bool:
    """Unbind a namespace; false when there is none. The kernel destroys it when the last process and socket left."""
    path = path_of(name)
    if not path.exists():
        return False
    if _libc.umount2(bytes(path), _MNT_DETACH) != 0 and ctypes.get_errno() != errno.EINVAL:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    path.unlink(missing_ok=True)
    return True


def _share_netns_dir() -> None:
    """Make /run/netns a shared mount, as ip-netns(8) does, so that other mount namespaces see what is bound there."""
    NETNS_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory = bytes(NETNS_DIR)
    if _libc.mount(b"none", directory, b"none", _MS_SHARED | _MS_REC, None) != 0:
        _mount(NETNS_DIR, NETNS_DIR, _MS_BIND | _MS_REC)
        _check(_libc.mount(b"none", directory, b"none", _MS_SHARED | _MS_REC, None), f"share {NETNS_DIR}")


def _mount(source: Path, target: Path, flags: int) -> None:
    _check(_libc.mount(bytes(source), bytes(target), b"none", flags, None), f"bind {source} to {target}")


def _gettid() -> int:
    return int(Path("/proc/thread-self").readlink().name)


def _check(result: int, action: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")
