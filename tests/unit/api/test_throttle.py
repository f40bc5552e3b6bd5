"""Token buckets: kinds of actions, exact bounds, and what is kept in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.api import codec
from twinbore.api.errors import ApiError
from twinbore.api.throttle import FEWEST_KEPT, INTENSIVE, LISTINGS, NANOSECONDS, NARROWING, Kind, Throttle, kind_of
from twinbore.model.settings import Throttling

ON = Throttling(enabled=True)
ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    ("action", "parameters", "kind"),
    [
        ("DescribeVpnConnections", [], Kind.NON_MUTATING),
        ("GetVpnConnectionDeviceTypes", [], Kind.NON_MUTATING),
        ("SearchTransitGatewayRoutes", [], Kind.NON_MUTATING),
        ("ListImagesInRecycleBin", [], Kind.NON_MUTATING),
        ("CreateVpnConnection", ["Filter.1.Name"], Kind.MUTATING),
        ("ReplaceVpnTunnel", [], Kind.MUTATING),
        ("AuthorizeSecurityGroupIngress", [], Kind.RESOURCE_INTENSIVE),
        ("AuthorizeSecurityGroupEgress", [], Kind.MUTATING),
        ("DescribeNetworkInterfaces", ["Action", "Version", "DryRun"], Kind.UNFILTERED),
        ("DescribeNetworkInterfaces", ["Filter.1.Name", "Filter.1.Value.1"], Kind.NON_MUTATING),
        ("DescribeNetworkInterfaces", ["NetworkInterfaceId.1"], Kind.NON_MUTATING),
        ("DescribeSecurityGroups", ["MaxResults"], Kind.NON_MUTATING),
        ("DescribeSecurityGroups", ["MaxResultsOf", "Filters"], Kind.UNFILTERED),
    ],
)
def test_kinds(action: str, parameters: list[str], kind: Kind) -> None:
    assert kind_of(action, parameters) is kind


def test_every_name_is_one_of_the_model() -> None:
    model = codec.service("ec2")
    assert set(model.operation_names) >= LISTINGS | INTENSIVE
    wire = set()
    for name in LISTINGS:
        for member in model.operation_model(name).input_shape.members.values():
            wire.add(member.serialization.get("queryName") or member.serialization.get("name") or member.name)
    assert {name.lower() for name in NARROWING} <= {name.lower() for name in wire} | {"maxresults", "nexttoken"}


def test_off_by_default() -> None:
    throttle = Throttle(Throttling())
    for _ in range(1000):
        throttle.check(ACCOUNT, "CreateVpc", [], 0)
    assert len(throttle) == 0


def test_the_default_is_what_aws_documents() -> None:
    throttle = Throttle(ON)
    for _ in range(100):
        throttle.check(ACCOUNT, "DescribeVpcs", [], 0)
    with pytest.raises(ApiError) as caught:
        throttle.check(ACCOUNT, "DescribeVpcs", [], 0)
    assert (caught.value.code, caught.value.status, caught.value.retry_after) == ("RequestLimitExceeded", 503, 1)
    assert caught.value.message == (
        "Request limit exceeded. Account 123456789012 has been throttled on ec2:DescribeVpcs because it exceeded its "
        "request rate limit."
    )
    later = NANOSECONDS
    for _ in range(20):
        throttle.check(ACCOUNT, "DescribeVpcs", [], later)
    with pytest.raises(ApiError):
        throttle.check(ACCOUNT, "DescribeVpcs", [], later)


def test_other_actions_and_other_accounts_have_buckets_of_their_own() -> None:
    throttle = Throttle(replace(ON, mutating_burst=1, unfiltered_burst=1))
    assert throttle.take(ACCOUNT, "CreateVpc", Kind.MUTATING, 0) == 0
    assert throttle.take(ACCOUNT, "CreateVpc", Kind.MUTATING, 0) > 0
    assert throttle.take(ACCOUNT, "CreateSubnet", Kind.MUTATING, 0) == 0
    assert throttle.take("210987654321", "CreateVpc", Kind.MUTATING, 0) == 0
    assert throttle.take(ACCOUNT, "DescribeNetworkInterfaces", Kind.UNFILTERED, 0) == 0
    assert throttle.take(ACCOUNT, "DescribeNetworkInterfaces", Kind.UNFILTERED, 0) > 0
    assert throttle.take(ACCOUNT, "DescribeNetworkInterfaces", Kind.NON_MUTATING, 0) == 0


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    throttle = Throttle(replace(ON, mutating_burst=1, mutating_rate=0.4))
    throttle.check(ACCOUNT, "CreateVpc", [], 0)
    with pytest.raises(ApiError) as caught:
        throttle.check(ACCOUNT, "CreateVpc", [], 0)
    assert caught.value.retry_after == 3
    with pytest.raises(ApiError):
        throttle.check(ACCOUNT, "CreateVpc", [], NANOSECONDS)
    throttle.check(ACCOUNT, "CreateVpc", [], 3 * NANOSECONDS)


@given(
    burst=st.integers(1, 50),
    rate=st.floats(0.01, 2000, allow_nan=False),
    pauses=st.lists(st.integers(0, 3 * NANOSECONDS) | st.integers(0, 2000), max_size=200),
    begin=st.integers(0, 1 << 62),
)
def test_never_more_than_the_burst_and_what_came_in(burst: int, rate: float, pauses: list[int], begin: int) -> None:
    throttle = Throttle(replace(ON, mutating_burst=burst, mutating_rate=rate))
    now = begin
    accepted: list[int] = []
    for pause in [0, *pauses]:
        now += pause
        wait = throttle.take(ACCOUNT, "CreateVpc", Kind.MUTATING, now)
        if wait == 0:
            accepted.append(now)
        else:  # it says when to come back, and neither too early nor too late
            again = Throttle(replace(ON, mutating_burst=burst, mutating_rate=rate))
            for moment in accepted:
                assert again.take(ACCOUNT, "CreateVpc", Kind.MUTATING, moment) == 0
            assert again.take(ACCOUNT, "CreateVpc", Kind.MUTATING, now + wait - 1) > 0
            assert again.take(ACCOUNT, "CreateVpc", Kind.MUTATING, now + wait) == 0
    for first, start in enumerate(accepted):
        for last in range(first, len(accepted)):
            count, nanoseconds = last - first + 1, accepted[last] - start
            assert count <= burst + rate * nanoseconds / NANOSECONDS + 1e-9
    assert accepted[0] == begin


@given(burst=st.integers(1, 30), rate=st.floats(0.1, 100, allow_nan=False))
def test_a_rested_bucket_gives_its_whole_burst_and_no_more(burst: int, rate: float) -> None:
    throttle = Throttle(replace(ON, mutating_burst=burst, mutating_rate=rate))
    for moment in (0, 10**15, 2 * 10**15):
        taken = [throttle.take(ACCOUNT, "CreateVpc", Kind.MUTATING, moment) == 0 for _ in range(burst + 2)]
        assert taken == [True] * burst + [False] * 2


def test_memory_is_bounded_by_what_was_asked_lately() -> None:
    throttle = Throttle(replace(ON, mutating_rate=1000.0))
    for number in range(50 * FEWEST_KEPT):
        throttle.take(f"{number:012}", "CreateVpc", Kind.MUTATING, number * NANOSECONDS // 1000)
        assert len(throttle) <= FEWEST_KEPT
    throttle.take(ACCOUNT, "CreateVpc", Kind.MUTATING, 10**18)
    crowd = 5 * FEWEST_KEPT
    for number in range(crowd):
        throttle.take(f"{number:012}", "CreateVpc", Kind.MUTATING, 10**18)
    assert len(throttle) >= crowd  # none of them is full: none may be forgotten


def test_threads_do_not_get_more_together() -> None:
    throttle = Throttle(replace(ON, mutating_burst=500))
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: throttle.take(ACCOUNT, "CreateVpc", Kind.MUTATING, 0), range(2000)))
    assert waits.count(0) == 500
