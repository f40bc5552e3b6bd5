"""The region, its availability zones and the account's attributes: the first things that many tools ask for.

There is one region, the installation's, and its endpoint is the address that the API listens on: older libraries
connect to what DescribeRegions names. Zones are names that resources carry; all of them are on this installation, and
where that stands (the geography) it does not know.

References: EC2 API reference, DescribeRegions, DescribeAvailabilityZones, DescribeAccountAttributes; AWS RAM User
Guide, "Availability Zone IDs" (use1-az1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from botocore.loaders import create_loader

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import absent, filtered, taken
from twinbore.model import resources as r
from twinbore.model.settings import Settings

_REGION: Final = re.compile(r"([a-z]{2,3}(?:-[a-z]+)*)-(north|south|east|west|central)?(east|west)?-([0-9]+)")
OPT_IN_NOT_REQUIRED: Final = "opt-in-not-required"


def zone_ids(settings: Settings) -> dict[str, str]:
    """Zone name → zone id, as AWS forms them: us-east-1a → use1-az1, ap-northeast-1c → apne1-az3."""
    match = _REGION.fullmatch(settings.region)
    short = settings.region
    if match:
        start = match[1].split("-")
        short = start[0] + "".join(word[0] for word in [*start[1:], match[2] or "", match[3] or ""] if word) + match[4]
    return {zone: f"{short}-az{number}" for number, zone in enumerate(settings.availability_zones, 1)}


@cache
def region_long_name(region: str) -> str | None:
    """AWS's name of the region, as botocore knows it: us-east-1 is "US East (N. Virginia)"; None for one of our own."""
    for partition in create_loader().load_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            name: str = partition["regions"][region]["description"]
            return name
    return None


def zone_of_request(settings: Settings, request: Request) -> str:
    """The zone that a request asks for by name or by id; the first one when it does not say."""
    name: str | None = request.get("AvailabilityZone")
    identifier: str | None = request.get("AvailabilityZoneId")
    ids = zone_ids(settings)
    if name is not None and identifier is not None:
        raise errors.combination("The parameters AvailabilityZone and AvailabilityZoneId cannot be used together.")
    if identifier is not None:
        name = next((zone for zone, known in ids.items() if known == identifier), None)
        if name is None:
            raise errors.invalid_value("AvailabilityZoneId", identifier, "one of " + ", ".join(ids.values()))
    if name is not None and name not in ids:
        raise errors.invalid_value("AvailabilityZone", name, "one of " + ", ".join(ids))
    return name or next(iter(ids))


_REGION_FILTERS: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    "endpoint": lambda region: region["Endpoint"],
    "opt-in-status": lambda region: region["OptInStatus"],
    "region-name": lambda region: region["RegionName"],
}


@operation("DescribeRegions")
def describe_regions(call: Call, request: Request) -> Response:
    taken(request, "AllRegions")  # there is one, and it is enabled
    settings = call.settings
    for name in request.get("RegionNames") or []:
        if name != settings.region:
            raise errors.invalid_value("RegionName", name, settings.region)
    region = {
        "RegionName": settings.region,
        "Endpoint": settings.listen,
        "OptInStatus": OPT_IN_NOT_REQUIRED,
        "Geography": [],
    }
    return {"Regions": filtered([region], request, _REGION_FILTERS)}


_ZONE_FILTERS: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    "group-long-name": lambda zone: zone.get("GroupLongName"),
    "group-name": lambda zone: zone["GroupName"],
    "opt-in-status": lambda zone: zone["OptInStatus"],
    "region-name": lambda zone: zone["RegionName"],
    "state": lambda zone: zone["State"],
    "zone-id": lambda zone: zone["ZoneId"],
    "zone-name": lambda zone: zone["ZoneName"],
    "zone-type": lambda zone: zone["ZoneType"],
} | absent("message", "parent-zone-id", "parent-zone-name")


@operation("DescribeAvailabilityZones")
def describe_availability_zones(call: Call, request: Request) -> Response:
    taken(request, "AllAvailabilityZones")  # all are enabled
    settings = call.settings
    zones = [_zone_shape(settings, name, identifier) for name, identifier in zone_ids(settings).items()]
    for parameter, member in (("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")):
        wanted: list[str] = request.get(parameter) or []
        known = [zone[member] for zone in zones]
        for value in wanted:
            if value not in known:
                raise errors.invalid_value(member, value, "one of " + ", ".join(known))
        zones = [zone for zone in zones if not wanted or zone[member] in wanted]
    return {"AvailabilityZones": filtered(zones, request, _ZONE_FILTERS)}


def _zone_shape(settings: Settings, name: str, identifier: str) -> dict[str, Any]:
    return {
        "State": "available",
        "OptInStatus": OPT_IN_NOT_REQUIRED,
        "Messages": [],
        "RegionName": settings.region,
        "ZoneName": name,
        "ZoneId": identifier,
        "GroupName": f"{settings.region}-zg-1",
        **({"GroupLongName": f"{long_name} 1"} if (long_name := region_long_name(settings.region)) else {}),
        "NetworkBorderGroup": settings.region,
        "ZoneType": "availability-zone",
        "Geography": [],
        "SubGeography": [],
    }


ACCOUNT_ATTRIBUTES: Final[Mapping[str, str]] = {
    "supported-platforms": "VPC",
    "max-instances": "0",
    "max-elastic-ips": "0",
    "vpc-max-elastic-ips": "0",
}
"""There are no instances and elastic addresses here."""


@operation("DescribeAccountAttributes")
def describe_account_attributes(call: Call, request: Request) -> Response:
    groups = call.settings.quotas.security_groups_per_network_interface
    default = [v.id for v in call.tx.all(r.Vpc, account_id=call.account_id, is_default=True)]
    attributes = {
        **ACCOUNT_ATTRIBUTES,
        "default-vpc": default[0] if default else "none",
        "vpc-max-security-groups-per-interface": str(groups),
    }
    wanted: list[str] = request.get("AttributeNames") or list(attributes)
    for name in wanted:
        if name not in attributes:
            raise errors.invalid_value("AttributeName", name, "one of " + ", ".join(attributes))
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": attributes[name]}]} for name in wanted
        ]
    }
