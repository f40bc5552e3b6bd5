"""Accounts do not see each other: whatever the walk through the model does, a stranger tries first, with the same ids.

Each call of the walk that names a resource is made by the administrator of another account as well. To that account the
resource does not exist: the call is refused as one with an id that nobody has, or, where ids only filter, its answer
has none of them; and nothing has changed. An operation that comes to the walk is tried here without further ado.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.conftest import Service, Stage, serving
from tests.contract.keys import as_stranger
from tests.contract.test_model_walk import EXAMPLES
from tests.contract.walk.walker import Walker
from twinbore.api.operation import OPERATIONS
from twinbore.model.settings import Quotas, Settings

ID: Final = re.compile(r"[a-z]+(?:-[a-z]+)*-[0-9a-f]{17}")

WITHOUT_IDS: Final = frozenset({
    "CreateCustomerGateway",
    "CreateDefaultSubnet",
    "CreateDefaultVpc",
    "CreateDhcpOptions",
    "CreateInternetGateway",
    "CreateManagedPrefixList",
    "CreateVpc",
    "CreateVpnGateway",
    "DescribeAccountAttributes",
    "DescribeAvailabilityZones",
    "DescribePrefixLists",
    "DescribeRegions",
    "GetVpnConnectionDeviceTypes",
    "ModifyVpnTunnelCertificate",
})  # fmt: skip
"""Operations that name no resource of an account, and the one that is refused whatever it names."""


class Strangers(Walker):
    """A walk on which a stranger goes ahead. `tried` are the operations, `faults` what the stranger got or did."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, lambda *_: None)
        config = Config(retries={"max_attempts": 0}, parameter_validation=False)
        self._stranger = as_stranger(service).client(config=config)
        self.tried: defaultdict[str, set[str]] = defaultdict(set)
        self.faults: list[str] = []

    def __call__(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        named = set(_ids(parameters))
        if named:
            self._try(operation, parameters, named)
        return super().__call__(operation, **parameters)

    def _try(self, operation: str, parameters: dict[str, Any], named: set[str]) -> None:
        before = self._change()
        try:
            answer = getattr(self._stranger, xform_name(operation))(**parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
        else:
            code = "answered"
            answer.pop("ResponseMetadata")
            if found := named & set(_ids(answer)):
                self.faults.append(f"{operation} {parameters} tells a stranger of {found}")
        self.tried[operation].add(code)
        if self._change() != before:
            self.faults.append(f"{operation} {parameters} changes something for a stranger ({code})")

    def _change(self) -> int:
        with self.service.database.read() as tx:
            return tx.change()


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _ids(item)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item)
    elif isinstance(value, str):
        yield from ID.findall(value)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, stage: Stage, empty_store: bytes) -> Strangers:
    settings = Settings(outside_pool_a=("203.0.113.0/25",), outside_pool_b=("203.0.113.128/25",), quotas=Quotas())
    with serving(tmp_path_factory.mktemp("strangers"), settings, stage, empty_store) as service:
        walker = Strangers(service)
        for example in EXAMPLES:
            example.walk(walker)
    return walker


def test_every_operation_was_tried(walked: Strangers) -> None:
    assert set(walked.tried) == OPERATIONS.keys() - WITHOUT_IDS


def test_a_stranger_learns_and_changes_nothing(walked: Strangers) -> None:
    assert not walked.faults, "\n".join(walked.faults)


def test_what_belongs_to_another_account_does_not_exist(walked: Strangers) -> None:
    codes = {operation: sorted(codes) for operation, codes in walked.tried.items()}
    wrong = {
        operation: code
        for operation, found in codes.items()
        for code in found
        if not code.endswith("NotFound") and not (code == "answered" and operation.startswith(("Describe", "Get")))
    }
    assert not wrong, wrong
