"""Puts the engines of a host together from the settings: real ones, or fakes for rehearsals.

The order of construction knows one secret only: with the user ESP engine, charon talks to twinbore-esp through a
socket in charon's own directory (charon sees nothing else below /run).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from twinbore.agent.engines import EngineSet
from twinbore.cli.paths import Paths
from twinbore.engines.base import Engine
from twinbore.engines.bgp.engine import BgpEngine
from twinbore.engines.bgp.fake import FakeBgpEngine
from twinbore.engines.esp.choose import EspChoice, choose
from twinbore.engines.esp.fake import FakeEspEngine
from twinbore.engines.esp.kernel import KernelEspEngine
from twinbore.engines.esp.user import UserEspEngine
from twinbore.engines.ipsec.engine import IpsecEngine
from twinbore.engines.ipsec.fake import FakeIpsecEngine
from twinbore.engines.net.engine import NetEngine
from twinbore.engines.net.fake import FakeNetEngine
from twinbore.model.settings import Settings
from twinbore.planner.gateways import HostFacts

_BUILT: Final = Path(__file__).parents[3] / "esp" / "target" / "release"
_PLACES: Final = (Path(os.environ.get("TWINBORE_LIBEXEC", "/usr/lib/twinbore")), _BUILT)


def _program(name: str) -> Path:
    """Where a file of the user ESP engine is: installed, or built in this checkout."""
    return next((place / name for place in _PLACES if (place / name).exists()), _BUILT / name)


ESP_DAEMON: Final = _program("twinbore-esp")
ESP_SHIM: Final = _program("libtwinbore_esp_shim.so")


def esp_choice(settings: Settings) -> EspChoice:
    """Which ESP engine the settings mean on this host, and why."""
    return choose(settings.esp)


def build_engines(settings: Settings, paths: Paths, touch: Callable[[str], None]) -> tuple[EngineSet, HostFacts]:
    """The engines, each telling `touch(name)` when something may have changed, and what the planner must know.

    Raises `EngineError` when a program or a privilege is missing.
    """
    if settings.engines == "fake":
        return _fakes(touch), _facts(settings, encapsulate=True)
    ipsec_directory = paths.run / "ipsec"
    xfrm_socket = ipsec_directory / "run" / "xfrm.sock"
    common: dict[str, Any] = {"underlay": settings.underlay}
    user = esp_choice(settings).engine == "user"
    esp: Engine[Any, Any]
    if user:
        esp = UserEspEngine(
            run_dir=paths.run / "esp",
            on_event=partial(touch, "esp"),
            daemon=ESP_DAEMON,
            xfrm_socket=xfrm_socket,
            workers=settings.esp_workers,
            **common,
        )
    else:
        esp = KernelEspEngine(run_dir=paths.run / "esp", on_event=partial(touch, "esp"), **common)
    engines = EngineSet(
        net=NetEngine(run_dir=paths.run / "net", on_event=partial(touch, "net"), **common),
        esp=esp,
        bgp=BgpEngine(run_dir=paths.run / "bgp", on_event=partial(touch, "bgp"), **common),
        ipsec=IpsecEngine(
            run_dir=ipsec_directory,
            on_event=partial(touch, "ipsec"),
            esp_socket=xfrm_socket if user else None,
            shim=ESP_SHIM if user else None,
            **common,
        ),
    )
    return engines, _facts(settings, encapsulate=user)


def _facts(settings: Settings, *, encapsulate: bool) -> HostFacts:
    return HostFacts(
        encapsulate=encapsulate,
        bgp_import_limit=settings.bgp_import_limit,
        propagated_routes_limit=settings.quotas.propagated_routes_per_route_table,
    )


def _fakes(touch: Callable[[str], None]) -> EngineSet:
    return EngineSet(
        net=FakeNetEngine(on_event=partial(touch, "net")),
        esp=FakeEspEngine(on_event=partial(touch, "esp")),
        bgp=FakeBgpEngine(on_event=partial(touch, "bgp")),
        ipsec=FakeIpsecEngine(on_event=partial(touch, "ipsec")),
    )
