"""Two ways to call the EC2 API: boto3, and the AWS CLI as a subprocess. The scenario is the same with both.

A call has the API's names and gives the API's answer as a dictionary. The CLI's command lines are composed as a user
would type them, so that the demonstration can show them.

References: boto3 documentation, "EC2 client"; AWS CLI user guide, "Specifying parameter values".
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shlex import join
from typing import Any, Final, Protocol

import boto3
import msgspec
from botocore import xform_name
from botocore.config import Config

from twinbore.lab.namespaces import run
from twinbore.lab.service import REGION, Service

OnCall = Callable[[str], None]
"""Told of every call before it is made: the operation's name, or the command line."""


class Ec2(Protocol):
    """A client of the EC2 API. `overhead` is the time in seconds that a call costs on the client's side."""

    overhead: float

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Makes a call, e.g. `call("CreateVpc", CidrBlock="10.0.0.0/16")`. Raises the client's own errors."""


class Boto3Client:
    """Calls through boto3, without retries: an error is an error."""

    overhead: float = 0.0

    def __init__(self, service: Service, on_call: OnCall) -> None:
        key = service.credentials()
        self._on_call = on_call
        self._client = boto3.client(
            "ec2",
            endpoint_url=service.endpoint,
            region_name=REGION,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        self._on_call(operation)
        answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
        return answer


class CliClient:
    """Calls through the `aws` command that is installed beside this interpreter."""

    _PROGRAM: Final = Path(sys.executable).with_name("aws")

    def __init__(self, service: Service, on_call: OnCall) -> None:
        self._on_call = on_call
        self._endpoint = service.endpoint
        self._environment = [
            f"{name}={value}"
            for name, value in {
                "AWS_SHARED_CREDENTIALS_FILE": service.credentials_file,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_MAX_ATTEMPTS": "1",
                "AWS_PAGER": "",
            }.items()
        ]
        begin = time.monotonic()
        self.call("DescribeVpcs")
        self.overhead = time.monotonic() - begin

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        arguments = cli_arguments(operation, parameters)
        self._on_call(join(["aws", *arguments]))
        command: list[str | Path] = [self._PROGRAM, "--endpoint-url", self._endpoint, "--output", "json", *arguments]
        output = run(["env", *self._environment, *command])
        return msgspec.json.decode(output, type=dict[str, Any]) if output.strip() else {}


def cli_arguments(operation: str, parameters: dict[str, Any]) -> list[str]:
    """The arguments of `aws` for a call: structures and lists of structures as JSON, the rest as words."""
    arguments = ["ec2", xform_name(operation, "-")]
    for name, value in parameters.items():
        option = "--" + xform_name(name, "-")
        if isinstance(value, bool):
            arguments.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            arguments += [option, *value]
        elif isinstance(value, list | dict):
            arguments += [option, msgspec.json.encode(value).decode()]
        else:
            arguments += [option, str(value)]
    return arguments


CLIENTS: Final[dict[str, type[Boto3Client] | type[CliClient]]] = {"boto3": Boto3Client, "cli": CliClient}
