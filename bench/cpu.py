"""Processor time of processes, to the nanosecond.

/proc/PID/stat counts in ticks of 10 ms, schedstat of the threads does not. A thread that has ended is not counted any
more; the data paths' threads do not end.

Reference: Documentation/scheduler/sched-stats.rst of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def seconds(processes: Iterable[int]) -> float:
    """What all threads of the processes have used, user and system."""
    return sum(_nanoseconds(thread) for process in processes for thread in _threads(process)) / 1e9


def _threads(process: int) -> list[Path]:
    return list(Path(f"/proc/{process}/task").iterdir())


def _nanoseconds(thread: Path) -> int:
    try:
        return int((thread / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0
