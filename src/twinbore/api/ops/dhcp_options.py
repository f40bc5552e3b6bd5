"""DHCP options: the set that AWS gives an account in a region, and none.

Every account has one set, AWS's default one; a VPC has it, or none (`default`). Sets of one's own are not among
Twinbore's features: a workload is configured when it is plugged in, and nobody there asks a DHCP server. Clients read
the id of a VPC's set and give it back.

The set is not stored: its id is made of the account's and the region's.

References: EC2 API reference, DescribeDhcpOptions, AssociateDhcpOptions; Amazon VPC User Guide, "DHCP option sets".
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import absent, check_id, filtered, lookup, paginate
from twinbore.model import resources as r
from twinbore.model.ids import new_id

NO_OPTIONS: Final = "default"
OLDEST_REGION: Final = "us-east-1"


def default_options_id(call: Call) -> str:
    """The id of the account's DHCP options set."""
    digest = hashlib.sha256(f"{call.account_id}/dhcp-options/{call.settings.region}".encode()).hexdigest()
    return new_id("dhcp-options", lambda digits: digest[:digits])


@operation("DescribeDhcpOptions")
def describe_dhcp_options(call: Call, request: Request) -> Response:
    shape = _shape(call)
    wanted: list[str] = request.get("DhcpOptionsIds") or []
    for value in wanted:
        _check(call, value)
    filters: dict[str, Any] = {
        "dhcp-options-id": lambda s: s["DhcpOptionsId"],
        "key": lambda s: [c["Key"] for c in s["DhcpConfigurations"]],
        "owner-id": lambda s: s["OwnerId"],
        "value": lambda s: [v["Value"] for c in s["DhcpConfigurations"] for v in c["Values"]],
    }
    names = {str(entry.get("Name")) for entry in request.get("Filters") or []}
    filters |= absent("tag-key", "tag-value", *(name for name in names if name.startswith("tag:")))
    return paginate(request, filtered([shape], request, filters), "DhcpOptions", "DhcpOptionsIds")


@operation("AssociateDhcpOptions")
def associate_dhcp_options(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    value: str = request["DhcpOptionsId"]
    if value != NO_OPTIONS:
        _check(call, value)
    call.tx.update(vpc, dhcp_options_id=value)
    return {}


def _check(call: Call, value: str) -> None:
    check_id("dhcp-options", value)
    if value != default_options_id(call):
        raise errors.not_found("dhcp-options", value)


def _shape(call: Call) -> dict[str, Any]:
    region = call.settings.region
    domain = "ec2.internal" if region == OLDEST_REGION else f"{region}.compute.internal"
    return {
        "DhcpOptionsId": default_options_id(call),
        "OwnerId": call.account_id,
        "DhcpConfigurations": [
            {"Key": "domain-name", "Values": [{"Value": domain}]},
            {"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]},
        ],
        "Tags": [],
    }
