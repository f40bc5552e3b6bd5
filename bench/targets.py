"""What the data path is to reach, as data, and whether it has. A target that is missed is shown, it is no error.

Each names a figure of a suite; its median is what is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from rich.table import Table

from bench import api, api_scale, flood, idle, interop, latency, packets
from bench.api_servers import MOTO_NAME
from bench.api_servers import OURS as API
from bench.api_side import CREATE, CREATE_CUSTOMER, by, describe_all, describe_one
from bench.bed import Wire
from bench.cipher import CBC_128, GCM_128, GCM_256
from bench.ciphers import subject
from bench.measure import Figure
from bench.throughput import tcp_name
from bench.tunnel import Kind

OURS: Final = Kind.OURS.value
STOCK: Final = Kind.STOCK.value
WIREGUARD: Final = Kind.WIREGUARD.value
PLAIN: Final = Kind.PLAIN.value


class Target(msgspec.Struct, frozen=True):
    """The median of `figure` in `suite` shall be `at_least`, or `below`, a value in the figure's unit."""

    suite: str
    figure: str
    at_least: float | None = None
    below: float | None = None


class Verdict(msgspec.Struct, frozen=True):
    """`reached` and `met` are None for a figure that was not measured."""

    figure: str
    wanted: str
    reached: float | None
    met: bool | None


def _ratio(suite: str, above: str, below: str, what: str, least: float) -> Target:
    return Target(suite, f"{above} / {below}, {what}", at_least=least)


TARGETS: Final = (
    _ratio("throughput", OURS, STOCK, tcp_name(Wire.LARGE), 16),
    _ratio("throughput", OURS, WIREGUARD, tcp_name(Wire.LARGE), 2.5),
    _ratio("throughput", OURS, PLAIN, tcp_name(Wire.LARGE), 0.55),
    _ratio("throughput", OURS, STOCK, tcp_name(Wire.PACKETS), 12),
    _ratio("throughput", OURS, WIREGUARD, tcp_name(Wire.PACKETS), 2.2),
    _ratio("throughput", OURS, STOCK, tcp_name(Wire.UNMERGED), 3.5),
    _ratio("throughput", OURS, WIREGUARD, tcp_name(Wire.UNMERGED), 2),
    _ratio("ciphers", subject(Kind.OURS, GCM_256), subject(Kind.OURS, GCM_128), tcp_name(Wire.LARGE), 0.85),
    _ratio("ciphers", subject(Kind.OURS, CBC_128), subject(Kind.STOCK, CBC_128), tcp_name(Wire.LARGE), 4),
    _ratio("packets", OURS, STOCK, packets.UDP_LARGE, 4),
    _ratio("packets", OURS, STOCK, packets.SMALL_FORTH, 4),
    _ratio("packets", OURS, STOCK, packets.SMALL_BACK, 4),
    Target("packets", f"{OURS}, {packets.SMALL_FORTH}", at_least=140),
    Target("packets", f"{OURS}, {packets.SMALL_BACK}", at_least=140),
    Target("latency", f"{OURS} − {PLAIN}, {latency.IDLE}", below=0.2),
    Target("latency", f"{OURS}, {latency.LOADED}", below=5),
    _ratio("interop", interop.MIXED, interop.STOCK, interop.TO_STOCK, 1),
    _ratio("interop", interop.MIXED, interop.STOCK, interop.FROM_STOCK, 1),
    Target("idle", f"{idle.NAME}, start to all programmed", below=2),
    Target("idle", f"{idle.NAME}, resident memory", below=96),
    Target("idle", f"{idle.NAME}, processor while idle", below=0.5),
    _ratio("flood", f"{OURS} {flood.FLOODED}", OURS, flood.WHAT, 0.8),
    Target("api", f"{API}, {CREATE_CUSTOMER}, {by(1)}", below=3),
    Target("api", f"{API}, {CREATE}, {by(1)}", below=3),
    *(_ratio("api", API, MOTO_NAME, f"{describe_one(api.FEW)}, {by(clients)}, rate", 4) for clients in api.CLIENTS),
    *(_ratio("api", API, MOTO_NAME, f"{describe_all(api.FEW)}, {by(clients)}, rate", 10) for clients in api.CLIENTS),
    Target("api-scale", f"{API}, {api_scale.GROWTH}", below=1),
)
"""140 kpps is what AWS gives as the most that one of its tunnels carries."""


def judge(targets: Iterable[Target], results: Mapping[str, Iterable[Figure]]) -> list[Verdict]:
    """The verdicts on the targets of the suites in `results`, which maps a suite to its figures."""
    return [_judge(target, results[target.suite]) for target in targets if target.suite in results]


def _judge(target: Target, figures: Iterable[Figure]) -> Verdict:
    found = next((figure for figure in figures if figure.name == target.figure), None)
    unit = found.unit if found else ""
    if target.at_least is not None:
        wanted, met = f"≥ {target.at_least:g}", found and found.median >= target.at_least
    else:
        wanted, met = f"< {target.below:g}", found and target.below is not None and found.median < target.below
    return Verdict(
        target.figure, f"{wanted} {unit}".strip(), found.median if found else None, bool(met) if found else None
    )


def table(verdicts: Iterable[Verdict]) -> Table:
    """The verdicts for the terminal."""
    shown = Table("figure", box=None, pad_edge=False)
    for heading in ("wanted", "reached", "met?"):
        shown.add_column(heading, justify="right")
    words = {True: "yes", False: "[bold red]NO[/]", None: "not measured"}
    for one in verdicts:
        shown.add_row(one.figure, one.wanted, "" if one.reached is None else f"{one.reached:.4g}", words[one.met])
    return shown
