"""Throttling as clients meet it: AWS's error, a header that says when to come back, and retries that get through.

The clock of the buckets moves by a tenth of a second with each request, so that nothing depends on the machine's speed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.conftest import POOL_A, POOL_B, Service, now
from tests.contract.raw import signed
from twinbore.api.accounts import SECRET_FIELD
from twinbore.model.resources import AccessKey, Account
from twinbore.model.settings import Settings, Throttling

TENTH = 100_000_000
CIDR = "10.0.0.0/16"


@pytest.fixture
def settings() -> Settings:
    limits = Throttling(
        enabled=True, mutating_burst=2, mutating_rate=4, non_mutating_burst=2, unfiltered_burst=1, unfiltered_rate=4
    )
    return Settings(outside_pool_a=POOL_A, outside_pool_b=POOL_B, throttling=limits)


@pytest.fixture(autouse=True)
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = itertools.count(step=TENTH)
    monkeypatch.setattr("twinbore.api.dispatch.monotonic_ns", lambda: next(moments))


def limited(call: Callable[[], Any]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == "RequestLimitExceeded"
    return caught.value


def test_the_error_is_awss(service: Service, ec2: Any) -> None:
    account = service.client("sts").get_caller_identity()["Account"]
    for _ in range(2):
        ec2.create_vpc(CidrBlock=CIDR)
    error = limited(lambda: ec2.create_vpc(CidrBlock=CIDR))
    assert error.response["Error"]["Message"] == (
        f"Request limit exceeded. Account {account} has been throttled on ec2:CreateVpc because it exceeded its "
        "request rate limit."
    )
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert len(ec2.describe_vpcs()["Vpcs"]) == 2


def test_the_answer_says_when_to_come_back(service: Service) -> None:
    for _ in range(2):
        served = signed(service, "CreateVpc", {"CidrBlock": CIDR})
        assert (served.status, served.headers.get("retry-after")) == (200, None)
    answer = signed(service, "CreateVpc", {"CidrBlock": CIDR})
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "text/xml;charset=UTF-8"
    assert f"<RequestID>{answer.headers['x-amzn-requestid']}</RequestID>" in answer.text
    assert "<Code>RequestLimitExceeded</Code>" in answer.text


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_boto3s_retries_get_through(service: Service, mode: str) -> None:
    ec2 = service.client(config=Config(retries={"mode": mode, "total_max_attempts": 8}))
    answers = [ec2.create_vpc(CidrBlock=CIDR) for _ in range(4)]
    retries = [answer["ResponseMetadata"]["RetryAttempts"] for answer in answers]
    assert retries[:2] == [0, 0]
    assert sum(retries) > 0
    assert all("retry-after" not in answer["ResponseMetadata"]["HTTPHeaders"] for answer in answers)


def test_each_action_has_its_own_bucket(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    ec2.create_vpc(CidrBlock=CIDR)
    limited(lambda: ec2.create_vpc(CidrBlock=CIDR))
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    ec2.describe_subnets()


def test_each_account_has_its_own_bucket(service: Service, ec2: Any) -> None:
    for _ in range(2):
        ec2.create_vpc(CidrBlock=CIDR)
    limited(lambda: ec2.create_vpc(CidrBlock=CIDR))
    other = AccessKey("AKIAEXAMPLEEXAMPLE22", "222222222222", now())
    with service.database.write() as tx:
        tx.insert(Account(other.account_id, now()), other)
        tx.put_secret(other.id, SECRET_FIELD, service.secret_access_key)
    service.client(aws_access_key_id=other.id).create_vpc(CidrBlock=CIDR)


def test_a_listing_that_is_neither_filtered_nor_paged_has_a_smaller_one(ec2: Any) -> None:
    ec2.describe_security_groups()
    limited(ec2.describe_security_groups)
    ec2.describe_security_groups(MaxResults=5)
    ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])


def test_a_wrong_signature_costs_nobodys_tokens(service: Service, ec2: Any) -> None:
    for _ in range(5):
        assert signed(service, "CreateVpc", {"CidrBlock": CIDR}, secret="x" * 40).status == 401
    for _ in range(2):
        ec2.create_vpc(CidrBlock=CIDR)


def test_what_is_refused_costs_a_token(ec2: Any) -> None:
    for _ in range(2):
        with pytest.raises(ClientError, match=r"InvalidVpc\.Range"):
            ec2.create_vpc(CidrBlock="10.0.0.0/4")
    limited(lambda: ec2.create_vpc(CidrBlock=CIDR))


def test_sts_is_not_throttled(service: Service) -> None:
    sts = service.client("sts")
    for _ in range(10):
        sts.get_caller_identity()
