"""Addresses for the tunnels of a connection, new or changed, against what other connections have.

* Outside: tunnel 1 takes from pool a, tunnel 2 from pool b. (outside address, customer gateway address) is unique over
  all connections that may still be in the data plane, whoever owns them, since the IKE daemon tells peers apart by it.
  Customer gateways without an address of their own count as one peer: any of them could call from any address.
* Inside: unique on the virtual private gateway. A block that the caller gave is checked first, so that no other tunnel
  is given it by chance.

A connection that is being deleted keeps its addresses until it is deleted.

References: AWS Site-to-Site VPN User Guide, "Tunnel options" (inside CIDRs are unique on a virtual private gateway).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from twinbore.api import errors
from twinbore.api.operation import Call
from twinbore.api.ops.vpn_chosen_addresses import restricted
from twinbore.api.ops.vpn_tunnels import TunnelRequest
from twinbore.model import resources as r
from twinbore.model.addressing import (
    OutsideAddress,
    PoolExhausted,
    allocate_inside_cidr,
    allocate_outside,
    expand_pool,
)
from twinbore.model.states import DELETED

POOL_SETTINGS: Final = ("outside_pool_a", "outside_pool_b")


def outside_addresses(
    call: Call, customer_address: str | None, wanted: Sequence[str | None] = (None, None)
) -> list[OutsideAddress]:
    """An outside address, the wanted or a free one, for each tunnel of a connection to this customer gateway address.

    Raises InvalidCustomerGateway.DuplicateIpAddress when the customer gateway's address is one of our own,
    InvalidParameterValue when a wanted one cannot be had, and InsufficientAddressCapacity when a pool has none left.
    """
    pools = _pools(call)
    _refuse_own_address(call, customer_address)
    tunnels = call.tx.counts(r.VpnTunnel, "outside_local")
    deleted = [c.id for c in call.tx.all(r.VpnConnection, state=DELETED)]
    free_again = Counter(t.outside_local for t in call.tx.all(r.VpnTunnel, connection_id=deleted))
    of_peer = {t.outside_local for t in call.tx.all(r.VpnTunnel, connection_id=_with_peer(call, customer_address))}
    pools = restricted(pools, wanted, POOL_SETTINGS, of_peer)
    left_for_second = {a.local for a in pools[1]} - of_peer
    if len(left_for_second) == 1:
        # Pools may overlap: tunnel 1 does not take the only address that tunnel 2 could have, if it has another.
        pools[0] = [a for a in pools[0] if a.local not in left_for_second] or pools[0]
    chosen: list[OutsideAddress] = []
    for setting, pool in zip(POOL_SETTINGS, pools, strict=True):
        other = chosen[0].local if chosen else None
        try:
            chosen.append(allocate_outside(pool, lambda local: tunnels(local) - free_again[local], of_peer, other))
        except PoolExhausted as error:
            raise errors.ApiError(
                "InsufficientAddressCapacity",
                f"Tunnel {len(chosen) + 1} of a connection to {_peer(customer_address)}: {error} (setting {setting}).",
            ) from error
    return chosen


def refuse_taken_outside(call: Call, connection: r.VpnConnection, customer_address: str | None) -> None:
    """Refuse a customer gateway's address with which another connection uses one of this connection's addresses."""
    _refuse_own_address(call, customer_address)
    own = {t.outside_local: t.outside_address for t in call.tx.all(r.VpnTunnel, connection_id=connection.id)}
    others = _with_peer(call, customer_address) - {connection.id}
    for tunnel in call.tx.all(r.VpnTunnel, connection_id=others):
        if tunnel.outside_local in own:
            raise errors.ApiError(
                "InvalidCustomerGateway.DuplicateIpAddress",
                f"Conflict among chosen gateway IP addresses: another connection joins {_peer(customer_address)} of "
                f"the customer gateway to {own[tunnel.outside_local]}, which {connection.id} has and keeps. Make a new "
                "connection to that customer gateway instead.",
            )


def refuse_taken_inside(  # noqa: PLR0917 - what is taken by whom, where, and what to call it
    call: Call,
    connection: r.VpnConnection,
    tunnel: r.VpnTunnel,
    inside_cidr: str,
    parameter: str,
    vpn_gateway_id: str | None = None,
) -> None:
    """Refuse an inside CIDR for one tunnel that another tunnel has: its sibling's, or one on the gateway.

    The gateway is the connection's own unless another is given. `parameter` is what the request says it with.
    """
    gateway_id = vpn_gateway_id or connection.vpn_gateway_id
    near = [connection.id]
    if gateway_id is not None:
        near += [c.id for c in call.tx.all(r.VpnConnection, vpn_gateway_id=gateway_id) if c.state != DELETED]
    for other in call.tx.all(r.VpnTunnel, connection_id=near, inside_cidr=inside_cidr):
        if other.id == tunnel.id:
            continue
        if vpn_gateway_id is not None:
            raise errors.invalid_value(
                parameter,
                vpn_gateway_id,
                f"a gateway on which no tunnel has the inside CIDR {inside_cidr} of {tunnel.outside_address}; "
                f"{other.connection_id} has it on this one. Change it first, with ModifyVpnTunnelOptions",
            )
        raise errors.invalid_value(
            parameter,
            inside_cidr,
            f"a block that no other tunnel of {gateway_id or connection.id} has; {other.connection_id} has this one",
        )


def inside_cidrs(call: Call, vpn_gateway_id: str | None, wanted: Sequence[TunnelRequest]) -> list[str]:
    """An inside CIDR for each tunnel: the one that it wants, or a free one. Raises `ApiError` for one that is taken."""
    taken = _TakenInside(call, vpn_gateway_id)
    for number, tunnel in enumerate(wanted, 1):
        owner = None if tunnel.inside_cidr is None else taken.owner(tunnel.inside_cidr)
        if owner is not None:
            raise errors.invalid_value(
                f"TunnelOptions.{number}.TunnelInsideCidr",
                tunnel.inside_cidr,
                f"a block that no connection of {vpn_gateway_id} has; {owner} has this one",
            )
    taken.also = {t.inside_cidr for t in wanted if t.inside_cidr is not None}
    chosen: list[str] = []
    for tunnel in wanted:
        cidr = tunnel.inside_cidr
        if cidr is None:
            try:
                cidr = allocate_inside_cidr(taken, call.random.below)
            except PoolExhausted as error:
                raise errors.ApiError("InsufficientAddressCapacity", f"{error}.") from error
            taken.also.add(cidr)
        chosen.append(cidr)
    return chosen


class _TakenInside:
    """The inside CIDRs that are taken on a virtual private gateway, and those of `also`. Looked up one by one, so that
    it does not matter how many there are."""

    def __init__(self, call: Call, vpn_gateway_id: str | None) -> None:
        self._call = call
        self._gateway_id = vpn_gateway_id
        self.also: set[str] = set()

    def owner(self, inside_cidr: str) -> str | None:
        """The connection on the gateway that has this one."""
        if self._gateway_id is None:
            return None
        connections = {t.connection_id for t in self._call.tx.all(r.VpnTunnel, inside_cidr=inside_cidr)}
        for connection in self._call.tx.all(r.VpnConnection, id=connections):
            if connection.vpn_gateway_id == self._gateway_id and connection.state != DELETED:
                return connection.id
        return None

    def __contains__(self, inside_cidr: object) -> bool:
        return inside_cidr in self.also or self.owner(str(inside_cidr)) is not None


def _with_peer(call: Call, customer_address: str | None) -> set[str]:
    """The connections, whoever owns them, whose customer gateway has this address."""
    peers = [gateway.id for gateway in call.tx.all(r.CustomerGateway, ip_address=customer_address)]
    if customer_address is not None:
        peers += [gateway.id for gateway in call.tx.all(r.CustomerGateway, resolved_address=customer_address)]
    return {c.id for c in call.tx.all(r.VpnConnection, customer_gateway_id=peers) if c.state != DELETED}


def _peer(customer_address: str | None) -> str:
    return customer_address or "a customer gateway without an address"


def _pools(call: Call) -> list[list[OutsideAddress]]:
    return [list(_pool(getattr(call.settings, name))) for name in POOL_SETTINGS]


@lru_cache(8)
def _pool(entries: tuple[str, ...]) -> tuple[OutsideAddress, ...]:
    return tuple(expand_pool(entries))


@lru_cache(8)
def _addresses(entries: tuple[str, ...]) -> frozenset[str]:
    """The addresses of a pool, public and local ones."""
    return frozenset(text for address in _pool(entries) for text in (address.public, address.local))


def _refuse_own_address(call: Call, customer_address: str | None) -> None:
    if any(customer_address in _addresses(getattr(call.settings, name)) for name in POOL_SETTINGS):
        raise errors.ApiError(
            "InvalidCustomerGateway.DuplicateIpAddress",
            f"Conflict among chosen gateway IP addresses: {customer_address} of the customer gateway is one of the "
            "service's own outside addresses.",
        )
