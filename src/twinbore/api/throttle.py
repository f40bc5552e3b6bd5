"""How often an account may ask: AWS's token buckets, one for each account and action.

A bucket holds a number of requests and is filled at a steady rate; a request takes one out, and is refused with
RequestLimitExceeded when there is none. How large the bucket is depends on the kind of action: reading, changing, the
changes that AWS calls resource-intensive, and the listings that it wants to be filtered or paged and gives less when
they are not. A listing by ids counts as filtered: AWS's page does not say, and the answer is as short.

What is refused says when to come back (Retry-After, which AWS does not send; its SDKs that know the header obey it, the
others wait as they always do). Every request that is signed rightly takes a token, whatever becomes of it, a DryRun as
well; one that is not takes nobody's, and one for an action that does not exist has no bucket. STS is not throttled.

Each bucket is one integer: the time in nanoseconds at which it will be full again. A request moves it by the time that
one token takes, and is refused when that would lie further ahead than a whole bucket. So the bound is exact: in `t`
seconds never more than burst + rate * t requests. A time that is past is as good as no bucket at all, so those are
dropped, and memory is bounded by what was asked lately.

References: Amazon EC2 Developer Guide, "Request throttling for the Amazon EC2 API"; ITU-T I.371 annex A (generic cell
rate algorithm, in its virtual scheduling form); RFC 9110 section 10.2.3 (Retry-After).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from threading import Lock
from typing import Final

from twinbore.api.errors import ApiError
from twinbore.api.operation import READ_ONLY
from twinbore.model.settings import Throttling

NANOSECONDS: Final = 1_000_000_000
FEWEST_KEPT: Final = 1024
"""Buckets up to this number are kept whether they are full or not."""

LISTINGS: Final = frozenset(
    {
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSnapshots",
        "DescribeSpotInstanceRequests",
        "DescribeVolumes",
    }
)
"""Listings that AWS gives less when they are neither filtered nor paged."""

NARROWING: Final = frozenset(
    {
        "Filter",
        "MaxResults",
        "NextToken",
        "GroupId",
        "GroupName",
        "InstanceId",
        "NetworkInterfaceId",
        "SnapshotId",
        "SpotInstanceRequestId",
        "VolumeId",
    }
)
"""Parameters of theirs, by name on the wire, that make the answer short."""

INTENSIVE: Final = frozenset(
    {
        "AcceptVpcPeeringConnection",
        "AuthorizeSecurityGroupIngress",
        "CancelSpotInstanceRequests",
        "CreateKeyPair",
        "CreateVpcPeeringConnection",
        "DeleteVpcPeeringConnection",
        "RejectVpcPeeringConnection",
        "RequestSpotInstances",
        "RevokeSecurityGroupIngress",
    }
)
"""What AWS lists as resource-intensive."""

READING: Final = (*READ_ONLY, "List", "Search")


class Kind(Enum):
    """AWS's kinds of actions that have buckets of their own sizes."""

    NON_MUTATING = "non_mutating"
    UNFILTERED = "unfiltered"
    MUTATING = "mutating"
    RESOURCE_INTENSIVE = "resource_intensive"


def kind_of(action: str, parameters: Iterable[str]) -> Kind:
    """The kind of a request; `parameters` are names as they came over the wire (`Filter.1.Name`)."""
    if action in INTENSIVE:
        return Kind.RESOURCE_INTENSIVE
    if not action.startswith(READING):
        return Kind.MUTATING
    if action in LISTINGS and not any(name.partition(".")[0] in NARROWING for name in parameters):
        return Kind.UNFILTERED
    return Kind.NON_MUTATING


class Throttle:
    """The buckets of all accounts; safe to use from several threads."""

    def __init__(self, settings: Throttling) -> None:
        self._enabled = settings.enabled
        self._limits = {kind: _limit(settings, kind) for kind in Kind}
        self._full_at: dict[tuple[str, str, bool], int] = {}
        self._most_kept = FEWEST_KEPT
        self._lock = Lock()

    def check(self, account_id: str, action: str, parameters: Iterable[str], now: int) -> None:
        """Take a token; raise RequestLimitExceeded when there is none. `now`: nanoseconds, of a clock without steps."""
        if not self._enabled:
            return
        wait = self.take(account_id, action, kind_of(action, parameters), now)
        if wait:
            raise ApiError(
                "RequestLimitExceeded",
                f"Request limit exceeded. Account {account_id} has been throttled on ec2:{action} because it exceeded "
                "its request rate limit.",
                503,
                retry_after=-(-wait // NANOSECONDS),
            )

    def take(self, account_id: str, action: str, kind: Kind, now: int) -> int:
        """Take a token: 0, or the nanoseconds until there is one."""
        interval, depth = self._limits[kind]
        bucket = (account_id, action, kind is Kind.UNFILTERED)
        with self._lock:
            full_at = max(self._full_at.get(bucket, now), now) + interval
            if full_at - now > depth:
                return full_at - now - depth
            self._full_at[bucket] = full_at
            if len(self._full_at) > self._most_kept:
                self._drop_full(now)
        return 0

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._full_at)

    def _drop_full(self, now: int) -> None:
        self._full_at = {bucket: full_at for bucket, full_at in self._full_at.items() if full_at > now}
        self._most_kept = max(FEWEST_KEPT, 2 * len(self._full_at))


def _limit(settings: Throttling, kind: Kind) -> tuple[int, int]:
    """Nanoseconds for one token, rounded up, and for a whole bucket."""
    burst: int = getattr(settings, f"{kind.value}_burst")
    rate: float = getattr(settings, f"{kind.value}_rate")
    interval = -int(-NANOSECONDS // rate)
    return interval, burst * interval
