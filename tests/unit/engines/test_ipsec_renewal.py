"""When SAs with former times are replaced."""

from __future__ import annotations

from typing import Any

import pytest

from twinbore.engines.ipsec.renewal import AHEAD_SECONDS, renewal_seconds
from twinbore.engines.ipsec.status import IkeSa
from twinbore.model.options import TunnelOptions

OPTIONS = TunnelOptions()


def ike_sa(number: int = 3, *, child: dict[str, str] | None = None, **section: Any) -> IkeSa:
    times = {"established": "100", "rekey-time": "20000"} | section
    children = {"c": {"install-time": "100", "rekey-time": "3000"} | (child or {})}
    return IkeSa("vpn-1", number, "ESTABLISHED", {**times, "child-sas": children})


@pytest.mark.parametrize(
    ("sa", "options", "seconds"),
    [
        (ike_sa(), OPTIONS, 3000 - AHEAD_SECONDS),
        (ike_sa(**{"rekey-time": "500"}), OPTIONS, 500 - AHEAD_SECONDS),
        (ike_sa(child={"rekey-time": "50"}), OPTIONS, 0.0),
        (ike_sa(), TunnelOptions(phase2_lifetime_seconds=900), 900 - 270 - 100 - AHEAD_SECONDS),
        (ike_sa(child={"install-time": "2000"}), TunnelOptions(phase2_lifetime_seconds=900), 0.0),
        (ike_sa(established="900"), TunnelOptions(phase1_lifetime_seconds=1300, phase2_lifetime_seconds=1299), 40.0),
    ],
    ids=["child", "IKE SA", "now", "shorter lifetime", "older than allowed", "shorter phase 1"],
)
def test_before_the_next_rekeying_or_when_the_new_times_want_it(
    sa: IkeSa, options: TunnelOptions, seconds: float
) -> None:
    assert renewal_seconds([sa], {3}, options) == seconds


def test_what_is_not_outdated_does_not_count() -> None:
    assert renewal_seconds([ike_sa(4)], {3}, OPTIONS) is None
    assert renewal_seconds([ike_sa(4, child={"rekey-time": "1"}), ike_sa(3)], {3}, OPTIONS) == 3000 - AHEAD_SECONDS


def test_what_charon_does_not_rekey_has_the_limit_of_the_new_times() -> None:
    bare = IkeSa("vpn-1", 3, "ESTABLISHED", {"established": "1000", "child-sas": {"c": {"install-time": "1000"}}})
    assert renewal_seconds([bare], {3}, OPTIONS) == 3600 - 270 - 1000 - AHEAD_SECONDS
