"""The machine and the programs that figures belong to."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_RELEASE: Final = ROOT / "esp" / "target" / "release"
_PACKAGES: Final = ("strongswan-charon", "libstrongswan", "libssl3", "bird2", "frr", "iperf3", "iproute2", "ethtool")
_COMMANDS: Final = {
    "twinbore-esp": [str(_RELEASE / "twinbore-esp"), "--version"],
    "cargo": [str(ROOT / "build" / "setup" / "cargo"), "--version"],
    "commit": ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
}
_SETTINGS: Final = (
    "net/core/rmem_max",
    "net/core/wmem_max",
    "net/core/netdev_max_backlog",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
    "net/ipv4/tcp_congestion_control",
)


def describe() -> dict[str, object]:
    """Kernel and its settings, processor, cores, memory, load at the start, and versions."""
    versions = {name: _output(["dpkg-query", "-W", "-f", "${Version}", name]) for name in _PACKAGES}
    versions |= {name: _output(command) for name, command in _COMMANDS.items()}
    versions |= {name: metadata.version(name) for name in ("twinbore", "botocore", "SQLAlchemy")}
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": _first(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo")),
        "processor_flags": [flag for flag in _AES_FLAGS if flag in _flags()],
        "cores": len(os.sched_getaffinity(0)),
        "memory_kib": int(_first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo")) or 0),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "kernel_settings": {name: _setting(name) for name in _SETTINGS},
        "versions": versions,
    }


_AES_FLAGS: Final = ("aes", "pclmulqdq", "avx2", "vaes", "vpclmulqdq", "avx512f", "sha_ni")
"""What decides how quick the ciphers are."""


def _flags() -> list[str]:
    return _first(r"flags\s*:\s*(.*)", Path("/proc/cpuinfo")).split()


def _setting(name: str) -> str:
    file = Path("/proc/sys") / name
    return " ".join(file.read_text().split()) if file.exists() else ""


def _first(pattern: str, file: Path) -> str:
    match = re.search(pattern, file.read_text())
    return match[1] if match else ""


def _output(command: list[str]) -> str:
    """Empty for a program or package that is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
