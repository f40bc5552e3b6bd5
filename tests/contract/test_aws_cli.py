"""The AWS CLI as users have it: a shared-credentials file, `--endpoint-url`, text and JSON output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Service


class Cli:
    """`aws` with an installation's credentials file and nothing else of the machine's configuration."""

    def __init__(self, service: Service, directory: Path) -> None:
        credentials = directory / "credentials"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_DEFAULT_REGION": service.settings.region,
            "AWS_ENDPOINT_URL": service.url,
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        aws = Path(sys.executable).with_name("aws")
        return subprocess.run(
            [str(aws), *words], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def json(self, *words: str) -> Any:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture
def aws(service: Service, tmp_path: Path) -> Cli:
    return Cli(service, tmp_path)


def test_the_network_of_the_walkthrough(service: Service, aws: Cli) -> None:
    assert aws.json("sts", "get-caller-identity")["Arn"].endswith(":root")
    spec = "ResourceType=vpc,Tags=[{Key=Name,Value=cloud}]"
    made = aws.json("ec2", "create-vpc", "--cidr-block", "10.0.0.0/16", "--tag-specifications", spec)
    vpc_id = made["Vpc"]["VpcId"]
    subnet = aws.json("ec2", "create-subnet", "--vpc-id", vpc_id, "--cidr-block", "10.0.1.0/24")["Subnet"]["SubnetId"]
    table = aws.json("ec2", "create-route-table", "--vpc-id", vpc_id)["RouteTable"]["RouteTableId"]
    aws.json("ec2", "associate-route-table", "--route-table-id", table, "--subnet-id", subnet)
    igw = aws.json("ec2", "create-internet-gateway")["InternetGateway"]["InternetGatewayId"]
    assert aws.json("ec2", "attach-internet-gateway", "--internet-gateway-id", igw, "--vpc-id", vpc_id) is None
    route = ("--route-table-id", table, "--destination-cidr-block", "0.0.0.0/0")
    assert aws.json("ec2", "create-route", *route, "--gateway-id", igw) == {"Return": True}
    service.settle()
    aws.json("ec2", "wait", "vpc-available", "--filters", "Name=tag:Name,Values=cl*")
    aws.json("ec2", "wait", "subnet-available", "--subnet-ids", subnet)
    query = "RouteTables[].Routes[].[DestinationCidrBlock,GatewayId,State]"
    shown = aws.run("ec2", "describe-route-tables", "--route-table-ids", table, "--query", query, "--output", "text")
    assert shown.stdout.splitlines() == ["10.0.0.0/16\tlocal\tactive", f"0.0.0.0/0\t{igw}\tactive"]


def test_an_error_as_the_cli_shows_it(aws: Cli) -> None:
    done = aws.run("ec2", "delete-vpc", "--vpc-id", "vpc-0123456789abcdef0")
    assert done.returncode not in (0, None)
    assert "(InvalidVpcID.NotFound)" in done.stderr
    assert "The vpc ID 'vpc-0123456789abcdef0' does not exist" in done.stderr


def test_a_dry_run(aws: Cli) -> None:
    done = aws.run("ec2", "create-vpc", "--cidr-block", "10.0.0.0/16", "--dry-run")
    assert "(DryRunOperation)" in done.stderr
    assert aws.json("ec2", "describe-vpcs") == {"Vpcs": []}
