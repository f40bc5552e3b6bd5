"""Which route table a subnet uses, and which one is a VPC's main table.

A subnet has one association at most; the main association has no subnet, and can be replaced but not removed. Gateway
route tables (edge associations) are not among Twinbore's features.

References: EC2 API reference, AssociateRouteTable, DisassociateRouteTable, ReplaceRouteTableAssociation.
"""

from __future__ import annotations

from typing import Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import lookup, refuse_others
from twinbore.model import resources as r

ASSOCIATED: Final = {"State": "associated"}


@operation("AssociateRouteTable")
def associate_route_table(call: Call, request: Request) -> Response:
    refuse_others(request, "RouteTableId", "SubnetId")
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    if request.get("SubnetId") is None:
        raise errors.missing_parameter("SubnetId")
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    if subnet.vpc_id != table.vpc_id:
        raise _different_networks(table, subnet.id, subnet.vpc_id)
    for present in call.tx.all(r.RouteTableAssociation, subnet_id=subnet.id):
        if present.route_table_id == table.id:
            return {"AssociationId": present.id, "AssociationState": ASSOCIATED}
        raise errors.ApiError(
            "Resource.AlreadyAssociated",
            f"the specified association for route table {table.id} conflicts with an existing association: "
            f"{present.id} of {subnet.id} with {present.route_table_id}. Use ReplaceRouteTableAssociation.",
        )
    association = _new(call, table, subnet.id)
    return {"AssociationId": association.id, "AssociationState": ASSOCIATED}


@operation("DisassociateRouteTable")
def disassociate_route_table(call: Call, request: Request) -> Response:
    association = _lookup(call, request["AssociationId"])
    if association.main:
        raise errors.ApiError(
            "InvalidParameterValue",
            f"cannot disassociate the main route table association {association.id}. Make another route table of "
            f"{association.vpc_id} the main one with ReplaceRouteTableAssociation.",
        )
    call.tx.delete(r.RouteTableAssociation, association.id)
    return {}


@operation("ReplaceRouteTableAssociation")
def replace_route_table_association(call: Call, request: Request) -> Response:
    association = _lookup(call, request["AssociationId"])
    table = lookup(call, r.RouteTable, "route-table", request["RouteTableId"])
    if association.vpc_id != table.vpc_id:
        raise _different_networks(table, association.id, association.vpc_id)
    if association.route_table_id == table.id:
        return {"NewAssociationId": association.id, "AssociationState": ASSOCIATED}
    call.tx.delete(r.RouteTableAssociation, association.id)
    new = _new(call, table, association.subnet_id)
    return {"NewAssociationId": new.id, "AssociationState": ASSOCIATED}


def _lookup(call: Call, value: str) -> r.RouteTableAssociation:
    return lookup(call, r.RouteTableAssociation, "route-table-association", value)


def _new(call: Call, table: r.RouteTable, subnet_id: str | None) -> r.RouteTableAssociation:
    association = r.RouteTableAssociation(
        id=call.new_id("route-table-association"),
        account_id=call.account_id,
        route_table_id=table.id,
        vpc_id=table.vpc_id,
        subnet_id=subnet_id,
        main=subnet_id is None,
        created_at=call.now,
    )
    call.tx.insert(association)
    return association


def _different_networks(table: r.RouteTable, other: str, vpc_id: str) -> errors.ApiError:
    return errors.ApiError(
        "InvalidParameterValue",
        f"route table {table.id} and {other} belong to different networks ({table.vpc_id} and {vpc_id})",
    )
