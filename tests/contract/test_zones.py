"""The region, its zones and the account, as tools ask for them first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.vpn import refused
from twinbore.model.settings import Settings


def test_the_region(service: Service, ec2: Any) -> None:
    expected = {
        "RegionName": "us-east-1",
        "Endpoint": service.settings.listen,
        "OptInStatus": "opt-in-not-required",
        "Geography": [],
    }
    assert ec2.describe_regions()["Regions"] == [expected]
    assert ec2.describe_regions(RegionNames=["us-east-1"], AllRegions=True)["Regions"] == [expected]
    other = [{"Name": "region-name", "Values": ["eu-*"]}]
    assert ec2.describe_regions(Filters=other)["Regions"] == []
    with refused(service, "InvalidParameterValue", "RegionName", "eu-west-1", "us-east-1"):
        ec2.describe_regions(RegionNames=["eu-west-1"])


def test_the_zones(service: Service, ec2: Any) -> None:
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [(z["ZoneName"], z["ZoneId"], z["State"]) for z in zones] == [
        ("us-east-1a", "use1-az1", "available"),
        ("us-east-1b", "use1-az2", "available"),
        ("us-east-1c", "use1-az3", "available"),
    ]
    assert zones[0] == {
        "State": "available",
        "OptInStatus": "opt-in-not-required",
        "Messages": [],
        "RegionName": "us-east-1",
        "ZoneName": "us-east-1a",
        "ZoneId": "use1-az1",
        "GroupName": "us-east-1-zg-1",
        "GroupLongName": "US East (N. Virginia) 1",
        "Geography": [],
        "SubGeography": [],
        "NetworkBorderGroup": "us-east-1",
        "ZoneType": "availability-zone",
    }
    assert ec2.describe_availability_zones(ZoneNames=["us-east-1b"])["AvailabilityZones"] == zones[1:2]
    assert ec2.describe_availability_zones(ZoneIds=["use1-az3"])["AvailabilityZones"] == zones[2:]
    with refused(service, "InvalidParameterValue", "ZoneName", "us-east-1f"):
        ec2.describe_availability_zones(ZoneNames=["us-east-1f"])
    with refused(service, "InvalidParameterValue", "ZoneId", "use1-az7"):
        ec2.describe_availability_zones(ZoneIds=["use1-az7"])


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("group-name", "us-east-1-zg-1", 3),
        ("group-long-name", "US East*", 3),
        ("message", "*", 0),
        ("opt-in-status", "opt-in-not-required", 3),
        ("region-name", "us-east-1", 3),
        ("state", "available", 3),
        ("zone-id", "use1-az2", 1),
        ("zone-name", "us-east-1?", 3),
        ("zone-type", "local-zone", 0),
    ],
)
def test_filters_of_zones(ec2: Any, name: str, value: str, count: int) -> None:
    answer = ec2.describe_availability_zones(Filters=[{"Name": name, "Values": [value]}])
    assert len(answer["AvailabilityZones"]) == count


def test_account_attributes(service: Service, ec2: Any) -> None:
    def values(**request: Any) -> dict[str, list[str]]:
        return {
            a["AttributeName"]: [v["AttributeValue"] for v in a["AttributeValues"]]
            for a in ec2.describe_account_attributes(**request)["AccountAttributes"]
        }

    assert values()["supported-platforms"] == ["VPC"]
    assert values()["vpc-max-security-groups-per-interface"] == ["5"]
    assert values(AttributeNames=["default-vpc"]) == {"default-vpc": ["none"]}
    with refused(service, "InvalidParameterValue", "AttributeName", "colour", "default-vpc"):
        ec2.describe_account_attributes(AttributeNames=["colour"])


class TestAnotherRegion:
    """A region of one's own name."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(region="ap-northeast-1", zones=("a", "c"))

    def test_its_zones(self, ec2: Any) -> None:
        zones = ec2.describe_availability_zones()["AvailabilityZones"]
        assert [(z["ZoneName"], z["ZoneId"]) for z in zones] == [
            ("ap-northeast-1a", "apne1-az1"),
            ("ap-northeast-1c", "apne1-az2"),
        ]
