"""Ids of availability zones, as AWS forms them."""

from __future__ import annotations

import pytest

from twinbore.api.ops.zones import zone_ids
from twinbore.model.settings import Settings


@pytest.mark.parametrize(
    ("region", "short"),
    [
        ("us-east-1", "use1"),
        ("us-west-2", "usw2"),
        ("ap-northeast-1", "apne1"),
        ("ap-southeast-4", "apse4"),
        ("eu-central-1", "euc1"),
        ("me-south-1", "mes1"),
        ("ca-west-1", "caw1"),
        ("us-gov-west-1", "usgw1"),
        ("home", "home"),
    ],
)
def test_zone_ids(region: str, short: str) -> None:
    settings = Settings(region=region, zones=("a", "b"))
    assert zone_ids(settings) == {f"{region}a": f"{short}-az1", f"{region}b": f"{short}-az2"}
