"""Filters, pages, CIDR blocks and ids: the parts that every Describe and many others share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.api.errors import ApiError
from twinbore.api.ops.common import MAX_PAGE, MIN_PAGE, absent, check_id, cidr, filtered, paginate, refuse_others


@dataclass(frozen=True)
class Thing:
    """Something with a property to filter by."""

    value: object


FILTERS: dict[str, Any] = {"value": lambda thing: thing.value} | absent("nothing")


def passes(value: object, *patterns: str, name: str = "value") -> bool:
    thing = Thing(value)
    return filtered([thing], {"Filters": [{"Name": name, "Values": list(patterns)}]}, FILTERS) == [thing]


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("abc", "abc", True),
        ("abc", "ABC", False),
        ("abc", "ab", False),
        ("abc", "a*", True),
        ("abc", "*c", True),
        ("abc", "*", True),
        ("", "*", True),
        ("", "?", False),
        ("abc", "a?c", True),
        ("abc", "a??c", False),
        ("a*c", r"a\*c", True),
        ("abc", r"a\*c", False),
        ("a?c", r"a\?c", True),
        (r"a\c", r"a\\c", True),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("abc", "[a]bc", False),
        ("a\nb", "a*b", True),
        (True, "true", True),
        (False, "false", True),
        (True, "True", False),
        (64512, "64512", True),
        (64512, "645*", True),
        (None, "*", False),
        ([], "*", False),
        (["a", "b"], "b", True),
        (("a", None), "a", True),
        ({"a"}, "b", False),
    ],
)
def test_values_and_wildcards(value: object, pattern: str, expected: bool) -> None:
    assert passes(value, pattern) is expected


def test_values_are_joined_by_or() -> None:
    assert passes("b", "a", "b")
    assert not passes("c", "a", "b")


def test_a_filter_that_nothing_here_has_matches_nothing() -> None:
    assert not passes("a", "*", name="nothing")


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ({"Name": "colour", "Values": ["red"]}, "InvalidParameterValue", "The filter 'colour' is invalid"),
        ({"Values": ["red"]}, "MissingParameter", "Filter.Name"),
        ({"Name": "value"}, "MissingParameter", "value"),
        ({"Name": "value", "Values": []}, "MissingParameter", "value"),
    ],
)
def test_filters_that_cannot_be(entry: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        filtered([], {"Filters": [entry]}, FILTERS)
    assert (caught.value.code, words in caught.value.message) == (code, True)


@given(st.text(), st.text())
def test_text_matches_itself_when_its_wildcards_are_escaped(text: str, other: str) -> None:
    escaped = re.sub(r"([*?\\])", r"\\\1", text)
    assert passes(text, escaped)
    assert passes(other, escaped) is (text == other)


@given(st.integers(0, 40), st.integers(MIN_PAGE, MAX_PAGE))
def test_pages_have_everything_once_and_in_order(count: int, size: int) -> None:
    items = [{"n": n} for n in range(count)]
    seen: list[dict[str, int]] = []
    request: dict[str, Any] = {"MaxResults": size}
    while True:
        answer = paginate(request, items, "Items")
        assert len(answer["Items"]) <= size
        seen += answer["Items"]
        if "NextToken" not in answer:
            break
        request = {"MaxResults": size, "NextToken": answer["NextToken"]}
    assert seen == items


def test_without_a_size_there_is_one_page() -> None:
    items = [{"n": n} for n in range(2000)]
    assert paginate({}, items, "Items") == {"Items": items}


@pytest.mark.parametrize("size", [-1, 0, 4, 1001])
def test_sizes_of_pages_that_cannot_be(size: int) -> None:
    with pytest.raises(ApiError, match="InvalidMaxResults"):
        paginate({"MaxResults": size}, [], "Items")


@given(st.text())
def test_tokens_of_others_are_refused(token: str) -> None:
    with pytest.raises(ApiError, match="InvalidNextToken"):
        paginate({"NextToken": token}, [], "Items")


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.255/32", "10.0.0.0/9"])
def test_blocks(text: str) -> None:
    assert str(cidr("CidrBlock", text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ", " 10.0.0.0/8"),
        *("10.0.0/8", "10.0.0.256/32", "010.0.0.0/8", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "::/0", "x"),
        *("١٠.0.0.0/8", "10.0.0.0/8\n", "10.0.0.0/8/8", "1" * 5000),
    ],
)
def test_what_is_no_block(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        cidr("CidrBlock", text)
    assert caught.value.code == "InvalidParameterValue"
    assert caught.value.message.startswith(f"Value ({text}) for parameter CidrBlock is invalid.")
    assert "not a valid CIDR block" in caught.value.message


def test_host_bits_are_refused_with_the_block_that_is_meant() -> None:
    with pytest.raises(ApiError, match=r"host bits set; use 10\.0\.0\.0/8"):
        cidr("CidrBlock", "10.1.2.3/8")


@given(st.text(max_size=24))
def test_any_text_is_a_block_or_refused(text: str) -> None:
    try:
        network = cidr("CidrBlock", text)
    except ApiError as error:
        assert error.code == "InvalidParameterValue"
    else:
        assert str(network) == text


@pytest.mark.parametrize("value", ["vpc-0123456789abcdef0", "vpc-01234567"])
def test_ids(value: str) -> None:
    check_id("vpc", value)


@pytest.mark.parametrize("value", ["", "vpc-", "vpc-0123456789abcdef", "vpc-0123456789abcdef01", "vpc-0123456G", "x"])
def test_ids_of_a_wrong_form(value: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_id("vpc", value)
    assert caught.value.code == "InvalidVpcID.Malformed"
    assert caught.value.message == f'Invalid id: "{value}" (expecting "vpc-...")'


def test_parameters_that_would_be_ignored_are_refused() -> None:
    refuse_others({"A": "x", "B": False, "C": [], "D": 0, "E": ""}, "A")
    with pytest.raises(ApiError, match="UnsupportedOperation: The parameter B is not supported"):
        refuse_others({"A": "x", "B": True}, "A")


@pytest.mark.timeout(60)
def test_wildcards_take_no_time_that_grows_with_their_number() -> None:
    """A backtracking matcher would not be ready within years."""
    assert not passes("a" * 5000, "*a" * 60 + "*b")
    assert passes("a" * 5000 + "b", "*a" * 60 + "*b")


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ([{"Name": "value", "Values": ["x"]}] * 51, "FilterLimitExceeded"),
        ([{"Name": "value", "Values": ["x"] * 201}], "FilterLimitExceeded"),
        ([{"Name": "value", "Values": ["*" * 256]}], "InvalidParameterValue"),
    ],
)
def test_more_than_the_limits(filters: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(ApiError) as caught:
        filtered([], {"Filters": filters}, FILTERS)
    assert caught.value.code == code


def test_a_long_value_without_wildcards_is_compared() -> None:
    assert passes("x" * 9000, "x" * 9000)
