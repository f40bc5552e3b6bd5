"""Twinbore's data path at one end of a bed: charon and twinbore-esp, driven by the engines that the agent drives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.bed import GATEWAYS, NETWORKS, other
from bench.cipher import Suite
from bench.measure import NotReached
from twinbore.agent.engines import EngineSet
from twinbore.cli.assembly import build_engines
from twinbore.cli.paths import Paths
from twinbore.engines.process import Identity
from twinbore.lab.topology import Lab
from twinbore.model.desired import EspPlan, IkeTunnel, IpsecPlan, TunnelInterface
from twinbore.model.mtu import tunnel_mtu
from twinbore.model.observed import Changes
from twinbore.model.settings import Settings

IF_ID: Final = 1
DEVICE: Final = "t1"
INSIDE: Final = {"west": "169.254.10.1/30", "east": "169.254.10.2/30"}


@contextmanager
def end(lab: Lab, gateway: str, suite: Suite, key: str, home: Path) -> Iterator[int]:
    """One end of the tunnel, while the context lasts; gives the process id of twinbore-esp.

    `home` is for the engines' files. West initiates, so the other end has to be there first.
    """
    paths = Paths(home)
    paths.create()
    try:
        asyncio.run(_raise(lab, gateway, suite, key, paths))
        lab.ip(gateway, f"route add {NETWORKS[other(gateway)]} dev {DEVICE}")
        yield daemon(home)
    finally:
        asyncio.run(_lower(lab, gateway, paths))


def daemon(home: Path) -> int:
    """Process id of the twinbore-esp of an end. Raises `NotReached`."""
    identity = Identity.parse((Paths(home).run / "esp" / "twinbore-esp.pid").read_text())
    if identity is None:
        raise NotReached(f"{home}: the pid file of twinbore-esp names no process")
    return identity.pid


def control_socket(home: Path) -> Path:
    """Where the twinbore-esp of an end answers."""
    return Paths(home).run / "esp" / "control.sock"


async def _raise(lab: Lab, gateway: str, suite: Suite, key: str, paths: Paths) -> None:
    engines = _engines(lab, gateway, paths)
    await engines.esp.start()
    await engines.ipsec.start()
    _must(await engines.esp.apply(EspPlan((_interface(lab, gateway, suite),))))
    _must(await engines.ipsec.apply(IpsecPlan((_tunnel(gateway, suite, key),))))
    await engines.ipsec.close()
    await engines.esp.close()


async def _lower(lab: Lab, gateway: str, paths: Paths) -> None:
    engines = _engines(lab, gateway, paths)
    await engines.ipsec.teardown()
    await engines.esp.teardown()


def _engines(lab: Lab, gateway: str, paths: Paths) -> EngineSet:
    engines, _ = build_engines(Settings(underlay=lab.name(gateway), esp="user"), paths, lambda _name: None)
    return engines


def _interface(lab: Lab, gateway: str, suite: Suite) -> TunnelInterface:
    mtu = tunnel_mtu((suite.encryption,), (suite.integrity,), encapsulated=True)
    return TunnelInterface(IF_ID, lab.name(gateway), DEVICE, mtu, INSIDE[gateway], True)


def _tunnel(gateway: str, suite: Suite, key: str) -> IkeTunnel:
    here, there = GATEWAYS[gateway], GATEWAYS[other(gateway)]
    return IkeTunnel(
        name="bench",
        if_id=IF_ID,
        local_address=here,
        local_identity=here,
        remote_address=there,
        remote_identity=there,
        pre_shared_key=key,
        options=suite.options,
        local_ts=("0.0.0.0/0",),
        remote_ts=("0.0.0.0/0",),
        encapsulate=True,
        initiate=gateway == "west",
    )


def _must(changes: Changes) -> None:
    if changes.failed:
        raise NotReached("; ".join(f"{failure.subject}: {failure.message}" for failure in changes.failed))
