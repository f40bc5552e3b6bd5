"""Pages of a listing: `MaxResults`, `NextToken`, and botocore's paginator where it has one."""

from __future__ import annotations

from typing import Any

from tests.contract.walk import model
from tests.contract.walk.walker import Walker

SMALLEST = 5


def check_pages(walker: Walker, operation: str, member: str, **parameters: Any) -> None:
    """The listing has more than five items: they come page by page, each once, in the order of the whole."""
    whole = walker(operation, **parameters)[member]
    assert len(whole) > SMALLEST, f"{operation} lists only {len(whole)}"
    first = walker(operation, MaxResults=SMALLEST, **parameters)
    assert first[member] == whole[:SMALLEST]
    rest = walker(operation, NextToken=first["NextToken"], **parameters)
    assert rest[member] == whole[SMALLEST:]
    walker.effect(operation, "MaxResults", "NextToken")
    if operation in model.paginated():
        pages = walker.pages(operation, SMALLEST, **parameters)
        assert len(pages) > 1
        assert [item for page in pages for item in page[member]] == whole


def check_one_page(walker: Walker, operation: str, member: str, **parameters: Any) -> None:
    """The listing has a page at most: the two members are looked at all the same."""
    whole = walker(operation, **parameters)[member]
    assert walker(operation, MaxResults=SMALLEST, **parameters) == {member: whole}
    if operation in model.paginated():
        (page,) = walker.pages(operation, SMALLEST, **parameters)
        assert page[member] == whole
    for name, value in (("MaxResults", 1), ("NextToken", "x")):
        refusal = walker.refusal(operation, **{name: value}, **parameters)
        assert refusal is not None, f"{operation}: {name} = {value} is taken"
        assert refusal[0] == f"Invalid{name}"
        walker.sent[operation].add((name,))
        walker.effects[operation].add((name,))
