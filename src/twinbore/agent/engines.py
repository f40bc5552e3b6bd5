"""The four engines of a host as one value, in the order in which they build on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from twinbore.engines.base import Engine
from twinbore.model.desired import BgpPlan, EspPlan, IpsecPlan, NetPlan
from twinbore.model.observed import BgpObservation, EspStatus, IkeStatus

ORDER: Final = ("net", "esp", "bgp", "ipsec")
"""Creation goes this way, removal the other: tunnel interfaces stand in namespaces, BGP on interfaces, IKE on all."""


@dataclass(frozen=True, slots=True)
class EngineSet:
    """The engines that the agent drives; real ones or fakes."""

    net: Engine[NetPlan, Any]
    esp: Engine[EspPlan, tuple[EspStatus, ...]]
    bgp: Engine[BgpPlan, BgpObservation]
    ipsec: Engine[IpsecPlan, tuple[IkeStatus, ...]]

    def named(self, name: str) -> Engine[Any, Any]:
        """The engine of that name in `ORDER`."""
        engine: Engine[Any, Any] = getattr(self, name)
        return engine
