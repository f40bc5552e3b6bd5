"""Tunnels and interfaces for tests of the IPsec and ESP engines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twinbore.model.desired import IkeTunnel, TunnelInterface
from twinbore.model.options import TunnelOptions

KEY = "a.secret.key"


def tunnel(number: int = 1, options: dict[str, Any] | None = None, **changes: Any) -> IkeTunnel:
    """Tunnel `number` between 203.0.113.<number> and 198.51.100.1 with AWS's defaults."""
    made = IkeTunnel(
        name=f"vpn-0123456789abcdef0-{number}",
        if_id=1000 + number,
        local_address=f"203.0.113.{number}",
        local_identity=f"203.0.113.{number}",
        remote_address="198.51.100.1",
        remote_identity="198.51.100.1",
        pre_shared_key=KEY,
        options=replace(TunnelOptions(), **(options or {})),
        local_ts=("0.0.0.0/0",),
        remote_ts=("0.0.0.0/0",),
        encapsulate=False,
        initiate=False,
    )
    return replace(made, **changes)


def interface(number: int = 1, **changes: Any) -> TunnelInterface:
    """The interface of tunnel `number` in `vgw-0123456789abcdef0`."""
    made = TunnelInterface(
        if_id=1000 + number,
        netns="vgw-0123456789abcdef0",
        name=f"t{1000 + number}",
        mtu=1438,
        address=f"169.254.10.{4 * number + 1}/30",
        up=False,
    )
    return replace(made, **changes)
