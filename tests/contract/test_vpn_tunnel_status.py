"""GetActiveVpnTunnelStatus."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import POOL_A, POOL_B, Service
from tests.contract.vpn import connect, connection, customer_gateway, refused, vpn_gateway
from twinbore.model.resources import TunnelTelemetry


def status(ec2: Any, identifier: str, address: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.get_active_vpn_tunnel_status(
        VpnConnectionId=identifier, VpnTunnelOutsideIpAddress=address
    )["ActiveVpnTunnelStatus"]
    return found


def test_what_was_negotiated(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with service.database.write() as tx:
        row = tx.get(TunnelTelemetry, f"{identifier}-2")
        assert row is not None
        tx.update(
            row,
            carrying=True,
            ike_version="ikev2",
            phase1_encryption="AES256-GCM-16",
            phase1_integrity="SHA2-384",
            phase1_dh_group=20,
            phase2_encryption="AES128-GCM-16",
            phase2_dh_group=19,
        )
    assert status(ec2, identifier, POOL_B[0]) == {
        "ProvisioningStatus": "available",
        "IkeVersion": "ikev2",
        "Phase1EncryptionAlgorithm": "AES256-GCM-16",
        "Phase1IntegrityAlgorithm": "SHA2-384",
        "Phase1DHGroup": 20,
        "Phase2EncryptionAlgorithm": "AES128-GCM-16",
        "Phase2DHGroup": 19,
    }
    assert status(ec2, identifier, POOL_A[0]) == {"ProvisioningStatus": "available"}


def test_why_a_tunnel_is_down(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with service.database.write() as tx:
        row = tx.get(TunnelTelemetry, f"{identifier}-1")
        assert row is not None
        tx.update(row, detail="waiting for the customer gateway to start IKE")
    found = status(ec2, identifier, POOL_A[0])
    assert found["ProvisioningStatusReason"] == "waiting for the customer gateway to start IKE"


def test_a_connection_that_is_not_ready(service: Service, ec2: Any) -> None:
    identifier = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2))["VpnConnectionId"]
    assert status(ec2, identifier, POOL_A[0]) == {"ProvisioningStatus": "pending"}
    ec2.delete_vpn_connection(VpnConnectionId=identifier)
    with refused(service, "InvalidVpnConnection.InvalidState", "deleting"):
        status(ec2, identifier, POOL_A[0])


@pytest.mark.parametrize(
    ("identifier", "code"),
    [("vpn-0123456789abcdef0", "InvalidVpnConnectionID.NotFound"), ("vpn-1", "InvalidVpnConnectionID")],
)
def test_connections_that_do_not_exist(service: Service, ec2: Any, identifier: str, code: str) -> None:
    with refused(service, code, identifier):
        status(ec2, identifier, POOL_A[0])


def test_an_address_that_no_tunnel_has(service: Service, ec2: Any) -> None:
    identifier = connection(service, ec2)
    with refused(service, "InvalidParameterValue", "VpnTunnelOutsideIpAddress", "192.0.2.99", POOL_A[0], POOL_B[0]):
        status(ec2, identifier, "192.0.2.99")
