"""Hostile and broken requests: a clear refusal, in bounded time and memory, and never a failure of the service.

The codec is tried on every operation of the model, also those that Twinbore does not have; the whole way over HTTP,
signed, on some.
"""

from __future__ import annotations

import time
import tracemalloc
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.contract import raw
from tests.contract.conftest import Service, Stage, empty_store, serving, stage  # noqa: F401 - fixtures
from tests.contract.walk import model
from twinbore.api import codec, form
from twinbore.api.app import MAX_BODY
from twinbore.api.errors import MAX_MESSAGE, ApiError
from twinbore.api.members import Members
from twinbore.api.operation import OPERATIONS
from twinbore.model.settings import Settings

ALL = sorted(codec.service("ec2").operation_names)
INDICES = ("0", "1", "2", "01", "-1", "99999999999999999", "9" * 19, "9" * 500, "1e3", "", "\u0661", "x")
TEXTS = (
    "",
    "true",
    "True",
    "-1",
    "9" * 25,
    "1e999",
    "nan",
    "vpc-1",
    "0001-01-01T00:00:00+23:59",
    "\x00",
    "\ud7ff",
    "\ufffe",
)

wild = st.text(max_size=20)
values = st.sampled_from(TEXTS) | wild | st.integers().map(str) | st.text(min_size=900, max_size=1000)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    """An operation and parameters that are rather like its own: real names, put together rightly and wrongly."""
    name = draw(st.sampled_from(ALL) | st.sampled_from(sorted(OPERATIONS)))
    shape = model.operation(name).input_shape
    known = [member.shape.serialization.get("queryName") or member.name for member in model.members(shape)] or ["A"]
    part = st.sampled_from(known) | st.sampled_from(INDICES) | st.sampled_from(["Value", "Name", "member"]) | wild
    path = st.lists(part, min_size=1, max_size=20).map(".".join)
    return name, draw(st.lists(st.tuples(path, values), max_size=30))


@settings(max_examples=200, deadline=1000, suppress_health_check=list(HealthCheck))
@given(requests())
def test_the_codec_takes_a_request_or_refuses_it(request: tuple[str, list[tuple[str, str]]]) -> None:
    name, parameters = request
    query = urlencode(parameters, errors="surrogatepass")
    try:
        assert isinstance(codec.parse(model.operation(name), form.parameters(query, b"")), Members)
    except ApiError as error:
        assert 400 <= error.status < 500
        assert len(error.message) <= MAX_MESSAGE + 10
        ET.fromstring(codec.error_answer(error, "id"))


@settings(max_examples=300, deadline=1000)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_octets_of_any_kind(query: bytes, body: bytes) -> None:
    try:
        found = form.parameters(query.decode("latin-1"), body)
        codec.parse(model.operation("CreateVpnConnection"), found)
    except ApiError as error:
        assert error.status in {400, 404}


@settings(max_examples=200, deadline=1000)
@given(st.sampled_from(sorted(OPERATIONS)), st.data())
def test_what_the_codec_takes_is_of_the_models_types(name: str, data: st.DataObject) -> None:
    shape = model.operation(name).input_shape
    leaves = [m for m in model.members(shape) if model.inside(m.shape).type_name not in {"structure"}]
    assume(leaves)
    member = data.draw(st.sampled_from(leaves))
    text = data.draw(values)
    path = []
    at = shape
    for step in member.path:
        below = at.members[step]
        path.append(codec._wire_name(step, below))
        if below.type_name == "list":
            path.append(data.draw(st.sampled_from(["0", "1", "7"])))
        at = model.inside(below)
    try:
        parsed = codec.parse(model.operation(name), [(".".join(path), text)])
    except ApiError as error:
        assert error.status == 400
        return
    (value,) = [v for m, v in model.given(shape, parsed) if m.path == member.path]
    value = value[0] if isinstance(value, list) else value
    expected = {"string": str, "integer": int, "long": int, "boolean": bool, "double": float, "float": float}
    assert type(value) is expected.get(model.inside(member.shape).type_name, type(value))


def names(count: int) -> Iterator[str]:
    return (f"Filter.{n}.Value.{n}" for n in range(count))


