"""The IPv4 blocks of a VPC: the primary one, which it is made with, and secondary ones, which come and go.

* A new block is `associating` until the data plane has it: the local route, the gateway's announcement and its guard
  against forged sources. Subnets may be made in it at once.
* A block that is `disassociating` is out of the plan; its row goes when that is applied.
* The primary block's association has no row: its id is made of the VPC's.

References: EC2 API reference, AssociateVpcCidrBlock, DisassociateVpcCidrBlock, `VpcCidrBlockAssociation`; Amazon VPC
User Guide, "VPC CIDR blocks".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import canonical_cidr, check_id, lookup, refuse_others
from twinbore.api.ops.route_table_view import RouteTableView
from twinbore.model import resources as r
from twinbore.model import vpc_blocks
from twinbore.model.states import ASSOCIATED, ASSOCIATING, CIDR_BLOCK, DISASSOCIATING, advance

ASSOCIATION = "vpc-cidr-block-association"
PRIMARY_PREFIX = "vpc-cidr-assoc-"


@operation("AssociateVpcCidrBlock")
def associate_vpc_cidr_block(call: Call, request: Request) -> Response:
    refuse_others(request, "VpcId", "CidrBlock")
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    if request.get("CidrBlock") is None:
        raise errors.missing_parameter("CidrBlock")
    network = canonical_cidr("CidrBlock", request["CidrBlock"])
    secondary = call.tx.all(r.VpcCidrBlock, vpc_id=vpc.id)
    _check_new_block(call, vpc, network, [vpc.cidr_block, *(b.cidr_block for b in secondary)])
    limit = call.settings.quotas.cidr_blocks_per_vpc
    if 1 + len(secondary) >= limit:
        raise ApiError(
            "CidrLimitExceeded", f"This network '{vpc.id}' has met its maximum number of allowed CIDRs: {limit}"
        )
    block = r.VpcCidrBlock(call.new_id(ASSOCIATION), call.account_id, vpc.id, str(network), ASSOCIATING, call.now)
    call.tx.insert(block)
    return {"CidrBlockAssociation": _shape(block.id, block.cidr_block, block.state), "VpcId": vpc.id}


def _check_new_block(call: Call, vpc: r.Vpc, network: IPv4Network, present: list[str]) -> None:
    rule = vpc_blocks.problem(network)
    if rule is not None:
        raise _range_error(network, f"is invalid. CidrBlock must be {rule}.")
    other = vpc_blocks.overlapping(network, present)
    if other is not None:
        raise _range_error(network, f"conflicts with another CIDR of {vpc.id}: {other}.")
    if vpc_blocks.restricted(network, [IPv4Network(text) for text in present]):
        raise _range_error(
            network,
            "is restricted. Use a CIDR from the same private address range as the current VPC CIDR "
            f"({', '.join(present)}), or use a publicly-routable CIDR. For additional restrictions, see "
            "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html",
        )
    view = RouteTableView(call)
    for table in call.tx.all(r.RouteTable, vpc_id=vpc.id):
        route = vpc_blocks.swallowed_route(network, view.destinations(table))
        if route is not None:
            raise _range_error(
                network,
                f"is the same as or larger than the destination of a route: {route} in {table.id}. Remove the route, "
                "or use a smaller block.",
            )


@operation("DisassociateVpcCidrBlock")
def disassociate_vpc_cidr_block(call: Call, request: Request) -> Response:
    value: str = request["AssociationId"]
    check_id(ASSOCIATION, value)
    vpc = call.tx.get(r.Vpc, "vpc-" + value.removeprefix(PRIMARY_PREFIX))
    if vpc is not None and vpc.account_id == call.account_id:
        raise ApiError(
            "OperationNotPermitted",
            f"The vpc CIDR block with association ID {value} may not be disassociated. It is the primary IPv4 CIDR "
            "block of the VPC",
        )
    block = lookup(call, r.VpcCidrBlock, ASSOCIATION, value)
    network = IPv4Network(block.cidr_block)
    inside = [s.id for s in call.tx.all(r.Subnet, vpc_id=block.vpc_id) if IPv4Network(s.cidr_block).subnet_of(network)]
    if inside:
        raise ApiError(
            "InvalidCidrBlock.InUse",
            f"The vpc {block.vpc_id} currently has a subnet within CIDR block {block.cidr_block}: {', '.join(inside)}",
        )
    if block.state != DISASSOCIATING:
        _restore_local_routes(call, block)
        block = call.tx.update(block, state=advance(CIDR_BLOCK, block.state, DISASSOCIATING))
    return {"CidrBlockAssociation": _shape(block.id, block.cidr_block, block.state), "VpcId": block.vpc_id}


def _restore_local_routes(call: Call, block: r.VpcCidrBlock) -> None:
    """Forget what stands in the place of the block's local routes: they go, and so does it."""
    tables = [t.id for t in call.tx.all(r.RouteTable, vpc_id=block.vpc_id)]
    replaced = call.tx.all(r.StaticRoute, route_table_id=tables, destination_cidr_block=block.cidr_block)
    call.tx.delete(r.StaticRoute, *(route.id for route in replaced))


def blocks_of(call: Call, vpc: r.Vpc) -> list[str]:
    """The blocks that the VPC has, the primary one first; not those on their way out."""
    secondary = call.tx.all(r.VpcCidrBlock, vpc_id=vpc.id, state=[ASSOCIATING, ASSOCIATED])
    return [vpc.cidr_block, *(b.cidr_block for b in secondary)]


def associations(call: Call) -> Callable[[r.Vpc], list[dict[str, Any]]]:
    """A function from a VPC of the account to its `VpcCidrBlockAssociation`s, the primary one first."""
    secondary: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for block in call.tx.all(r.VpcCidrBlock, account_id=call.account_id):
        secondary[block.vpc_id].append(_shape(block.id, block.cidr_block, block.state))

    def of(vpc: r.Vpc) -> list[dict[str, Any]]:
        primary = _shape(PRIMARY_PREFIX + vpc.id.removeprefix("vpc-"), vpc.cidr_block, ASSOCIATED)
        return [primary, *secondary[vpc.id]]

    return of


def _shape(association_id: str, cidr_block: str, state: str) -> dict[str, Any]:
    return {"AssociationId": association_id, "CidrBlock": cidr_block, "CidrBlockState": {"State": state}}


def _range_error(network: IPv4Network, text: str) -> ApiError:
    return ApiError("InvalidVpc.Range", f"The CIDR '{network}' {text}")
