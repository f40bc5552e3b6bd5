"""One way to call the API for scenarios that several clients play: boto3, and the AWS CLI (v1).

The CLI is run in this process, from its own entry point, since nearly all that a call of it costs is the start of an
interpreter and the reading of models (test_aws_cli.py has a few calls of the real command).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import pytest
import structlog
from awscli.clidriver import create_clidriver
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.contract.conftest import Service
from twinbore.lab.clients import cli_arguments

CLI_ERROR = re.compile(
    r"An error occurred \(([^)]+)\) when calling the \w+ operation(?: \(reached max retries: \d+\))?: (.*)", re.DOTALL
)


class Refused(Exception):
    """The service has answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Caller(Protocol):
    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer. Raises `Refused`."""

    def wait(self, waiter: str, **parameters: Any) -> None:
        """Until the waiter (e.g. vpn_connection_available) is content."""


class Boto3:
    def __init__(self, service: Service) -> None:
        self._client = service.client()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
        except ClientError as error:
            raise Refused(error.response["Error"]["Code"], error.response["Error"]["Message"]) from None
        del answer["ResponseMetadata"]
        return answer

    def wait(self, waiter: str, **parameters: Any) -> None:
        self._client.get_waiter(waiter).wait(**parameters, WaiterConfig={"Delay": 0, "MaxAttempts": 5})


class AwsCli:
    """`aws` with an installation's credentials file and nothing else of the machine's configuration."""

    def __init__(self, service: Service, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "HOME": str(directory),
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_DEFAULT_REGION": service.settings.region,
            "AWS_ENDPOINT_URL_EC2": service.url,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }.items():
            monkeypatch.setenv(name, value)
        self._driver = create_clidriver()

    def run(self, *words: str) -> str:
        """The output of `aws` with these arguments. Raises `Refused`."""
        output, complaint = io.StringIO(), io.StringIO()
        with quiet_service(), redirect_stdout(output), redirect_stderr(complaint):
            status = self._driver.main(list(words))
        if status != 0:
            error = CLI_ERROR.search(complaint.getvalue())
            assert error, complaint.getvalue()
            raise Refused(error[1], error[2].strip())
        return output.getvalue()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        output = self.run(*cli_arguments(operation, parameters), "--output", "json")
        answer: dict[str, Any] = json.loads(output) if output.strip() else {}
        return answer

    def wait(self, waiter: str, **parameters: Any) -> None:
        _, _, *arguments = cli_arguments("", parameters)
        self.run("ec2", "wait", waiter.replace("_", "-"), *arguments)


@contextmanager
def quiet_service() -> Iterator[None]:
    """The service, which runs in this process too, writes no log lines into what is caught of the standard output."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def refused(service: Service, code: str, *words: str) -> Iterator[None]:
    """The block's call is refused with this code, its message has these words, and no row changes."""
    before = service.dump()
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code == code, caught.value
    for word in words:
        assert word in caught.value.message, caught.value
    assert service.dump() == before
