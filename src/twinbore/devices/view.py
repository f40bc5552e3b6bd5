"""The input of every customer device configuration: one VPN connection with its tunnels, gateways and keys.

The values are the store's rows as they are, so that a template shows real options and never a default of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twinbore.model.desired import Bfd
from twinbore.model.resources import CustomerGateway, VpnConnection, VpnTunnel


@dataclass(frozen=True, slots=True)
class TunnelView:
    """One tunnel, its pre-shared key, and the password of its BGP session (empty: none)."""

    tunnel: VpnTunnel
    pre_shared_key: str = field(repr=False)
    bgp_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection as its customer sees it.

    `vpn_gateway_id` is None where the connection's target is not a virtual private gateway. `tunnels` are the two,
    the one with index 1 first. `bfd` is set where the connection's sessions run BFD. `customer_identity` is what the
    router must call itself in IKE; None where it may choose. `cloud_prefixes` are the blocks of the VPC that the target
    is attached to; `static_routes` the prefixes of CreateVpnConnectionRoute. Both are known only where a device's
    configuration is made.
    """

    connection: VpnConnection
    customer_gateway: CustomerGateway
    vpn_gateway_id: str | None
    amazon_side_asn: int
    tunnels: tuple[TunnelView, TunnelView]
    bfd: Bfd | None
    customer_identity: str | None = None
    cloud_prefixes: tuple[str, ...] = ()
    static_routes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        order = [t.tunnel.index for t in self.tunnels]
        if order != [1, 2]:
            raise ValueError(f"the tunnels of {self.connection.id} must be those with index 1 and 2, in order: {order}")
