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
_VERSIONS: Final = {
    "strongswan-charon": ["dpkg-query", "-W", "-f", "${Version}", "strongswan-charon"],
    "bird2": ["dpkg-query", "-W", "-f", "${Version}", "bird2"],
    "iperf3": ["dpkg-query", "-W", "-f", "${Version}", "iperf3"],
    "commit": ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
}


def describe() -> dict[str, object]:
    """Kernel, processor, cores, memory, load at the start, and versions."""
    versions = {name: _output(command) for name, command in _VERSIONS.items()}
    versions |= {name: metadata.version(name) for name in ("twinbore", "botocore", "SQLAlchemy")}
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": _first(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_kib": int(_first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo")) or 0),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": versions,
    }


def _first(pattern: str, file: Path) -> str:
    match = re.search(pattern, file.read_text())
    return match[1] if match else ""


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
