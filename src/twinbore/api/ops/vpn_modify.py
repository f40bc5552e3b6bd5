"""What every change of a connection in place has in common.

* Only an `available` connection can be changed; it is `modifying` until the data plane has been told, which takes as
  long as one round of the agent. Another change meanwhile is InvalidVpnConnection.InvalidState, as on AWS.
* What a request does not name keeps its value. A request that names what is there already succeeds and changes
  nothing, not even the state, so that it can be repeated.
* Outside addresses never change, and inside CIDRs and keys only when the request is about them.

References: EC2 API reference, ModifyVpnConnection, ModifyVpnConnectionOptions, ModifyVpnTunnelOptions.
"""

from __future__ import annotations

from typing import Any

from twinbore.api.operation import Call, Response
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.vpn_connection_view import ConnectionReader
from twinbore.model import resources as r
from twinbore.model.states import AVAILABLE, CONNECTION, MODIFYING, advance


def changeable(call: Call, connection_id: str) -> r.VpnConnection:
    """The connection with this id. Raises InvalidVpnConnection.InvalidState unless it is available."""
    return vpn_lookup.vpn_connection_in(call, connection_id, AVAILABLE)


def mark(call: Call, connection: r.VpnConnection, **changes: Any) -> r.VpnConnection:
    """The connection with these changes, `modifying` until the agent has seen them and those of its tunnels."""
    return call.tx.update(connection, state=advance(CONNECTION, connection.state, MODIFYING), **changes)


def answer(call: Call, connection: r.VpnConnection) -> Response:
    """The connection as it is now."""
    return {"VpnConnection": ConnectionReader(call, [connection]).shown(connection)}
