"""A request's parameters out of its query and its form, within limits that no honest client meets.

Whatever arrives is read before anybody knows who has sent it, so that time and memory are bounded here: the number of
parameters, and how many members a name may lead through (each is a node of the codec's tree). What is not UTF-8 is
refused instead of being repaired: a repaired name or value would be another one than was signed and meant. The same
goes for an action or version that is given twice.

References: EC2 API reference, "Query requests"; WHATWG URL standard, "application/x-www-form-urlencoded"; RFC 3629.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from twinbore.api.errors import ApiError

MAX_PARAMETERS: Final = 10_000
"""The longest requests of EC2 have some thousand (a thousand resources to tag, a thousand rules of a group)."""

MAX_ENCODED: Final = 200_000
"""Percent-encoded octets; decoding needs some hundred octets of memory for each."""

MAX_DEPTH: Final = 16
"""Names joined by dots, list indices among them; the deepest name of the model has ten."""

FRAME: Final = ("Action", "Version")
SIGNING: Final = "X-Amz-"
"""How the parameters of a signature in the query begin."""


def parameters(query: str, form: bytes) -> list[tuple[str, str]]:
    """The parameters, in the order in which they came, but those that belong to the signature.

    `query` has a character for each octet. Raises `ApiError` MalformedQueryString.
    """
    try:
        texts = (query.encode("latin-1").decode(), form.decode())
        pairs = [pair for text in texts if text for pair in _pairs(text)]
    except UnicodeDecodeError as error:
        raise malformed(f"The request is not UTF-8 ({error.reason}): send text in UTF-8, and percent-encoded") from None
    pairs = [pair for pair in pairs if not pair[0].startswith(SIGNING)]
    names = [name for name, _ in pairs]
    for name in FRAME:
        if names.count(name) > 1:
            raise malformed(f"The parameter {name} is given twice")
    for name in names:
        if name.count(".") >= MAX_DEPTH:
            raise ApiError("UnknownParameter", f"The parameter {name} is not recognized")
    return pairs


def malformed(message: str) -> ApiError:
    return ApiError("MalformedQueryString", message, 404)


def _pairs(text: str) -> list[tuple[str, str]]:
    if text.count("%") > MAX_ENCODED:
        raise malformed(f"The request has more than {MAX_ENCODED} percent-encoded octets: use several requests")
    if text.count("&") >= MAX_PARAMETERS:
        raise malformed(f"The request has more than {MAX_PARAMETERS} parameters: use several requests")
    return parse_qsl(text, keep_blank_values=True, errors="strict")
