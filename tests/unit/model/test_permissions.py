"""Policies: which documents are taken, and what they say of an action on a resource."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.model.permissions import (
    ADMINISTRATOR,
    MAX_POLICY,
    READ_ONLY,
    Policy,
    PolicyError,
    Statement,
    Verdict,
    parse_policy,
)

VPN = "arn:aws:ec2:us-east-1:123456789012:vpn-connection/vpn-0123456789abcdef0"


def policy(*statements: dict[str, Any], **elements: Any) -> Policy:
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | elements))


def allow(action: Any, resource: Any = "*", **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | elements


def deny(action: Any, resource: Any = "*") -> dict[str, Any]:
    return allow(action, resource) | {"Effect": "Deny"}


def test_a_policy_as_aws_writes_it() -> None:
    found = policy(
        allow("ec2:Describe*", Sid="Looking1"),
        allow(["ec2:ModifyVpnTunnelOptions", "ec2:ReplaceVpnTunnel"], [VPN]),
        Id="keeper-of-one",
    )
    assert found.verdict("ec2:DescribeVpcs", "*") is Verdict.ALLOWED
    assert found.verdict("ec2:ReplaceVpnTunnel", VPN) is Verdict.ALLOWED
    assert found.verdict("ec2:ReplaceVpnTunnel", VPN[:-1] + "1") is Verdict.NOT_ALLOWED
    assert found.verdict("ec2:DeleteVpnConnection", VPN) is Verdict.NOT_ALLOWED


def test_one_statement_needs_no_list() -> None:
    text = json.dumps({"Statement": allow("*")})
    assert parse_policy(text) == ADMINISTRATOR


def test_actions_are_compared_without_regard_to_case_and_resources_with() -> None:
    found = policy(allow("EC2:describe*", "arn:aws:ec2:*:*:vpc/vpc-ABC"))
    assert found.verdict("ec2:DescribeVpcs", "arn:aws:ec2:us-east-1:1:vpc/vpc-ABC") is Verdict.ALLOWED
    assert found.verdict("ec2:DescribeVpcs", "arn:aws:ec2:us-east-1:1:vpc/vpc-abc") is Verdict.NOT_ALLOWED


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("ec2:DescribeVpcs", "*", True),
        ("ec2:GetVpnConnectionDeviceTypes", "*", True),
        ("ec2:GetActiveVpnTunnelStatus", VPN, True),
        ("ec2:CreateVpc", "arn:aws:ec2:us-east-1:123456789012:vpc/*", False),
        ("ec2:ModifyVpnTunnelOptions", VPN, False),
        ("ec2:CreateTags", VPN, False),
    ],
)
def test_a_reader_reads(action: str, resource: str, allowed: bool) -> None:
    assert READ_ONLY.verdict(action, resource) is (Verdict.ALLOWED if allowed else Verdict.NOT_ALLOWED)
    assert ADMINISTRATOR.verdict(action, resource) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 5000, "not JSON"),
        ("[]", "JSON object"),
        ('"text"', "JSON object"),
        ("{}", "Statement"),
        ('{"Statement": []}', "Statement"),
        ('{"Statement": "x"}', "Statement"),
        ('{"Statement": ["x"]}', "statement 1: must be a JSON object"),
        ('{"Version": "2020-01-01", "Statement": []}', "2012-10-17"),
        ('{"Version": ["2012-10-17"], "Statement": []}', "2012-10-17"),
        ('{"Statement": [], "Principal": "*"}', "'Principal'"),
        ('{"Statement": [{"Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*"}]}', "'Effect'.* twice"),
    ],
)
def test_what_is_no_policy(text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        parse_policy(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Effect": "allow"}, "'allow'.*Allow, Deny"),
        ({"Effect": None}, "Allow, Deny"),
        ({"Effect": ["Allow"]}, "Allow, Deny"),
        ({"Action": []}, "Action: a text or a list"),
        ({"Action": None}, "Action: a text or a list"),
        ({"Action": {"a": 1}}, "Action: a text or a list"),
        ({"Action": "DescribeVpcs"}, "'DescribeVpcs'.*ec2:Describe"),
        ({"Action": "*:*"}, r"'\*:\*'"),
        ({"Action": ["ec2:*", 5]}, "5"),
        ({"Action": "ec2:Describe Vpcs"}, "'ec2:Describe Vpcs'"),
        ({"Resource": None}, "Resource: a text or a list"),
        ({"Resource": "vpn-0123456789abcdef0"}, "'vpn-0123456789abcdef0'.*an ARN"),
        ({"Resource": "arn:aws:ec2:vpn-connection/*"}, "an ARN"),
        ({"Resource": "arn:aws:ec2:*:*:vpc/${aws:PrincipalTag/vpc}"}, "policy variables"),
        ({"Condition": {"StringEquals": {"ec2:Region": "us-east-1"}}}, "'Condition' is not supported"),
        ({"NotAction": "ec2:*"}, "'NotAction' is not supported"),
        ({"NotResource": "*"}, "'NotResource' is not supported"),
        ({"Principal": "*"}, "'Principal' is not supported"),
    ],
)
def test_what_is_no_statement(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PolicyError, match=f"statement 2: .*{words}"):
        policy(allow("*"), allow("ec2:*") | changes)


def test_the_length_of_a_policy_is_counted_without_white_space() -> None:
    def text(length: int) -> str:
        bare = '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
        return bare.replace('"Effect"', f'"Sid":"{"x" * (length - len(bare) - 9)}","Effect"')

    assert len(text(MAX_POLICY)) == MAX_POLICY
    parse_policy(text(MAX_POLICY) + " \n" * 1000)
    with pytest.raises(PolicyError, match=f"{MAX_POLICY} characters"):
        parse_policy(text(MAX_POLICY + 1))


def test_many_wildcards_take_no_time() -> None:
    """With a matcher that tries every way it would be a matter of years."""
    found = policy(allow("*", "arn:aws:ec2:::" + "*a" * 60 + "b"))
    assert found.verdict("ec2:CreateVpc", "arn:aws:ec2:::" + "a" * 400) is Verdict.NOT_ALLOWED


letters = st.text(alphabet="abAB:/-.[", max_size=8)
patterns = st.text(alphabet="abAB*?:/-.[", max_size=8)


def naive(pattern: str, text: str) -> bool:
    """Character by character, as the rule is told."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(patterns, letters)
