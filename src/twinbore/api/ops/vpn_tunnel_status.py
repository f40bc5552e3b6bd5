"""GetActiveVpnTunnelStatus: what a tunnel has really negotiated, as the agent last saw it.

A tunnel that is down has negotiated nothing; then the reason in words is the provisioning status's reason.

Reference: EC2 API reference, `ActiveVpnTunnelStatus`.
"""

from __future__ import annotations

from typing import Any

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.model import resources as r
from twinbore.model.states import AVAILABLE, PENDING


@operation("GetActiveVpnTunnelStatus")
def get_active_vpn_tunnel_status(call: Call, request: Request) -> Response:
    connection = vpn_lookup.vpn_connection_in(call, request["VpnConnectionId"], PENDING, AVAILABLE)
    address: str = request["VpnTunnelOutsideIpAddress"]
    tunnels = {t.outside_address: t for t in call.tx.all(r.VpnTunnel, connection_id=connection.id)}
    if address not in tunnels:
        raise errors.invalid_value(
            "VpnTunnelOutsideIpAddress", address, f"one of {', '.join(tunnels)}, the tunnels of {connection.id}"
        )
    telemetry = call.tx.get(r.TunnelTelemetry, tunnels[address].id)
    shape: dict[str, Any] = {"ProvisioningStatus": connection.state}
    if telemetry is not None:
        negotiated = {
            "IkeVersion": telemetry.ike_version,
            "Phase1EncryptionAlgorithm": telemetry.phase1_encryption,
            "Phase1IntegrityAlgorithm": telemetry.phase1_integrity,
            "Phase1DHGroup": telemetry.phase1_dh_group,
            "Phase2EncryptionAlgorithm": telemetry.phase2_encryption,
            "Phase2IntegrityAlgorithm": telemetry.phase2_integrity,
            "Phase2DHGroup": telemetry.phase2_dh_group,
            "ProvisioningStatusReason": telemetry.detail or None,
        }
        shape |= {name: value for name, value in negotiated.items() if value is not None}
    return {"ActiveVpnTunnelStatus": shape}
