"""Regions, availability zones and account attributes: what clients ask on the way.

There is one region, named by the settings.

Reference: EC2 API reference, DescribeRegions, DescribeAvailabilityZones, DescribeAccountAttributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import matching
from twinbore.api.ops.subnets import zone_id
from twinbore.model.states import AVAILABLE


@dataclass(frozen=True, slots=True)
class Zone:
    """An availability zone; `id` is its name."""

    id: str
    zone_id: str


@operation("DescribeRegions")
def describe_regions(call: Call, request: Request) -> Response:
    region = call.settings.region
    for name in request.get("RegionNames") or []:
        if name != region:
            raise errors.invalid_value("RegionName", name, region)
    filters: dict[str, Any] = {
        "region-name": lambda name: name,
        "endpoint": _endpoint,
        "opt-in-status": lambda _: "opt-in-not-required",
    }
    return {
        "Regions": [
            {"RegionName": name, "Endpoint": _endpoint(name), "OptInStatus": "opt-in-not-required"}
            for name in matching(request, [region], filters)
        ]
    }


@operation("DescribeAvailabilityZones")
def describe_availability_zones(call: Call, request: Request) -> Response:
    zones = [Zone(name, zone_id(call, name)) for name in call.settings.availability_zones]
    for member, known in (("ZoneNames", [z.id for z in zones]), ("ZoneIds", [z.zone_id for z in zones])):
        for value in request.get(member) or []:
            if value not in known:
                raise errors.invalid_value(member[:-1], value, ", ".join(known))
    names, ids = request.get("ZoneNames"), request.get("ZoneIds")
    chosen = [z for z in zones if (not names or z.id in names) and (not ids or z.zone_id in ids)]
    filters: dict[str, Any] = {
        "group-name": lambda _: call.settings.region,
        "opt-in-status": lambda _: "opt-in-not-required",
        "region-name": lambda _: call.settings.region,
        "state": lambda _: AVAILABLE,
        "zone-id": lambda z: z.zone_id,
        "zone-name": lambda z: z.id,
        "zone-type": lambda _: "availability-zone",
    }
    return {
        "AvailabilityZones": [
            {
                "ZoneName": zone.id,
                "ZoneId": zone.zone_id,
                "RegionName": call.settings.region,
                "GroupName": call.settings.region,
                "NetworkBorderGroup": call.settings.region,
                "State": AVAILABLE,
                "OptInStatus": "opt-in-not-required",
                "ZoneType": "availability-zone",
                "Messages": [],
            }
            for zone in matching(request, chosen, filters)
        ]
    }


@operation("DescribeAccountAttributes")
def describe_account_attributes(_call: Call, request: Request) -> Response:
    values = {
        "supported-platforms": "VPC",
        "default-vpc": "none",
        "max-instances": "0",
        "max-elastic-ips": "0",
        "vpc-max-elastic-ips": "0",
        "vpc-max-security-groups-per-interface": "0",
    }
    for name in request.get("AttributeNames") or []:
        if name not in values:
            raise errors.invalid_value("AttributeName", name, ", ".join(values))
    names = request.get("AttributeNames") or values
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": values[name]}]} for name in names
        ]
    }


def _endpoint(region: str) -> str:
    return f"ec2.{region}.amazonaws.com"
