"""Shorthand of the VPN contract tests: the usual gateways and connections, and refusals that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import Service
from twinbore.model.resources import Account

ADDRESS = "192.0.2.10"


@contextmanager
def refused(service: Service, code: str, *words: str) -> Iterator[None]:
    """The block's request is refused with this code, its message has these words, and no row changes."""
    before = service.dump()
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"], error
    assert service.dump() == before


def customer_gateway(ec2: Any, **changes: Any) -> str:
    options = {"Type": "ipsec.1", "IpAddress": ADDRESS, "BgpAsn": 65000} | changes
    return str(ec2.create_customer_gateway(**options)["CustomerGateway"]["CustomerGatewayId"])


def vpn_gateway(ec2: Any, **changes: Any) -> str:
    return str(ec2.create_vpn_gateway(**({"Type": "ipsec.1"} | changes))["VpnGateway"]["VpnGatewayId"])


def vpc(ec2: Any, cidr_block: str = "10.0.0.0/16") -> str:
    return str(ec2.create_vpc(CidrBlock=cidr_block)["Vpc"]["VpcId"])


def connect(ec2: Any, customer: str, gateway: str | None, **changes: Any) -> dict[str, Any]:
    """The new connection, as CreateVpnConnection answers it."""
    target = {} if gateway is None else {"VpnGatewayId": gateway}
    request = {"Type": "ipsec.1", "CustomerGatewayId": customer} | target | changes
    made: dict[str, Any] = ec2.create_vpn_connection(**request)["VpnConnection"]
    return made


def connection(service: Service, ec2: Any, **changes: Any) -> str:
    """An available connection between a new virtual private gateway and the usual customer gateway."""
    made = connect(ec2, customer_gateway(ec2), vpn_gateway(ec2), **changes)
    service.settle()
    return str(made["VpnConnectionId"])


def described(ec2: Any, connection_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_vpn_connections(VpnConnectionIds=[connection_id])["VpnConnections"][0]
    return found


def foreign(service: Service, row: Any) -> str:
    """Store a row of another account and return its id."""
    with service.database.write() as tx:
        if tx.get(Account, row.account_id) is None:
            tx.insert(Account(row.account_id, row.created_at))
        tx.insert(row)
    return str(row.id)
