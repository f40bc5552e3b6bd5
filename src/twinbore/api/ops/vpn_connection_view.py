"""The rows around VPN connections, each kind read once for all of them; `vpn_connection_shape` has what they show.

A tunnel's telemetry is what the agent last recorded.

A caller that may not set a tunnel's pre-shared key is not shown it either (see `authorization`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

from twinbore.api.authorization import REDACTED
from twinbore.api.operation import Call
from twinbore.api.ops import vpn_connection_shape as shape
from twinbore.api.ops.vpn_connection_shape import ConnectionRows
from twinbore.api.writer import Kept
from twinbore.devices.view import ConnectionView
from twinbore.model import bgp_password
from twinbore.model import resources as r
from twinbore.model.extensions import IDENTITY_KEY
from twinbore.model.peer import identity_of
from twinbore.store.statements import batched

PRE_SHARED_KEY: Final = "pre_shared_key"
AT_ONCE: Final = 256
"""Connections whose rows are read together, and are in memory together."""


class ConnectionReader:
    """The rows around some connections, or around all of the caller's account. Nothing is read before it is needed."""

    def __init__(self, call: Call, connections: Iterable[r.VpnConnection] | None = None) -> None:
        self._call = call
        self._connections = None if connections is None else list(connections)
        self._may_see_keys = call.caller.key_viewer()

    def rows(self, connection: r.VpnConnection) -> ConnectionRows:
        """All that is shown of the connection."""
        tunnels = tuple(self._tunnels[connection.id])
        gateway_id = connection.vpn_gateway_id
        customer = self.customer_gateway(connection)
        return ConnectionRows(
            connection,
            customer,
            identity_of(customer, self._identities.get(customer.id, {})),
            self._gateways[gateway_id] if gateway_id else None,
            tunnels,
            self._shown_keys(connection),
            self._shown_passwords(connection),
            tuple([self._telemetry.get(tunnel.id) for tunnel in tunnels]),
            tuple(self._routes.get(connection.id, ())),
            tuple(self._tags.get(connection.id, ())),
        )

    def shown(self, connection: r.VpnConnection) -> Kept:
        """The VpnConnection shape, for an answer."""
        return shape.shown(self.rows(connection))

    def view(self, connection: r.VpnConnection) -> ConnectionView:
        """What a device's configuration is made of. The connection must be in a state of `LIVING`."""
        return shape.view(self.rows(connection))

    def configuration(self, connection: r.VpnConnection) -> str | None:
        """The customer gateway configuration (XML), while the connection has one."""
        return shape.configuration(self.rows(connection))

    def tunnels(self, connection: r.VpnConnection) -> list[r.VpnTunnel]:
        """The two tunnels, 1 and 2."""
        return self._tunnels[connection.id]

    def routes(self, connection: r.VpnConnection) -> list[r.VpnStaticRoute]:
        """The static routes, oldest first."""
        return self._routes[connection.id]

    def customer_gateway(self, connection: r.VpnConnection) -> r.CustomerGateway:
        return self._customer_gateways[connection.customer_gateway_id]

    def key(self, tunnel: r.VpnTunnel) -> str | None:
        """The tunnel's pre-shared key, or None after the connection was deleted."""
        return self._keys.get(tunnel.id)

    def _shown_keys(self, connection: r.VpnConnection) -> tuple[str | None, ...]:
        """The tunnels' keys as the caller may see them."""
        keys = [self._keys.get(tunnel.id) for tunnel in self._tunnels[connection.id]]
        if not self._may_see_keys(connection.id):
            keys = [None if key is None else REDACTED for key in keys]
        return tuple(keys)

    def _shown_passwords(self, connection: r.VpnConnection) -> tuple[str, ...]:
        """The passwords of the tunnels' BGP sessions as the caller may see them; empty where there is none."""
        passwords = [self._bgp_passwords.get(tunnel.id, "") for tunnel in self._tunnels[connection.id]]
        if not self._may_see_keys(connection.id):
            passwords = [REDACTED if password else "" for password in passwords]
        return tuple(passwords)

    @cached_property
    def _scope(self) -> dict[str, Any]:
        if self._connections is None:
            return {"account_id": self._call.account_id}
        return {"connection_id": [c.id for c in self._connections]}

    @cached_property
    def _tunnels(self) -> dict[str, list[r.VpnTunnel]]:
        grouped: defaultdict[str, list[r.VpnTunnel]] = defaultdict(list)
        for tunnel in sorted(self._call.tx.all(r.VpnTunnel, **self._scope), key=lambda t: t.index):
            grouped[tunnel.connection_id].append(tunnel)
        return grouped

    @cached_property
    def _routes(self) -> dict[str, list[r.VpnStaticRoute]]:
        grouped: defaultdict[str, list[r.VpnStaticRoute]] = defaultdict(list)
        for route in self._call.tx.all(r.VpnStaticRoute, **self._scope):
            grouped[route.connection_id].append(route)
        return grouped

    @cached_property
    def _tunnel_ids(self) -> list[str]:
        return [tunnel.id for tunnels in self._tunnels.values() for tunnel in tunnels]

    @cached_property
    def _telemetry(self) -> dict[str, r.TunnelTelemetry]:
        return {row.id: row for row in self._call.tx.all(r.TunnelTelemetry, id=self._tunnel_ids)}

    @cached_property
    def _keys(self) -> dict[str, str]:
        return self._call.tx.secrets(self._tunnel_ids, PRE_SHARED_KEY)

    @cached_property
    def _bgp_passwords(self) -> dict[str, str]:
        return self._call.tx.secrets(self._tunnel_ids, bgp_password.FIELD)

    @cached_property
    def _customer_gateways(self) -> dict[str, r.CustomerGateway]:
        return {g.id: g for g in self._around(r.CustomerGateway, "customer_gateway_id")}

    @cached_property
    def _identities(self) -> dict[str, dict[str, str]]:
        tags = self._call.tx.all(r.Tag, resource_id=list(self._customer_gateways), key=IDENTITY_KEY)
        return {tag.resource_id: {tag.key: tag.value} for tag in tags}

    @cached_property
    def _gateways(self) -> dict[str, r.VpnGateway]:
        return {g.id: g for g in self._around(r.VpnGateway, "vpn_gateway_id")}

    def _around(self, kind: type[Any], member: str) -> list[Any]:
        if self._connections is None:
            return self._call.tx.all(kind, account_id=self._call.account_id)
        ids = dict.fromkeys(getattr(c, member) for c in self._connections)
        return self._call.tx.all(kind, id=[key for key in ids if key is not None])

    @cached_property
    def _tags(self) -> dict[str, list[r.Tag]]:
        scope: dict[str, Any] = {"account_id": self._call.account_id, "resource_type": "vpn-connection"}
        if self._connections is not None:
            scope = {"resource_id": [c.id for c in self._connections]}
        grouped: defaultdict[str, list[r.Tag]] = defaultdict(list)
        for tag in self._call.tx.all(r.Tag, **scope):
            grouped[tag.resource_id].append(tag)
        return grouped


def shown_in_turn(call: Call, connections: Iterable[r.VpnConnection]) -> Iterator[Kept]:
    """The VpnConnection shapes of many connections, of which `AT_ONCE` are read at a time."""
    for some in batched(connections, AT_ONCE):
        reader = ConnectionReader(call, some)
        for connection in some:
            yield reader.shown(connection)
