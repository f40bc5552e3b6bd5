"""Twinbore's data path at both ends of a bed: charon and twinbore-esp, driven by the engines that the agent drives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.bed import GATEWAYS, NETWORKS, other
from bench.measure import NotReached
from twinbore.agent.engines import EngineSet
from twinbore.cli.assembly import build_engines
from twinbore.cli.paths import Paths
from twinbore.lab.topology import Lab
from twinbore.model.desired import EspPlan, IkeTunnel, IpsecPlan, TunnelInterface
from twinbore.model.mtu import tunnel_mtu
from twinbore.model.observed import Changes
from twinbore.model.options import TunnelOptions
from twinbore.model.settings import Settings

IF_ID: Final = 1
DEVICE: Final = "t1"
INSIDE: Final = {"west": "169.254.10.1/30", "east": "169.254.10.2/30"}
OPTIONS: Final = TunnelOptions(
    phase2_encryption_algorithms=("AES128-GCM-16",), phase1_encryption_algorithms=("AES128-GCM-16",)
)
_KEY: Final = "a.key.for.benchmarks.only"


@contextmanager
def twinbore(lab: Lab, work: Path) -> Iterator[None]:
    """The tunnel between the bed's gateways, while the context lasts. `work` has the engines' files."""
    try:
        asyncio.run(_raise(lab, work))
        for gateway in GATEWAYS:
            lab.ip(gateway, f"route add {NETWORKS[other(gateway)]} dev {DEVICE}")
        yield
    finally:
        asyncio.run(_lower(lab, work))


async def _raise(lab: Lab, work: Path) -> None:
    for gateway in reversed(GATEWAYS):
        engines = _engines(lab, gateway, work)
        await engines.esp.start()
        await engines.ipsec.start()
        _must(await engines.esp.apply(EspPlan((_interface(lab, gateway),))))
        _must(await engines.ipsec.apply(IpsecPlan((_tunnel(gateway),))))
        await _close(engines)


async def _lower(lab: Lab, work: Path) -> None:
    for gateway in GATEWAYS:
        engines = _engines(lab, gateway, work)
        await engines.ipsec.teardown()
        await engines.esp.teardown()


async def _close(engines: EngineSet) -> None:
    await engines.ipsec.close()
    await engines.esp.close()


def _engines(lab: Lab, gateway: str, work: Path) -> EngineSet:
    paths = Paths(work / gateway)
    paths.create()
    engines, _ = build_engines(Settings(underlay=lab.name(gateway), esp="user"), paths, lambda _name: None)
    return engines


def _interface(lab: Lab, gateway: str) -> TunnelInterface:
    mtu = tunnel_mtu(OPTIONS.phase2_encryption_algorithms, OPTIONS.phase2_integrity_algorithms, encapsulated=True)
    return TunnelInterface(IF_ID, lab.name(gateway), DEVICE, mtu, INSIDE[gateway], True)


def _tunnel(gateway: str) -> IkeTunnel:
    here, there = GATEWAYS[gateway], GATEWAYS[other(gateway)]
    return IkeTunnel(
        name="bench",
        if_id=IF_ID,
        local_address=here,
        local_identity=here,
        remote_address=there,
        remote_identity=there,
        pre_shared_key=_KEY,
        options=OPTIONS,
        local_ts=("0.0.0.0/0",),
        remote_ts=("0.0.0.0/0",),
        encapsulate=True,
        initiate=gateway == "west",
    )


def _must(changes: Changes) -> None:
    if changes.failed:
        raise NotReached("; ".join(f"{failure.subject}: {failure.message}" for failure in changes.failed))
