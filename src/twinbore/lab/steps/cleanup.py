"""Step 12: everything is deleted through the API, then Twinbore and the lab are stopped, and nothing is left."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from twinbore.lab import namespaces
from twinbore.lab.residue import residue, underlay_state
from twinbore.lab.scenario import Scenario, equal

_SECONDS = 10.0


def delete_everything(s: Scenario) -> str:
    """Deletes in the order of dependence; the namespaces go with their resources."""
    s.customer("down")
    _delete_resources(s)
    equal([n for n in (s.ids.vpc, s.ids.vpn_gateway) if namespaces.exists(n)], [], "namespaces of deleted resources")
    s.service.down()
    equal(underlay_state(s.lab.name("gateway")), s.underlay_before, "the gateway host as it was before")
    ours = [*s.lab.ledger.namespaces, s.ids.vpc, s.ids.vpn_gateway, s.ids.network_interface]
    directories = [s.work, s.service.state, Path("/run/twinbore-customer") / s.ids.vpn_connection]
    s.lab.close()
    for directory in (s.work, s.service.state):
        shutil.rmtree(directory, ignore_errors=True)
    equal(residue(ours, directories), [], "what is left")
    return "No namespace, process, interface, rule or file is left."


def _delete_resources(s: Scenario) -> None:
    ec2, ids = s.ec2, s.ids
    ec2.call("DeleteVpnConnection", VpnConnectionId=ids.vpn_connection)
    s.within(_SECONDS, "the connection is deleted", lambda: s.connection()["State"] == "deleted")
    ec2.call("DisableVgwRoutePropagation", GatewayId=ids.vpn_gateway, RouteTableId=ids.route_table)
    ec2.call("DetachVpnGateway", VpnGatewayId=ids.vpn_gateway, VpcId=ids.vpc)
    s.within(_SECONDS, "the gateway is detached", lambda: _attachment_states(s) <= {"detached"})
    ec2.call("DeleteVpnGateway", VpnGatewayId=ids.vpn_gateway)
    s.within(_SECONDS, "the gateway is deleted", lambda: _gateway_states(s) <= {"deleted"})
    ec2.call("DeleteCustomerGateway", CustomerGatewayId=ids.customer_gateway)
    ec2.call("DetachInternetGateway", InternetGatewayId=ids.internet_gateway, VpcId=ids.vpc)
    ec2.call("DeleteInternetGateway", InternetGatewayId=ids.internet_gateway)
    s.service.unplug(ids.network_interface)
    ec2.call("DeleteNetworkInterface", NetworkInterfaceId=ids.network_interface)
    ec2.call("DisassociateRouteTable", AssociationId=ids.association)
    ec2.call("DeleteRouteTable", RouteTableId=ids.route_table)
    ec2.call("DeleteSubnet", SubnetId=ids.subnet)
    ec2.call("DeleteVpc", VpcId=ids.vpc)
    s.within(_SECONDS, "the VPC's namespace is removed", lambda: not namespaces.exists(ids.vpc))


def _gateways(s: Scenario) -> list[dict[str, Any]]:
    gateways: list[dict[str, Any]] = s.ec2.call("DescribeVpnGateways", VpnGatewayIds=[s.ids.vpn_gateway])["VpnGateways"]
    return gateways


def _attachment_states(s: Scenario) -> set[str]:
    return {attachment["State"] for gateway in _gateways(s) for attachment in gateway["VpcAttachments"]}


def _gateway_states(s: Scenario) -> set[str]:
    return {gateway["State"] for gateway in _gateways(s)}
