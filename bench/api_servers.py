"""The servers whose APIs are measured: `twinbore up` with fake engines, and moto's.

Twinbore runs as a user runs it: one process with API and agent, its database on the disk that the temporary directory
is on, every commit synced. moto's server (version `MOTO`) runs from a virtual environment of its own below
`build/bench`, made when it is missing; where the package index is out of reach there is no moto, and that is said.
moto keeps everything in memory and verifies no signature.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from botocore.credentials import Credentials

from bench.api_client import Server
from bench.machine import ROOT
from bench.measure import say, seconds_until
from twinbore.lab.service import REGION, twinbore

OURS: Final = "twinbore"
MOTO_NAME: Final = "moto"
MOTO: Final = "moto[ec2,server]==5.2.5"
_MOTO_PLACE: Final = ROOT / "build" / "bench" / "moto-5.2.5"
_CONFIG: Final = f"""\
region = "{REGION}"
engines = "fake"
outside_pool_a = ["203.0.113.0/24"]
outside_pool_b = ["198.51.100.0/24"]
[quotas]
customer_gateways = 20000
vpn_gateways = 20
vpn_connections = 20000
vpn_connections_per_vpn_gateway = 20000
"""


@contextmanager
def twinbore_server(work: Path | None = None) -> Iterator[Server]:
    """Twinbore on a new installation, or on the one whose state is in `work`."""
    key = Credentials("AKIA" + secrets.token_hex(8).upper(), secrets.token_hex(20))
    environment = {"TWINBORE_ACCESS_KEY_ID": key.access_key, "TWINBORE_SECRET_ACCESS_KEY": key.secret_key}
    with tempfile.TemporaryDirectory(prefix="twinbore-bench-") as temporary:
        place = work or Path(temporary)
        config = place / "twinbore.toml"
        config.write_text(_CONFIG)
        address = f"127.0.0.1:{_free_port()}"
        command = twinbore("up", "--state", place / "state", "--config", config, "--listen", address)
        with _running(OURS, command, address, key, place / "log", environment) as server:
            yield server


@contextmanager
def moto_server(program: Path) -> Iterator[Server]:
    """moto's server with nothing in it."""
    key = Credentials("AKIA" + secrets.token_hex(8).upper(), secrets.token_hex(20))
    address = f"127.0.0.1:{_free_port()}"
    host, _, port = address.rpartition(":")
    with tempfile.TemporaryDirectory(prefix="twinbore-bench-") as work:
        command = [str(program), "-H", host, "-p", port]
        with _running(MOTO_NAME, command, address, key, Path(work) / "log", {}) as server:
            yield server


def moto_program() -> Path | None:
    """moto's server, installed if it is not yet; None where that cannot be done."""
    program = _MOTO_PLACE / "bin" / "moto_server"
    if program.exists():
        return program
    say(f"installing {MOTO} into {_MOTO_PLACE} ...")
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(_MOTO_PLACE)],
        [str(_MOTO_PLACE / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", MOTO],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            say(f"moto is left out, it cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
            return None
    return program


@contextmanager
def _running(  # noqa: PLR0917 - what a process is made of
    name: str, command: list[str], address: str, key: Credentials, log_file: Path, environment: dict[str, str]
) -> Iterator[Server]:
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment)
    try:
        seconds_until(lambda: _answers(address), 60, f"{name} answers")
        yield Server(name, address, key, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
