"""Twinbore itself in the lab: `twinbore up` as a subprocess on the gateway host, and its other verbs.

The service is started, killed and started again as an operator or a fault would; nothing of it is imported here.
"""

from __future__ import annotations

import configparser
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from twinbore.lab.namespaces import CommandFailed, run
from twinbore.lab.topology import POOL_A, POOL_B

REGION: Final = "us-east-1"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0


def twinbore(*arguments: str | Path) -> list[str]:
    """The command line of the `twinbore` command in this interpreter, whatever lies in the working directory."""
    return [
        sys.executable,
        "-P",
        "-c",
        "from twinbore.cli.main import main; main()",
        *(str(part) for part in arguments),
    ]


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key of the service."""

    access_key_id: str
    secret_access_key: str


class Service:
    """One installation: state directory, listening address, underlay namespace, and its process while it runs."""

    def __init__(self, work: Path, state: Path, underlay: str) -> None:
        self.state = state
        self.log = work / "twinbore.log"
        self.endpoint = f"http://127.0.0.1:{_free_port()}"
        self._underlay = underlay
        self._config = work / "twinbore.toml"
        self._config.write_text(
            f'region = "{REGION}"\noutside_pool_a = {_toml_list(POOL_A)}\noutside_pool_b = {_toml_list(POOL_B)}\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def credentials_file(self) -> Path:
        return self.state / "credentials"

    @property
    def up_command(self) -> list[str]:
        """What `start` runs."""
        listen = self.endpoint.removeprefix("http://")
        options = ("--state", self.state, "--config", self._config, "--listen", listen, "--underlay", self._underlay)
        return twinbore("up", *options)

    @property
    def down_command(self) -> list[str]:
        return twinbore("down", "--state", self.state)

    def start(self) -> None:
        """Starts the service and waits until it answers. Raises `CommandFailed` with the end of its log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.up_command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS
        while not (self.credentials_file.exists() and self._answers()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed(f"twinbore up does not answer:\n{self.log_tail()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kills API, planner and agent at once, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the process in an orderly way; the data plane runs on. Nothing if it does not run."""
        self._end(signal.SIGTERM)

    def down(self) -> None:
        """Ends the process and stops the data plane."""
        self.stop()
        run(self.down_command)

    def plug(self, eni: str, namespace: str) -> None:
        """Plugs a network interface into the workload in `namespace`."""
        run(twinbore("plug", eni, "--netns", namespace, "--state", self.state))

    def unplug(self, eni: str) -> None:
        """Unplugs a network interface."""
        run(twinbore("unplug", eni, "--state", self.state))

    def status(self) -> str:
        """What `twinbore status` says."""
        return run(twinbore("status", "--state", self.state))

    def credentials(self) -> Credentials:
        """The access key that the service made at its first start."""
        parser = configparser.ConfigParser()
        parser.read_string(self.credentials_file.read_text())
        section = parser["default"]
        return Credentials(section["aws_access_key_id"], section["aws_secret_access_key"])

    def log_tail(self, lines: int = 20) -> str:
        """The end of the service's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _answers(self) -> bool:
        host, _, port = self.endpoint.removeprefix("http://").rpartition(":")
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, int(port))) == 0

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self._process.pid, sign)
        self._process.wait(_STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _toml_list(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
