"""ReplaceVpnTunnel and GetVpnTunnelReplacementStatus: maintenance of a tunnel, and carrying it out when it suits.

A tunnel's endpoint needs no patches of its own here, so what can be pending is this: times that were changed
(lifetimes, re-keying, dead peer detection, replay window), while the tunnel's SAs still run with the former ones. They
are replaced at their next re-keying (`MaintenanceAutoAppliedAfter`), or at once by ReplaceVpnTunnel. A tunnel whose
peer cannot be called from here gets them when its customer negotiates anew; it has no such time.

ReplaceVpnTunnel negotiates the tunnel anew, before the old SAs go, whether or not something is pending. It is refused
with ApplyPendingMaintenance when nothing is: what the caller believes is not so.

References: EC2 API reference, ReplaceVpnTunnel, GetVpnTunnelReplacementStatus, `MaintenanceDetails`; AWS Site-to-Site
VPN User Guide, "Tunnel endpoint lifecycle control" (Pending maintenance: Available or None).
"""

from __future__ import annotations

from typing import Any

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup, vpn_modify
from twinbore.model import resources as r
from twinbore.model.states import LIVING


@operation("ReplaceVpnTunnel")
def replace_vpn_tunnel(call: Call, request: Request) -> Response:
    connection = vpn_modify.changeable(call, request["VpnConnectionId"])
    tunnel = vpn_lookup.vpn_tunnel(call, connection, request["VpnTunnelOutsideIpAddress"])
    telemetry = call.tx.get(r.TunnelTelemetry, tunnel.id)
    if request.get("ApplyPendingMaintenance") and not (telemetry is not None and telemetry.maintenance_pending):
        raise errors.incorrect_state(
            f"No maintenance is pending on the tunnel {tunnel.outside_address} of {connection.id}. To replace it all "
            "the same, leave ApplyPendingMaintenance out."
        )
    call.tx.update(tunnel, replacements=tunnel.replacements + 1)
    vpn_modify.mark(call, connection)
    return {"Return": True}


@operation("GetVpnTunnelReplacementStatus")
def get_vpn_tunnel_replacement_status(call: Call, request: Request) -> Response:
    connection = vpn_lookup.vpn_connection_in(call, request["VpnConnectionId"], *LIVING)
    tunnel = vpn_lookup.vpn_tunnel(call, connection, request["VpnTunnelOutsideIpAddress"])
    telemetry = call.tx.get(r.TunnelTelemetry, tunnel.id)
    details: dict[str, Any] = {"PendingMaintenance": "None"}
    if telemetry is not None:
        details["PendingMaintenance"] = "Available" if telemetry.maintenance_pending else "None"
        times = {
            "MaintenanceAutoAppliedAfter": telemetry.maintenance_due_at,
            "LastMaintenanceApplied": telemetry.maintenance_applied_at,
        }
        details |= {name: time for name, time in times.items() if time is not None}
    shape = {
        "VpnConnectionId": connection.id,
        "CustomerGatewayId": connection.customer_gateway_id,
        "VpnTunnelOutsideIpAddress": tunnel.outside_address,
        "MaintenanceDetails": details,
    }
    if connection.vpn_gateway_id is not None:
        shape["VpnGatewayId"] = connection.vpn_gateway_id
    return shape
