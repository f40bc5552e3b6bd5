"""Route tables and their associations with subnets.

What Describe shows is put together from stored routes and from what the virtual private gateway carries at the moment:
the local route, static routes, and for each gateway whose propagation is on, its prefixes with the origin
EnableVgwRoutePropagation. A static and a propagated route for one CIDR stand side by side; the static one is used.

References: EC2 API reference, CreateRouteTable, DescribeRouteTables, AssociateRouteTable,
ReplaceRouteTableAssociation; Amazon VPC User Guide, "Configure route tables".
"""

from __future__ import annotations

from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import delete_tags_of, lookup, paginate, select, tag_on_create, tag_sets
from twinbore.api.ops.route_view import RouteView
from twinbore.model import resources as r

FIRST_KERNEL_TABLE: Final = 1000


def new_route_table(call: Call, vpc_id: str) -> r.RouteTable:
    """A stored route table of the VPC with a kernel table number that no other of the VPC has."""
    siblings = call.tx.all(r.RouteTable, vpc_id=vpc_id)
    limit = call.settings.quotas.route_tables_per_vpc
    if len(siblings) >= limit:
        raise errors.limit_exceeded("RouteTableLimitExceeded", f"route tables in {vpc_id}", limit)
    number = max((t.kernel_table for t in siblings), default=FIRST_KERNEL_TABLE - 1) + 1
    table = r.RouteTable(call.new_id("route-table"), call.account_id, vpc_id, number, call.now)
    call.tx.insert(table)
    return table


@operation("CreateRouteTable")
def create_route_table(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    table = new_route_table(call, vpc.id)
    tag_on_create(call, request, "route-table", table.id)
    return {"RouteTable": _shapes(call, [table])[0]}


@operation("DescribeRouteTables")
def describe_route_tables(call: Call, request: Request) -> Response:
    view = RouteView(call)
    filters: dict[str, Any] = {
        "association.gateway-id": lambda _: None,
        "association.main": lambda t: [a.main for a in view.associations(t.id)],
        "association.route-table-association-id": lambda t: [a.id for a in view.associations(t.id)],
        "association.route-table-id": lambda t: [a.route_table_id for a in view.associations(t.id)],
        "association.subnet-id": lambda t: [a.subnet_id for a in view.associations(t.id)],
        "owner-id": lambda t: t.account_id,
        "route-table-id": lambda t: t.id,
        "route.destination-cidr-block": view.member("DestinationCidrBlock"),
        "route.gateway-id": view.member("GatewayId"),
        "route.origin": view.member("Origin"),
        "route.state": view.member("State"),
        "vpc-id": lambda t: t.vpc_id,
    }
    tables = select(call, request, r.RouteTable, "route-table", "RouteTableIds", filters)
    return paginate(request, _shapes(call, tables), "RouteTables")


@operation("DeleteRouteTable")
def delete_route_table(call: Call, request: Request) -> Response:
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    associations = call.tx.all(r.RouteTableAssociation, route_table_id=table.id)
    if associations:
        users = ", ".join("the main association" if a.main else f"{a.id} ({a.subnet_id})" for a in associations)
        raise errors.dependency_violation(
            f"The routeTable '{table.id}' has dependencies and cannot be deleted: {users}."
        )
    call.tx.delete(r.StaticRoute, *(x.id for x in call.tx.all(r.StaticRoute, route_table_id=table.id)))
    call.tx.delete(r.Propagation, *(x.id for x in call.tx.all(r.Propagation, route_table_id=table.id)))
    delete_tags_of(call, table.id)
    call.tx.delete(r.RouteTable, table.id)
    return {}


@operation("AssociateRouteTable")
def associate_route_table(call: Call, request: Request) -> Response:
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    if request.get("GatewayId") is not None or request.get("PublicIpv4Pool") is not None:
        raise errors.unsupported("Gateway route tables are not supported: give SubnetId.")
    if request.get("SubnetId") is None:
        raise errors.missing_parameter("subnetId")
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    if subnet.vpc_id != table.vpc_id:
        raise ApiError(
            "InvalidParameterValue",
            f"route table {table.id} and subnet {subnet.id} belong to different networks",
        )
    for present in call.tx.all(r.RouteTableAssociation, subnet_id=subnet.id):
        if present.route_table_id != table.id:
            raise ApiError(
                "Resource.AlreadyAssociated",
                f"the specified association for route table {table.id} conflicts with an existing association: "
                f"{subnet.id} uses {present.route_table_id}; use ReplaceRouteTableAssociation with {present.id}.",
            )
        return _associated(present.id)
    association = r.RouteTableAssociation(
        call.new_id("route-table-association"), call.account_id, table.id, table.vpc_id, subnet.id, False, call.now
    )
    call.tx.insert(association)
    return _associated(association.id)


@operation("DisassociateRouteTable")
def disassociate_route_table(call: Call, request: Request) -> Response:
    association = _association(call, request["AssociationId"])
    if association.main:
        raise ApiError(
            "InvalidParameterValue", f"cannot disassociate the main route table association {association.id}"
        )
    call.tx.delete(r.RouteTableAssociation, association.id)
    return {}


@operation("ReplaceRouteTableAssociation")
def replace_route_table_association(call: Call, request: Request) -> Response:
    association = _association(call, request["AssociationId"])
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    if table.vpc_id != association.vpc_id:
        raise ApiError(
            "InvalidParameterValue",
            f"route table {table.id} and association {association.id} belong to different networks",
        )
    call.tx.delete(r.RouteTableAssociation, association.id)
    new = r.RouteTableAssociation(
        call.new_id("route-table-association"),
        call.account_id,
        table.id,
        table.vpc_id,
        association.subnet_id,
        association.main,
        call.now,
    )
    call.tx.insert(new)
    answer = _associated(new.id)
    return {"NewAssociationId": new.id, "AssociationState": answer["AssociationState"]}


def _association(call: Call, value: str) -> r.RouteTableAssociation:
    return lookup(call, r.RouteTableAssociation, "route-table-association", value)


def _associated(association_id: str) -> Response:
    return {"AssociationId": association_id, "AssociationState": {"State": "associated"}}


def _shapes(call: Call, tables: list[r.RouteTable]) -> list[dict[str, Any]]:
    view = RouteView(call)
    tags = tag_sets(call, [t.id for t in tables])
    return [
        {
            "RouteTableId": table.id,
            "VpcId": table.vpc_id,
            "OwnerId": table.account_id,
            "Associations": [_association_shape(a) for a in view.associations(table.id)],
            "PropagatingVgws": [{"GatewayId": gateway} for gateway in view.propagating(table.id)],
            "Routes": view.routes(table),
            "Tags": tags[table.id],
        }
        for table in tables
    ]


def _association_shape(association: r.RouteTableAssociation) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "RouteTableAssociationId": association.id,
        "RouteTableId": association.route_table_id,
        "Main": association.main,
        "AssociationState": {"State": "associated"},
    }
    if association.subnet_id is not None:
        shape["SubnetId"] = association.subnet_id
    return shape
