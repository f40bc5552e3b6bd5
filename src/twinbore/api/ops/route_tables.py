"""Route tables: made and removed here; their routes are in `routes`, their associations in
`route_table_associations`, and how they are shown in `route_table_view`.

A table has a kernel routing table in its VPC's namespace. Its number is never given twice, so that a route of a table
that is gone can never be taken for one of a new table.

References: EC2 API reference, CreateRouteTable, DescribeRouteTables, DeleteRouteTable; Amazon VPC User Guide, "Route
tables", "Amazon VPC quotas".
"""

from __future__ import annotations

from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import (
    absent,
    delete_tags_of,
    id_of_request,
    lookup,
    paginate,
    refuse_others,
    select,
    tag_on_create,
    tag_sets,
)
from twinbore.api.ops.route_table_view import RouteTableView
from twinbore.api.ops.tagging import requested_tags
from twinbore.model import resources as r

FIRST_KERNEL_TABLE: Final = 1000
"""Below are the kernel's own numbers and the planner's."""

MAX_PAGE: Final = 100


@operation("CreateRouteTable")
def create_route_table(call: Call, request: Request) -> Response:
    refuse_others(request, "VpcId", "ClientToken", "TagSpecifications")
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    requested_tags(request, "route-table")
    table_id = id_of_request(call, request, "route-table")
    present = call.tx.get(r.RouteTable, table_id)
    if present is not None:
        if present.vpc_id != vpc.id:
            raise errors.idempotent_mismatch(request["ClientToken"], f"{present.id} in {present.vpc_id}")
        return _answer(call, request, present)
    limit = call.settings.quotas.route_tables_per_vpc
    if len(call.tx.all(r.RouteTable, vpc_id=vpc.id)) >= limit:
        raise errors.limit_exceeded("RouteTableLimitExceeded", f"route tables of {vpc.id}", limit)
    table = _new(call, table_id, vpc.id)
    tag_on_create(call, request, "route-table", table.id)
    return _answer(call, request, table)


def new_main_route_table(call: Call, vpc_id: str) -> None:
    """Store the route table for every subnet of the VPC without its own."""
    table = _new(call, call.new_id("route-table"), vpc_id)
    association_id = call.new_id("route-table-association")
    call.tx.insert(r.RouteTableAssociation(association_id, call.account_id, table.id, vpc_id, None, True, call.now))


def _new(call: Call, table_id: str, vpc_id: str) -> r.RouteTable:
    number = call.tx.next_number("kernel_table", FIRST_KERNEL_TABLE)
    table = r.RouteTable(table_id, call.account_id, vpc_id, number, call.now)
    call.tx.insert(table)
    return table


def _answer(call: Call, request: Request, table: r.RouteTable) -> Response:
    answer: Response = {"RouteTable": RouteTableView(call).shape(table, tag_sets(call, [table.id]))}
    return answer | ({"ClientToken": request["ClientToken"]} if "ClientToken" in request else {})


@operation("DescribeRouteTables")
def describe_route_tables(call: Call, request: Request) -> Response:
    view = RouteTableView(call)

    def association(member: str) -> Any:
        return lambda table: [shape.get(member) for shape in view.associations(table)]

    def route(member: str) -> Any:
        return lambda table: [shape.get(member) for shape in view.routes(table)]

    filters: dict[str, Any] = {
        "association.main": association("Main"),
        "association.route-table-association-id": association("RouteTableAssociationId"),
        "association.route-table-id": association("RouteTableId"),
        "association.subnet-id": association("SubnetId"),
        "owner-id": lambda t: t.account_id,
        "route-table-id": lambda t: t.id,
        "route.destination-cidr-block": route("DestinationCidrBlock"),
        "route.gateway-id": route("GatewayId"),
        "route.origin": route("Origin"),
        "route.state": route("State"),
        "vpc-id": lambda t: t.vpc_id,
    }
    filters |= absent("association.gateway-id")
    filters |= absent(
        "route.destination-ipv6-cidr-block",
        "route.destination-prefix-list-id",
        "route.egress-only-internet-gateway-id",
        "route.instance-id",
        "route.nat-gateway-id",
        "route.transit-gateway-id",
        "route.vpc-peering-connection-id",
    )
    tables = select(call, request, r.RouteTable, "route-table", "RouteTableIds", filters)
    tags = tag_sets(call, [t.id for t in tables])
    shapes = [view.shape(t, tags) for t in tables]
    return paginate(request, shapes, "RouteTables", "RouteTableIds", MAX_PAGE)


@operation("DeleteRouteTable")
def delete_route_table(call: Call, request: Request) -> Response:
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    associations = call.tx.all(r.RouteTableAssociation, route_table_id=table.id)
    if associations:
        dependants = [f"{a.id} ({a.subnet_id or 'main'})" for a in associations]
        raise errors.has_dependencies("route-table", table.id, dependants)
    remove_route_table(call, table)
    return {}


def remove_route_table(call: Call, table: r.RouteTable) -> None:
    """Remove a route table that has no association, with its routes, propagations and tags."""
    call.tx.delete(r.StaticRoute, *(s.id for s in call.tx.all(r.StaticRoute, route_table_id=table.id)))
    call.tx.delete(r.Propagation, *(p.id for p in call.tx.all(r.Propagation, route_table_id=table.id)))
    call.tx.delete(r.RouteTable, table.id)
    delete_tags_of(call, table.id)
