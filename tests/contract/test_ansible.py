"""Ansible's AWS modules, from stock playbooks: the second run changes nothing, and a second removal neither.

`scripts/ansible` fetches Ansible (`make test` calls it). Modules are told of the endpoint by AWS_URL, as a user would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Service, Stage
from tests.contract.settling import Settling

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / "build" / "ansible"
PLAYBOOKS = Path(__file__).with_name("ansible")

pytestmark = pytest.mark.skipif(
    not (ANSIBLE / ".stamp").exists() and not os.environ.get("CI"),
    reason="Ansible is not here: run scripts/ansible, which fetches it below build/",
)


class Ansible:
    """`ansible-playbook` with the service's endpoint and key, and nothing of the machine's own configuration."""

    def __init__(self, service: Service, directory: Path) -> None:
        self._directory = directory
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ANSIBLE / "site"),
            "ANSIBLE_COLLECTIONS_PATH": str(ANSIBLE),
            "ANSIBLE_HOME": str(directory / "ansible"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
            "AWS_REGION": service.settings.region,
            "AWS_URL": service.url,
        }

    def play(self, name: str, *more: str) -> Any:
        """The report of a playbook; `more` are further `-e` variables."""
        report = self._directory / "report.json"
        report.unlink(missing_ok=True)
        variables = [word for value in (f"report={report}", *more) for word in ("-e", value)]
        done = subprocess.run(
            [sys.executable, str(ANSIBLE / "site/bin/ansible-playbook"), str(PLAYBOOKS / name), *variables],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(report.read_text())


@pytest.fixture
def ansible(service: Service, stage: Stage, tmp_path: Path) -> Ansible:
    Settling(stage, service)
    return Ansible(service, tmp_path)


def changed(report: dict[str, Any]) -> set[str]:
    return {name for name, result in report.items() if result["changed"]}


def test_a_vpn_is_made_once_described_and_taken_away_once(ansible: Ansible, ec2: Any, tmp_path: Path) -> None:
    made = ansible.play("present.yml")
    assert changed(made) == made.keys()
    again = ansible.play("present.yml")
    assert changed(again) == set()
    for name in ("vpn", "old_vpn"):
        assert again[name]["vpn_connection_id"] == made[name]["vpn_connection_id"]
        assert again[name]["state"] == "available"

    check_against_the_api(made, ansible.play("info.yml"), ec2)

    results = tmp_path / "made.json"
    results.write_text(json.dumps(again))
    gone = ansible.play("absent.yml", f"@{results}")
    assert changed(gone) == gone.keys()
    assert changed(ansible.play("absent.yml", f"@{results}")) == set()
    assert ec2.describe_vpcs()["Vpcs"] == []
    states = [c["State"] for c in ec2.describe_vpn_connections()["VpnConnections"]]
    assert states == ["deleted", "deleted"]


def check_against_the_api(made: dict[str, Any], info: dict[str, Any], ec2: Any) -> None:
    (vpc,) = info["vpcs"]
    assert (vpc["vpc_id"], vpc["tags"]) == (made["vpc"]["vpc"]["id"], {"Name": "cloud", "stage": "test"})
    assert (vpc["enable_dns_support"], vpc["enable_dns_hostnames"]) == (True, True)
    (subnet,) = info["subnets"]
    assert (subnet["subnet_id"], subnet["availability_zone"]) == (made["subnet"]["subnet"]["id"], "us-east-1a")
    (igw,) = info["igws"]
    assert igw["attachments"] == [{"state": "available", "vpc_id": vpc["vpc_id"]}]
    (table,) = info["tables"]
    assert {r["destination_cidr_block"]: r["gateway_id"] for r in table["routes"]} == {
        "10.0.0.0/16": "local",
        "0.0.0.0/0": igw["internet_gateway_id"],
    }
    (gateway,) = info["gateways"]
    assert gateway["vpc_attachments"] == [{"state": "attached", "vpc_id": vpc["vpc_id"]}]
    assert table["propagating_vgws"] == [{"gateway_id": gateway["vpn_gateway_id"]}]
    assert {c["customer_gateway_name"]: c["ip_address"] for c in info["customers"]} == {
        "site": "192.0.2.2",
        "old-site": "192.0.2.3",
    }
    found = {c["vpn_connection_id"]: c for c in info["connections"]}
    assert found.keys() == {made["vpn"]["vpn_connection_id"], made["old_vpn"]["vpn_connection_id"]}
    bgp = found[made["vpn"]["vpn_connection_id"]]
    assert bgp["tags"] == {"Name": "site"}
    assert [tunnel["status"] for tunnel in bgp["vgw_telemetry"]] == ["DOWN", "DOWN"]
    static = found[made["old_vpn"]["vpn_connection_id"]]
    assert static["options"]["static_routes_only"] is True
    assert sorted(route["destination_cidr_block"] for route in static["routes"]) == [
        "192.168.20.0/24",
        "192.168.21.0/24",
    ]
    (told,) = ec2.describe_vpn_gateways(VpnGatewayIds=[gateway["vpn_gateway_id"]])["VpnGateways"]
    assert told["AmazonSideAsn"] == 64600


def test_a_security_group_is_made_once_and_taken_away_once(ansible: Ansible) -> None:
    made = ansible.play("groups.yml", "wanted=present")
    assert made["group"]["changed"]
    again = ansible.play("groups.yml", "wanted=present")
    assert not again["group"]["changed"]
    assert [g["group_name"] for g in again["groups"] if g["group_id"] == made["group"]["group_id"]] == ["sites"]
    assert {g["group_name"] for g in again["groups"]} == {"default", "sites"}
    assert ansible.play("groups.yml", "wanted=absent")["group"]["changed"]
    gone = ansible.play("groups.yml", "wanted=absent")
    assert not gone["group"]["changed"]
    assert {g["group_name"] for g in gone["groups"]} == {"default"}


def test_wrong_orders_fail_with_the_services_own_words(ansible: Ansible, ec2: Any) -> None:
    told = ansible.play("wrong.yml")
    assert all(result["failed"] for result in told.values())
    assert "(Gateway.NotAttached)" in told["propagation"]["msg"]
    assert "(InvalidSubnet.Range)" in told["outside"]["msg"]
    assert "(InvalidVpcID.NotFound)" in told["attachment"]["msg"]
    assert "(DependencyViolation)" in told["removal"]["msg"]
    # This module keeps the service's words to itself.
    assert told["connection_first"]["msg"] == "Failed to create VPN connection: Failed to create vpn connection"
    assert ec2.describe_vpn_connections()["VpnConnections"] == []
    assert len(ec2.describe_subnets()["Subnets"]) == 1
