"""A store that cannot write is an error to the caller, and nothing of the request stays behind."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import event

from tests.contract.conftest import Service
from twinbore.store.database import connect
from twinbore.store.secrets import SecretBox


def test_a_full_disk(service: Service, ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    with service.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    service.database.engine.dispose()
    event.listen(
        service.database.engine,
        "connect",
        lambda raw, _record: raw.execute(f"PRAGMA max_page_count={pages}"),
    )
    with pytest.raises(ClientError) as refused:
        for number in range(200):
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")
    assert refused.value.response["Error"]["Code"] == "Unavailable"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    before = service.dump()
    with pytest.raises(ClientError):
        ec2.create_customer_gateway(
            Type="ipsec.1",
            PublicIp="192.0.2.1",
            BgpAsn=65000,
            TagSpecifications=[
                {
                    "ResourceType": "customer-gateway",
                    "Tags": [{"Key": f"key{n}", "Value": "v" * 250} for n in range(50)],
                }
            ],
        )
    assert service.dump() == before


def test_a_locked_database(service: Service, ec2: Any) -> None:
    other = connect(str(service.database.engine.url), SecretBox(b"k" * 32))
    service.database.engine.dispose()
    event.listen(service.database.engine, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout=100"))
    with other.write(), pytest.raises(ClientError) as refused:
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert refused.value.response["Error"]["Code"] == "Unavailable"
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["CidrBlock"] == "10.0.0.0/16"
