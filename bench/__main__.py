"""`python -m bench [SUITE...] [--rounds N] [--seconds S]`: run suites, print tables, write `bench/results/*.json`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from bench import api, control_plane, machine, throughput
from bench.measure import Figure, Settings, table

SUITES: Final[dict[str, Callable[[Settings], list[Figure]]]] = {
    "throughput": throughput.run,
    "control-plane": control_plane.run,
    "api": api.run,
}
RESULTS: Final = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of every measurement (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one throughput measurement (default 3)")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - SUITES.keys()
    if unknown:
        parser.error(f"unknown suite {sorted(unknown)[0]!r}: one of {', '.join(SUITES)}")
    if os.geteuid() != 0:
        parser.error("the benchmarks make network namespaces: run as root")
    settings = Settings(arguments.rounds, arguments.seconds)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    started = datetime.now(UTC)
    result: dict[str, Any] = {"started": started.isoformat(timespec="seconds"), "machine": machine.describe()}
    result["settings"] = settings
    for name in arguments.suites or SUITES:
        console.print(f"[bold]{name}[/] ...")
        figures = SUITES[name](settings)
        result[name] = figures
        console.print(table(figures))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{started:%Y%m%dT%H%M%SZ}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    console.print(f"written to {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
