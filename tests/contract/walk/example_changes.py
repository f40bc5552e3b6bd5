"""Changes of a VPN connection in place, and the replacement of its tunnels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.contract.walk.walker import Walker
from twinbore.model import resources as r

OPTIONS: dict[str, Any] = {
    "TunnelInsideCidr": "169.254.79.0/30",
    "PreSharedKey": "another.key_of_the.walk",
    "Phase1LifetimeSeconds": 27000,
    "Phase2LifetimeSeconds": 3400,
    "RekeyMarginTimeSeconds": 310,
    "RekeyFuzzPercentage": 60,
    "ReplayWindowSize": 256,
    "DPDTimeoutSeconds": 36,
    "DPDTimeoutAction": "none",
    "Phase1EncryptionAlgorithms": [{"Value": "AES128"}],
    "Phase2EncryptionAlgorithms": [{"Value": "AES128"}],
    "Phase1IntegrityAlgorithms": [{"Value": "SHA2-256"}],
    "Phase2IntegrityAlgorithms": [{"Value": "SHA2-384"}],
    "Phase1DHGroupNumbers": [{"Value": 14}],
    "Phase2DHGroupNumbers": [{"Value": 15}],
    "IKEVersions": [{"Value": "ikev1"}],
    "StartupAction": "add",
    "LogOptions": {"CloudWatchLogOptions": {"LogEnabled": False, "LogOutputFormat": "json", "BgpLogEnabled": False,
                                            "BgpLogOutputFormat": "json"}},
}  # fmt: skip


def walk(w: Walker, connection: dict[str, Any]) -> None:
    """Each change of the connection, which is available and stays so."""
    connection_id = connection["VpnConnectionId"]
    tunnel = connection["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
    which = {"VpnConnectionId": connection_id, "VpnTunnelOutsideIpAddress": tunnel}
    _tunnel(w, which)
    _connection(w, connection)
    _replacement(w, which)
    refusal = w.refusal("ModifyVpnTunnelCertificate", **which)
    assert refusal is not None
    assert refusal[0] == "UnsupportedOperation"
    assert tunnel in refusal[1]


def _tunnel(w: Walker, which: dict[str, str]) -> None:
    w("ModifyVpnTunnelOptions", **which, TunnelOptions=OPTIONS, PreSharedKeyStorage="Standard")
    w.settle()
    for value in ("clear", "restart"):
        w("ModifyVpnTunnelOptions", **which, TunnelOptions={"DPDTimeoutAction": value})
        w.settle()
    for skip in (True, False):
        options = {"EnableTunnelLifecycleControl": not skip}
        w("ModifyVpnTunnelOptions", **which, TunnelOptions=options, SkipTunnelReplacement=skip)
        assert _tunnel_row(w, which).replacements == (0 if skip else 1)
        w.settle()
    unknown = {**which, "TunnelOptions": {"ReplayWindowSize": 128}, "PreSharedKeyStorage": "Nowhere"}
    assert w.refusal("ModifyVpnTunnelOptions", **unknown) is not None
    seen = ("SkipTunnelReplacement", "VpnTunnelOutsideIpAddress", "PreSharedKeyStorage")
    w.effect("ModifyVpnTunnelOptions", *seen)


def _connection(w: Walker, connection: dict[str, Any]) -> None:
    connection_id = connection["VpnConnectionId"]
    w(
        "ModifyVpnConnectionOptions",
        VpnConnectionId=connection_id,
        LocalIpv4NetworkCidr="172.20.0.0/16",
        RemoteIpv4NetworkCidr="10.20.1.0/24",
        TunnelBandwidth="standard",
    )
    w.settle()
    customer = w("CreateCustomerGateway", Type="ipsec.1", IpAddress="192.0.2.13", BgpAsn=65013)["CustomerGateway"]
    gateway = w("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]
    w.settle()
    for customer_id, gateway_id in (
        (customer["CustomerGatewayId"], gateway["VpnGatewayId"]),
        (connection["CustomerGatewayId"], connection["VpnGatewayId"]),
    ):
        w("ModifyVpnConnection", VpnConnectionId=connection_id, CustomerGatewayId=customer_id, VpnGatewayId=gateway_id)
        w.settle()


def _replacement(w: Walker, which: dict[str, str]) -> None:
    with w.service.database.write() as tx:
        telemetry = tx.get(r.TunnelTelemetry, _tunnel_row(w, which).id)
        assert telemetry is not None
        tx.update(
            telemetry,
            maintenance_pending=True,
            maintenance_due_at=datetime(2026, 11, 27, tzinfo=UTC),
            maintenance_applied_at=datetime(2026, 11, 25, tzinfo=UTC),
        )
    assert w("GetVpnTunnelReplacementStatus", **which)["MaintenanceDetails"]["PendingMaintenance"] == "Available"
    w.effect("GetVpnTunnelReplacementStatus", "VpnTunnelOutsideIpAddress")
    before = _tunnel_row(w, which).replacements
    w("ReplaceVpnTunnel", **which, ApplyPendingMaintenance=True)
    assert _tunnel_row(w, which).replacements == before + 1
    w.settle()
    with w.service.database.write() as tx:
        telemetry = tx.get(r.TunnelTelemetry, _tunnel_row(w, which).id)
        assert telemetry is not None
        tx.update(telemetry, maintenance_pending=False)
    refusal = w.refusal("ReplaceVpnTunnel", **which, ApplyPendingMaintenance=True)
    assert refusal is not None
    assert refusal[0] == "IncorrectState"
    w.effect("ReplaceVpnTunnel", "ApplyPendingMaintenance", "VpnConnectionId", "VpnTunnelOutsideIpAddress")


def _tunnel_row(w: Walker, which: dict[str, str]) -> r.VpnTunnel:
    with w.service.database.read() as tx:
        return next(t for t in tx.all(r.VpnTunnel) if t.outside_address == which["VpnTunnelOutsideIpAddress"])
