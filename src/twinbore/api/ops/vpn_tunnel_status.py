"""GetActiveVpnTunnelStatus: what a tunnel has really negotiated, as the agent last saw it.

A tunnel that is down has negotiated nothing; then the reason in words is the provisioning status's reason. The status
itself is `pending` while the connection is being made or modified, and `failed` while the host cannot do what the
tunnel's options ask for.

Reference: EC2 API reference, `ActiveVpnTunnelStatus`.
"""

from __future__ import annotations

from typing import Any

from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.model import resources as r
from twinbore.model.states import AVAILABLE, LIVING


@operation("GetActiveVpnTunnelStatus")
def get_active_vpn_tunnel_status(call: Call, request: Request) -> Response:
    connection = vpn_lookup.vpn_connection_in(call, request["VpnConnectionId"], *LIVING)
    tunnel = vpn_lookup.vpn_tunnel(call, connection, request["VpnTunnelOutsideIpAddress"])
    telemetry = call.tx.get(r.TunnelTelemetry, tunnel.id)
    shape: dict[str, Any] = {"ProvisioningStatus": "available" if connection.state == AVAILABLE else "pending"}
    if telemetry is not None:
        negotiated = {
            "IkeVersion": telemetry.ike_version,
            "Phase1EncryptionAlgorithm": telemetry.phase1_encryption,
            "Phase1IntegrityAlgorithm": telemetry.phase1_integrity,
            "Phase1DHGroup": telemetry.phase1_dh_group,
            "Phase2EncryptionAlgorithm": telemetry.phase2_encryption,
            "Phase2IntegrityAlgorithm": telemetry.phase2_integrity,
            "Phase2DHGroup": telemetry.phase2_dh_group,
            "ProvisioningStatusReason": telemetry.failure or telemetry.detail or None,
        }
        if telemetry.failure:
            shape["ProvisioningStatus"] = "failed"
        shape |= {name: value for name, value in negotiated.items() if value is not None}
    return {"ActiveVpnTunnelStatus": shape}
