"""ReplaceVpnTunnel and GetVpnTunnelReplacementStatus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.contract.conftest import POOL_A, POOL_B, Service
from tests.contract.vpn import connect, connection, customer_gateway, described, refused, vpn_gateway
from twinbore.model.resources import TunnelTelemetry, VpnTunnel

FIRST, SECOND = POOL_A[0], POOL_B[0]
DUE = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
APPLIED = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


def replace(ec2: Any, identifier: str, address: str = FIRST, **more: Any) -> Any:
    return ec2.replace_vpn_tunnel(VpnConnectionId=identifier, VpnTunnelOutsideIpAddress=address, **more)["Return"]


def status(ec2: Any, identifier: str, address: str = FIRST) -> dict[str, Any]:
    found: dict[str, Any] = ec2.get_vpn_tunnel_replacement_status(
        VpnConnectionId=identifier, VpnTunnelOutsideIpAddress=address
    )
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


def pending(service: Service, identifier: str, **changes: Any) -> None:
    with service.database.write() as tx:
        row = tx.get(TunnelTelemetry, f"{identifier}-1")
        assert row is not None
        tx.update(row, maintenance_pending=True, **changes)


def replacements(service: Service, identifier: str) -> list[int]:
    with service.database.read() as tx:
        return [t.replacements for t in tx.all(VpnTunnel, connection_id=identifier)]


def test_a_tunnel_on_which_nothing_is_pending(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    shape = described(ec2, identifier)
    assert status(ec2, identifier, SECOND) == {
        "VpnConnectionId": identifier,
        "CustomerGatewayId": shape["CustomerGatewayId"],
        "VpnGatewayId": shape["VpnGatewayId"],
        "VpnTunnelOutsideIpAddress": SECOND,
        "MaintenanceDetails": {"PendingMaintenance": "None"},
    }


def test_maintenance_that_is_pending_and_that_was_applied(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    pending(service, identifier, maintenance_due_at=DUE, maintenance_applied_at=APPLIED)
    assert status(ec2, identifier)["MaintenanceDetails"] == {
        "PendingMaintenance": "Available",
        "MaintenanceAutoAppliedAfter": DUE,
        "LastMaintenanceApplied": APPLIED,
    }
    assert status(ec2, identifier, SECOND)["MaintenanceDetails"] == {"PendingMaintenance": "None"}


def test_a_connection_without_a_target_gateway(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), None)["VpnConnectionId"]
    assert "VpnGatewayId" not in status(ec2, identifier)


def test_a_replacement_concerns_one_tunnel(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    before = described(ec2, identifier)
    assert replace(ec2, identifier) is True
    assert replacements(service, identifier) == [1, 0]
    assert described(ec2, identifier) == before | {"State": "modifying"}
    with refused(service, "InvalidVpnConnection.InvalidState", "modifying"):
        replace(ec2, identifier)
    service.settle()
    assert replace(ec2, identifier) is True
    assert replacements(service, identifier) == [2, 0]


def test_pending_maintenance_must_be_there_to_be_applied(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with refused(service, "IncorrectState", FIRST, "ApplyPendingMaintenance"):
        replace(ec2, identifier, ApplyPendingMaintenance=True)
    pending(service, identifier)
    assert replace(ec2, identifier, ApplyPendingMaintenance=True) is True


def test_what_does_not_exist_is_not_replaced(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    for operation in (replace, status):
        with refused(service, "InvalidParameterValue", "VpnTunnelOutsideIpAddress", "192.0.2.77"):
            operation(ec2, identifier, "192.0.2.77")
        with refused(service, "InvalidVpnConnectionID.NotFound"):
            operation(ec2, "vpn-0123456789abcdef0")
    with refused(service, "DryRunOperation"):
        replace(ec2, identifier, DryRun=True)


def test_states(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))["VpnConnectionId"]
    with refused(service, "InvalidVpnConnection.InvalidState", "pending"):
        replace(ec2, identifier)
    assert status(ec2, identifier)["MaintenanceDetails"] == {"PendingMaintenance": "None"}
    ec2.delete_vpn_connection(VpnConnectionId=identifier)
    for operation in (replace, status):
        with refused(service, "InvalidVpnConnection.InvalidState", "deleting"):
            operation(ec2, identifier)
