"""A client that notes what of the model its calls have used, and tries each operation's edges at its first call.

What counts as used:
* an input member: it was sent in a call that succeeded (the service refuses what its operation has not read), and its
  effect was seen: the value came back in an answer, of this call or a later one, in a member of that name (ids and
  longer texts: anywhere); or a probe has shown that it matters (see `probes`); or the example says so with `effect`;
* an output member: an answer had it;
* a value of an enumeration: it was sent in a call that succeeded, or in a dry run that would have;
* a paginator or waiter of botocore's: it came to its end, and a paginator gave what the whole listing gives.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.conftest import Service
from tests.contract.walk import model
from tests.contract.walk.model import Path

NAMESPACE: Final = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
TELLING: Final = 4
"""A text with as many characters is known again wherever it stands."""


Probe = Callable[["Walker", str, dict[str, Any]], None]
"""What is tried of an operation before its first call, with that call's parameters."""


class Walker:
    """Calls to one service, and what they have shown; operation → paths of members."""

    def __init__(self, service: Service, probe: Probe) -> None:
        self._probe = probe
        self.service = service
        self.ec2 = service.client(config=Config(retries={"max_attempts": 0}, parameter_validation=False))
        self.called: set[str] = set()
        self.sent: defaultdict[str, set[Path]] = defaultdict(set)
        self.effects: defaultdict[str, set[Path]] = defaultdict(set)
        self.seen: set[tuple[str, str]] = set()
        self.answered: defaultdict[str, set[str]] = defaultdict(set)
        self.values: defaultdict[tuple[str, Path], set[str]] = defaultdict(set)
        self.filtered: defaultdict[str, set[str]] = defaultdict(set)
        self.dry_run: set[str] = set()
        self.paged: set[str] = set()
        self.waited: set[str] = set()
        self.problems: list[str] = []
        self._expected: list[tuple[str, Path, Any]] = []
        self.ec2.meta.events.register("after-call.ec2", self._look_at_octets)

    def __call__(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """The answer of a call, which must succeed."""
        if operation not in self.called:
            self.called.add(operation)
            self._probe(self, operation, parameters)
        answer = self.send(operation, **parameters)
        shapes = model.operation(operation)
        for member, value in model.given(shapes.input_shape, parameters) if shapes.input_shape else ():
            self.sent[operation].add(member.path)
            if model.enum(member.shape):
                self.values[operation, member.path].update(value if isinstance(value, list) else [value])
            if isinstance(value, list) and not any(isinstance(item, dict) for item in value):
                self._expected += [(operation, member.path, item) for item in value]
            elif not isinstance(value, (dict, list)):
                self._expected.append((operation, member.path, value))
        self._note(operation, answer)
        return answer

    def send(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """A call of which nothing is noted."""
        answer: dict[str, Any] = getattr(self.ec2, xform_name(operation))(**parameters)
        answer.pop("ResponseMetadata")
        return answer

    def refusal(self, operation: str, /, **parameters: Any) -> tuple[str, str] | None:
        """Code and message of a call that is refused; None if it is not."""
        try:
            self.send(operation, **parameters)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] < 500, (operation, parameters, error)
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return None

    def effect(self, operation: str, *paths: str) -> None:
        """The example has just shown that these members matter; only what was sent can have an effect."""
        for path in paths:
            steps = tuple(path.split("."))
            assert steps in self.sent[operation], f"{operation} was not sent {path}"
            self.effects[operation].add(steps)

    def settle(self) -> None:
        self.service.settle()

    def wait(self, waiter: str, /, **parameters: Any) -> None:
        """What botocore's waiter waits for, which must be so already."""
        self.ec2.get_waiter(xform_name(waiter)).wait(**parameters, WaiterConfig={"Delay": 1, "MaxAttempts": 1})
        self.waited.add(waiter)

    def pages(self, operation: str, /, size: int, **parameters: Any) -> list[dict[str, Any]]:
        """All pages that botocore's paginator gives, with `size` items at most."""
        paginator = self.ec2.get_paginator(xform_name(operation))
        pages = list(paginator.paginate(**parameters, PaginationConfig={"PageSize": size}))
        self.paged.add(operation)
        return pages

    def _look_at_octets(self, http_response: Any, model: Any, **_: Any) -> None:
        """The frame of an answer as it came: headers, namespace, and scalars before what has members."""
        if http_response.status_code == HTTPStatus.OK:
            self.problems += [f"{model.name}: {fault}" for fault in faults_of(http_response, model.name)]

    def _note(self, operation: str, answer: dict[str, Any]) -> None:
        shape = model.operation(operation).output_shape
        leaves: set[tuple[str, str]] = set()
        if shape is not None:
            for member, value in model.given(shape, answer):
                empty = isinstance(value, (list, dict)) and not value
                if not empty or model.inside(member.shape).type_name != "structure":
                    self.seen.add((member.owners[-1], member.name))
                self.answered[operation].add(member.path[0])
                leaves.update(_leaves(member.name, value))
        names = {(_plain(name), text) for name, text in leaves}
        texts = {text for _, text in leaves if len(text) >= TELLING}
        left = []
        for known in self._expected:
            about, path, value = known
            text = _text(value)
            anywhere = not isinstance(value, bool) and len(text) >= TELLING and text in texts
            if anywhere or (_plain(_named(path)), text) in names:
                self.effects[about].add(path)
            else:
                left.append(known)
        self._expected = left


def _named(path: Path) -> str:
    """The name that says what a value is: of a value in a structure for it alone, the structure's."""
    return path[-2] if path[-1] == "Value" and len(path) > 1 else path[-1]


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(name, item)
    elif isinstance(value, dict):
        if "Value" in value:
            yield name, _text(value["Value"])
    else:
        yield name, _text(value)


def _plain(name: str) -> str:
    return name.lower().removesuffix("s").removesuffix("set")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def faults_of(http: Any, operation: str) -> list[str]:
    """What is wrong with a successful answer to a client that takes it to the letter."""
    root = ET.fromstring(http.content)
    faults = []
    if root.tag != f"{NAMESPACE}{operation}Response":
        faults.append(f"the document is {root.tag}")
    if http.headers.get("Content-Type") != "text/xml;charset=UTF-8":
        faults.append(f"Content-Type is {http.headers.get('Content-Type')}")
    if root[0].tag != f"{NAMESPACE}requestId" or root[0].text != http.headers.get("x-amzn-RequestId"):
        faults.append("the document does not begin with the id of the header")
    for element in root.iter():
        kinds = [len(child) > 0 for child in element if len(child) or child.text]
        if kinds != sorted(kinds):
            faults.append(f"in {element.tag.removeprefix(NAMESPACE)} something with members is before a scalar")
    return faults