HEAVY: dict[str, Callable[[], bytes]] = {
    "deep lists": lambda: b"Filter" + b".1" * 400_000 + b"=x",
    "deep members": lambda: b"&".join(b"Options%d" % n + b".TunnelOptions.1" * 200 + b"=x" for n in range(300)),
    "as deep as may be, many times": lambda: b"&".join(b"%d" % n + b".a" * 15 + b"=" for n in range(9_000)),
    "deep lists of lists": lambda: b"VpcId" + b".1" * 15 + b"=x",
    "a huge index": lambda: b"VpcId.999999999999999999=x",
    "an index beyond all": lambda: b"VpcId." + b"9" * 900_000 + b"=x",
    "a huge place in a list of places": lambda: b"Options.TunnelOptions.999999999999999999.PreSharedKey=x",
    "a long name": lambda: b"N" * 1_000_000 + b"=x",
    "a long value": lambda: b"MaxResults=" + b"9" * 1_000_000,
    "a long number": lambda: b"MaxResults=-" + b"0" * 1_000_000 + b"1",
    "thousands of parameters": lambda: "&".join(f"{name}=x" for name in names(9_000)).encode(),
    "hundreds of thousands of parameters": lambda: b"&".join([b"a"] * 500_000),
    "nothing but separators": lambda: b"&" * 1_000_000,
    "nothing but signs": lambda: b"%" * 1_000_000,
    "the same parameter": lambda: b"&".join([b"VpcId.1=x"] * 9_000),
    "with and without members": lambda: b"VpcId=x&VpcId.1=x",
    "the action twice": lambda: b"Action=DescribeSubnets",
    "the version twice": lambda: b"Version=2016-11-15",
    "octets that are no UTF-8": lambda: b"Filter.1.Name=\xff\xfe",
    "the same, encoded": lambda: b"Filter.1.Name=%ff%fe",
    "half a surrogate": lambda: b"Filter.1.Name=%ed%a0%80",
    "an overlong form": lambda: b"Filter.1.Name=%c0%af",
    "a body of two requests": lambda: b"VpcId.1=x\r\n\r\nPOST / HTTP/1.1",
    "an XML bomb": lambda: quote('<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>').encode() + b"=x",
    "encoded octets": lambda: b"Filter.1.Name=" + b"%41" * 300_000,
    "wildcards": lambda: b"Filter.1.Name=vpc-id&Filter.1.Value.1=" + b"*a" * 200_000,
    "thousands of filters": lambda: b"&".join(b"Filter.%d.Name=vpc-id&Filter.%d.Value=x" % (n, n) for n in range(4000)),
    "thousands of values": lambda: (
        b"Filter.1.Name=vpc-id&" + b"&".join(b"Filter.1.Value.%d=*" % n for n in range(9000))
    ),
}


@pytest.fixture
def service(tmp_path: Path, stage: Stage, empty_store: bytes) -> Iterator[Service]:  # noqa: F811 - the fixtures
    with serving(tmp_path, Settings(), stage, empty_store) as service:
        yield service


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", HEAVY)
def test_a_heavy_request_is_refused_soon_and_cheaply(service: Service, what: str) -> None:
    text = HEAVY[what]().decode("latin-1")
    assert len(text) < MAX_BODY
    action = "CreateVpnConnection" if text.startswith("Options") else "DescribeVpcs"
    raw.signed(service, "DescribeVpcs")  # whatever is made once is made
    tracemalloc.start()
    begun = time.perf_counter()
    answer = raw.signed_octets(service, action, HEAVY[what]())
    took = time.perf_counter() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{what}: {answer.status}, {took * 1000:.0f} ms, {peak >> 20} MiB")
    assert 400 <= answer.status < 500, answer.text[:500]
    assert len(answer.body) < 10 * MAX_MESSAGE
    assert ET.fromstring(answer.body).findtext("Errors/Error/Code")
    assert peak < 80 << 20


@pytest.mark.parametrize("size", [MAX_BODY + 1, 10 << 20])
def test_a_body_that_is_too_long_is_answered_after_it_was_sent(service: Service, size: int) -> None:
    answer = raw.signed_octets(service, "DescribeVpcs", b"a" * size)
    assert (answer.status, "<Code>RequestEntityTooLarge</Code>" in answer.text) == (413, True)
    assert raw.signed(service, "DescribeVpcs").status == 200


@settings(max_examples=40, deadline=2000, suppress_health_check=list(HealthCheck))
@given(request=requests())
def test_over_the_wire_nothing_is_an_internal_error(service: Service, request: tuple[str, list[Any]]) -> None:
    name, parameters = request
    answer = raw.signed_octets(service, name, urlencode(parameters, errors="surrogatepass").encode())
    assert answer.status < 500, answer.text
    ET.fromstring(answer.body)