def test_wildcards_are_as_a_naive_matcher_has_them(pattern: str, text: str) -> None:
    assert Statement(True, ("*",), (pattern,)).is_about("x:y", text) == naive(pattern, text)
    assert Statement(True, (pattern,), ("*",)).is_about(text, "x") == naive(pattern.lower(), text.lower())


statements = st.builds(Statement, st.booleans(), st.tuples(patterns), st.tuples(patterns))
policies = st.builds(Policy, st.lists(statements, max_size=5).map(tuple))


@given(policies, letters, letters)
def test_what_no_statement_allows_is_not_allowed(some: Policy, action: str, resource: str) -> None:
    about = [s for s in some.statements if s.is_about(action, resource)]
    verdict = some.verdict(action, resource)
    if not any(s.allow for s in about):
        assert verdict is not Verdict.ALLOWED
    if not about:
        assert verdict is Verdict.NOT_ALLOWED


@given(policies, letters, letters, st.integers(min_value=0))
def test_a_denial_wins_wherever_it_stands(some: Policy, action: str, resource: str, place: int) -> None:
    denial = Statement(False, (action or "*",), (resource or "*",))
    at = place % (len(some.statements) + 1)
    longer = Policy((*some.statements[:at], denial, *some.statements[at:]))
    assert longer.verdict(action, resource) is Verdict.DENIED


@given(policies, letters, letters)
def test_the_order_of_statements_says_nothing(some: Policy, action: str, resource: str) -> None:
    assert Policy(some.statements[::-1]).verdict(action, resource) is some.verdict(action, resource)
