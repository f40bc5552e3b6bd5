"""A short life of a VPN connection with AWS's SDKs of other languages: `python -m tests.clients [CLIENT...]`.

Each client is a program of its own in a directory here, with the SDK pinned by its language's lock file. It gets a
service process of its own (`twinbore up` with fake engines) and is told of it by nothing but the variables that every
AWS SDK reads. It creates a connection with every option, waits, describes and compares, changes one tunnel, provokes
errors, deletes all, and ends with a status other than 0 at the first thing that is not as on AWS. What all of them
send is in `life.json`.

A client whose language is not on this machine is left out, and that is said.
"""

from __future__ import annotations

import configparser
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "clients"
START_SECONDS = 30
REGION = "us-east-1"
POOLS = 'outside_pool_a = ["203.0.113.0/28"]\noutside_pool_b = ["198.51.100.0/28"]\n'


def run(command: list[str], directory: Path, environment: dict[str, str]) -> None:
    subprocess.run(command, cwd=directory, env=environment, check=True)


def go(environment: dict[str, str]) -> None:
    """Built from the module proxy, with the versions of go.mod and the hashes of go.sum."""
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "go"
    run(["go", "build", "-mod=readonly", "-o", str(program), "."], HERE / "go", environment)
    run([str(program), str(HERE / "life.json")], HERE, environment)


def javascript(environment: dict[str, str]) -> None:
    """Run from a copy, so that node_modules is not in the source tree."""
    directory, source = BUILD / "javascript", HERE / "javascript"
    directory.mkdir(parents=True, exist_ok=True)
    lock, installed = (source / "package-lock.json").read_bytes(), directory / "installed"
    for file in source.iterdir():
        shutil.copy(file, directory)
    if not installed.exists() or installed.read_bytes() != lock:
        installed.unlink(missing_ok=True)
        run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], directory, environment)
        installed.write_bytes(lock)
    run(["node", "main.mjs", str(HERE / "life.json")], directory, environment)


CLIENTS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, str]], None]]] = {
    "go": (("go",), go),
    "javascript": (("node", "npm"), javascript),
}


@contextmanager
def service() -> Iterator[dict[str, str]]:
    """A service process; yields what tells an SDK where it is."""
    with tempfile.TemporaryDirectory(prefix="twinbore-clients-") as name, socket.socket() as reserved:
        state = Path(name)
        (state / "twinbore.toml").write_text(POOLS)
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        reserved.close()
        command = [str(Path(sys.executable).with_name("twinbore")), "up", "--engines", "fake", "--listen", address]
        command += ["--config", str(state / "twinbore.toml"), "--state", name]
        with (state / "log").open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
            try:
                wait_for(f"http://{address}/health", process, state / "log")
                credentials = configparser.ConfigParser()
                credentials.read(state / "credentials")
                key = credentials["default"]
                yield {
                    "AWS_ENDPOINT_URL_EC2": f"http://{address}",
                    "AWS_REGION": REGION,
                    "AWS_ACCESS_KEY_ID": key["aws_access_key_id"],
                    "AWS_SECRET_ACCESS_KEY": key["aws_secret_access_key"],
                    "AWS_EC2_METADATA_DISABLED": "true",
                }
            finally:
                process.terminate()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"the service does not answer at {url}; its log:\n{log.read_text()}")


def main(names: list[str]) -> int:
    failed: list[str] = []
    for name in names or CLIENTS:
        tools, client = CLIENTS[name]
        missing = [tool for tool in tools if shutil.which(tool) is None]
        if missing:
            print(f"{name}: left out, there is no {' and no '.join(missing)} on this machine", flush=True)
            continue
        begun = time.monotonic()
        try:
            with service() as where:
                client(os.environ | where)
        except subprocess.CalledProcessError as error:
            print(f"{name}: FAILED, {error}", flush=True)
            failed.append(name)
        else:
            print(f"{name}: passed in {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
