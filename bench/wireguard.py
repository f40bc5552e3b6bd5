"""wireguard-go, the quickest user-space tunnel of others, at one end of a bed. Another protocol, so no peer of ours: a
measure of what a user-space tunnel in a garbage-collected language reaches with the same offloads of the kernel.

It is built from source with Go's module client, in build/, at the version below; where there is no Go it is left out.
It is configured through its own socket (the cross-platform user-space API), so wireguard-tools are not needed. That
socket has a fixed place below /run, so each instance has a /run of its own in a mount namespace.

Reference: www.wireguard.com/xplatform.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bench.bed import GATEWAYS, NETWORKS, other
from bench.machine import ROOT
from bench.measure import NotReached, say, seconds_until
from twinbore.lab.namespaces import inside
from twinbore.lab.topology import Lab

MODULE: Final = "golang.zx2c4.com/wireguard"
VERSION: Final = "v0.0.0-20260522210424-ecfc5a8d5446"
DEVICE: Final = "wg0"
PORT: Final = 51820
MTU: Final = 1420
_BUILD: Final = ROOT / "build" / "bench" / f"wireguard-{VERSION}"
_LAUNCH: Final = 'mount --bind "$1/run" /run; exec "$2" --foreground "$3"'


@functools.cache
def program() -> Path | None:
    """The program, built on first use; None, said once, where it cannot be had."""
    built = _BUILD / "bin" / "wireguard"
    if built.exists():
        return built
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        say("wireguard-go is left out: there is no Go toolchain on this machine")
        return None
    say(f"building wireguard-go {VERSION} ...")
    places = {"GOPATH": str(_BUILD / "path"), "GOBIN": str(built.parent), "GOCACHE": str(_BUILD / "cache")}
    # Without -modcacherw, Go makes directories that `make clean` may not remove.
    environment = os.environ | places | {"GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
    command = [go, "install", f"{MODULE}@{VERSION}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"wireguard-go is left out: {' '.join(command)}: {done.stderr.strip()}")
        return None
    return built


class Keys:
    """The key pairs of a tunnel's ends, and its shared key."""

    def __init__(self) -> None:
        self._private = {gateway: X25519PrivateKey.generate() for gateway in GATEWAYS}

    def private(self, gateway: str) -> str:
        """In hexadecimal, as the API wants it."""
        return self._private[gateway].private_bytes_raw().hex()

    def public(self, gateway: str) -> str:
        return self._private[gateway].public_key().public_bytes_raw().hex()


@contextmanager
def end(lab: Lab, gateway: str, keys: Keys, home: Path) -> Iterator[int]:
    """One end of the tunnel, while the context lasts; gives the process id of wireguard-go."""
    built = program()
    if built is None:
        raise NotReached("wireguard-go is not there")
    (home / "run").mkdir(parents=True)
    command: list[str | Path] = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-ec",
        _LAUNCH,
        "sh",
        home,
        built,
        DEVICE,
    ]
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            inside(lab.name(gateway), command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        api = home / "run" / "wireguard" / f"{DEVICE}.sock"
        seconds_until(api.exists, 10, f"{lab.prefix}: wireguard-go's socket")
        _configure(api, gateway, keys)
        network = NETWORKS[other(gateway)]
        lab.ip(gateway, f"link set {DEVICE} mtu {MTU} up", f"route add {network} dev {DEVICE}")
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _configure(api: Path, gateway: str, keys: Keys) -> None:
    peer = other(gateway)
    settings = {
        "private_key": keys.private(gateway),
        "listen_port": PORT,
        "public_key": keys.public(peer),
        "endpoint": f"{GATEWAYS[peer]}:{PORT}",
        "allowed_ip": "0.0.0.0/0",
    }
    request = "set=1\n" + "".join(f"{name}={value}\n" for name, value in settings.items()) + "\n"
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("r") as answers:
        connection.settimeout(10)
        connection.connect(str(api))
        connection.sendall(request.encode())
        answer = answers.readline().strip()
    if answer != "errno=0":
        raise NotReached(f"wireguard-go refuses its configuration: {answer}")
