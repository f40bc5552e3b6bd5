"""`python -m bench [SUITE...] [--rounds N] [--seconds S]`: run suites, print tables, write `bench/results/*.json`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from rich.console import Console

from bench import (
    api,
    api_scale,
    ciphers,
    control_plane,
    flood,
    idle,
    interop,
    latency,
    machine,
    packets,
    search,
    targets,
    throughput,
    wireguard,
)
from bench.bed import Wire
from bench.measure import Figure, NotReached, Settings, say, table
from twinbore.lab.namespaces import CommandFailed

SUITES: Final[dict[str, Callable[[Settings], list[Figure]]]] = {
    "throughput": throughput.run,
    "ciphers": ciphers.run,
    "packets": packets.run,
    "latency": latency.run,
    "interop": interop.run,
    "flood": flood.run,
    "idle": idle.run,
    "control-plane": control_plane.run,
    "api": api.run,
    "api-scale": api_scale.run,
}
RESULTS: Final = Path(__file__).parent / "results"


def main() -> int:
    """Exit status 1 when a suite could not be measured to its end."""
    arguments = _arguments()
    # The engines' notes on what they start are not of interest here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = Settings(arguments.rounds, arguments.seconds)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    started = datetime.now(UTC)
    result: dict[str, Any] = {"started": started.isoformat(timespec="seconds"), "machine": machine.describe()}
    result["settings"] = _settings(settings)
    measured: dict[str, list[Figure]] = {}
    failures: dict[str, str] = {}
    for name in arguments.suites or SUITES:
        say(f"{name}: begins")
        begin = time.monotonic()
        try:
            measured[name] = SUITES[name](settings)
        except (NotReached, CommandFailed) as error:
            failures[name] = str(error)
            console.print(f"[bold red]{name} could not be measured:[/] {error}", markup=True)
            continue
        say(f"{name}: {time.monotonic() - begin:.0f} s")
        console.print(f"[bold]{name}[/]")
        console.print(table(measured[name]))
    verdicts = targets.judge(targets.TARGETS, measured)
    if verdicts:
        console.print("[bold]targets[/], by medians")
        console.print(targets.table(verdicts))
    result |= measured | {"targets": verdicts, "failures": failures}
    result["seconds"] = round((datetime.now(UTC) - started).total_seconds())
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{started:%Y%m%dT%H%M%SZ}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    console.print(f"written to {file}")
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of every measurement (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one measurement of TCP (default 3)")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - SUITES.keys()
    if unknown:
        parser.error(f"unknown suite {sorted(unknown)[0]!r}: one of {', '.join(SUITES)}")
    if os.geteuid() != 0:
        parser.error("the benchmarks make network namespaces: run as root")
    return arguments


def _settings(settings: Settings) -> dict[str, object]:
    """What a reader of the figures has to know about how they were taken."""
    return {
        "rounds": settings.rounds,
        "seconds": settings.seconds,
        "wires": {wire.value: " ".join(wire.offloads) or "as veth comes" for wire in Wire},
        "wireguard_go": f"{wireguard.MODULE}@{wireguard.VERSION}",
        "udp_trial_seconds": packets.TRIAL_SECONDS,
        "udp_loss_limit": packets.LOSS_LIMIT,
        "udp_rate_resolution": search.RESOLUTION,
        "udp_attempts": packets.ATTEMPTS,
        "flood_packets_per_second": flood.RATE,
        "idle_tunnels": idle.TUNNELS,
        "idle_seconds": idle.IDLE_SECONDS,
    }


if __name__ == "__main__":
    sys.exit(main())
