"""Attributes of a VPC: DNS support and host names, and its tenancy.

The DNS attributes are kept and shown; no DNS server is asked in a VPC here, so nothing follows from them. There are no
metrics of network address usage.

References: EC2 API reference, ModifyVpcAttribute, DescribeVpcAttribute, ModifyVpcTenancy.
"""

from __future__ import annotations

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import lookup
from twinbore.model import resources as r


@operation("ModifyVpcAttribute")
def modify_vpc_attribute(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    given = {name: request[name].get("Value", False) for name in request if name != "VpcId"}
    if len(given) != 1:
        raise errors.combination(
            f"Fields for exactly one attribute are needed; given: {', '.join(sorted(given)) or 'none'}. "
            "Allowed: EnableDnsSupport, EnableDnsHostnames."
        )
    (name, value), *_ = given.items()
    if name == "EnableDnsSupport":
        call.tx.update(vpc, enable_dns_support=value)
    elif name == "EnableDnsHostnames":
        if value and not vpc.enable_dns_support:
            raise errors.invalid_value(name, "true", f"true while EnableDnsSupport of {vpc.id} is true")
        call.tx.update(vpc, enable_dns_hostnames=value)
    elif value:
        raise errors.unsupported(f"{name} is not supported by Twinbore: it can only be false.")
    return {}


@operation("DescribeVpcAttribute")
def describe_vpc_attribute(call: Call, request: Request) -> Response:
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    attributes = {
        "enableDnsSupport": ("EnableDnsSupport", vpc.enable_dns_support),
        "enableDnsHostnames": ("EnableDnsHostnames", vpc.enable_dns_hostnames),
        "enableNetworkAddressUsageMetrics": ("EnableNetworkAddressUsageMetrics", False),
    }
    if request["Attribute"] not in attributes:
        raise errors.invalid_value("Attribute", request["Attribute"], "one of " + ", ".join(attributes))
    name, value = attributes[request["Attribute"]]
    return {"VpcId": vpc.id, name: {"Value": value}}


@operation("ModifyVpcTenancy")
def modify_vpc_tenancy(call: Call, request: Request) -> Response:
    """The only tenancy that AWS lets a VPC change to is the one that every VPC here has."""
    lookup(call, r.Vpc, "vpc", request["VpcId"])
    if request["InstanceTenancy"] != "default":
        raise errors.invalid_value("InstanceTenancy", request["InstanceTenancy"], "default")
    return {"ReturnValue": True}
