"""Routes and rules survive the way into a netlink message and back."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from twinbore.engines.net import routing
from twinbore.engines.netlink import RTM_NEWROUTE, RTM_NEWRULE, NetlinkError
from twinbore.model.desired import Route, Rule

DEVICES = {"e1": 5, "vgw": 7}

prefixes = st.builds(
    lambda address, length: str(IPv4Network((address, length), strict=False)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
addresses = st.integers(1, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
tables = st.integers(1, 2**32 - 1)
metrics = st.integers(0, 2**32 - 1)
routes = st.one_of(
    st.builds(
        Route,
        st.just("vpc-1"),
        tables,
        prefixes,
        metrics,
        st.just("unicast"),
        st.one_of(st.just(""), addresses),
        st.sampled_from(sorted(DEVICES)),
    ),
    st.builds(Route, st.just("vpc-1"), tables, prefixes, metrics, st.sampled_from(("blackhole", "unreachable"))),
)
rules = st.builds(
    Rule,
    st.just("vpc-1"),
    st.integers(1000, 29999),
    tables,
    st.sampled_from(("", "e1", "vgw")),
    st.one_of(st.just(""), prefixes.filter(lambda prefix: not prefix.endswith("/0"))),
)


@given(routes)
def test_routes(route: Route) -> None:
    made = routing._route_message(RTM_NEWROUTE, route, DEVICES)
    made.encode()
    back = routing.parse_route(bytes(made.data), "vpc-1", {index: name for name, index in DEVICES.items()})
    assert back == route


@given(rules)
def test_rules(rule: Rule) -> None:
    made = routing._rule_message(RTM_NEWRULE, rule)
    made.encode()
    assert routing.parse_rule(bytes(made.data), "vpc-1") == rule


def test_a_route_of_another_protocol_is_not_ours() -> None:
    made = routing._route_message(RTM_NEWROUTE, Route("vpc-1", 100, "10.0.0.0/8"), {})
    made["proto"] = 12
    made.encode()
    assert routing.parse_route(bytes(made.data), "vpc-1", {}) is None


def test_a_rule_outside_our_priorities_is_not_ours() -> None:
    made = routing._rule_message(RTM_NEWRULE, Rule("vpc-1", 900, 100))
    made.encode()
    assert routing.parse_rule(bytes(made.data), "vpc-1") is None


def test_an_error_that_says_it_is_so_already_is_no_failure() -> None:
    errors = [None, NetlinkError(17, "File exists"), NetlinkError(101, "Nexthop has invalid gateway")]
    count, failed = routing._judge(["a", "b", "c"], errors, harmless=17)
    assert count == 1
    assert [(f.subject, f.message) for f in failed] == [("c", "the kernel refused it: Nexthop has invalid gateway")]
