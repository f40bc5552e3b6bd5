"""`twinbore doctor`: what this host can do, what is missing, and the command that mends it.

Every check is a small function that returns one line; none of them changes anything.

References: ip(7) and tun.txt of the kernel for the devices; bird(8), nft(8), charon for the programs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from twinbore.cli import config_file, tls
from twinbore.cli.assembly import ESP_DAEMON, ESP_SHIM, esp_choice
from twinbore.cli.paths import Paths
from twinbore.engines.net.sysctl import machine_problems
from twinbore.model.addressing import expand_pool
from twinbore.model.settings import Settings

CHARON: Final = Path("/usr/lib/ipsec/charon")
VICI: Final = Path("/usr/lib/ipsec/plugins/libstrongswan-vici.so")
PROGRAMS: Final = (
    ("bird", "bird2"),
    ("birdc", "bird2"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
)
"""(program, Debian package)."""

SEARCH: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `level` is ok, note (works, could be better) or missing; `mend` is a command or empty."""

    level: str
    text: str
    mend: str = ""


def run(paths: Paths, config: Path | None) -> int:
    """Print every finding. Returns 0, or 1 when something is missing."""
    settings = _settings(paths, config)
    marks = {"ok": "[green]ok     [/]", "note": "[yellow]note   [/]", "missing": "[red]missing[/]"}
    console = Console(highlight=False)
    failed = False
    for finding in findings(settings):
        failed |= finding.level == "missing"
        console.print(f"{marks[finding.level]} {finding.text}", soft_wrap=True)
        if finding.mend:
            console.print(f"        mend: [bold]{finding.mend}[/]", soft_wrap=True)
    return 1 if failed else 0


def findings(settings: Settings) -> Iterator[Finding]:
    """Every check, in the order in which a new installation meets them."""
    yield _privileges()
    yield from _programs()
    yield _tun()
    yield _esp(settings)
    yield from _esp_files()
    yield from _pools(settings)
    yield _underlay(settings)
    yield _listening(settings)
    yield from _machine()


def _settings(paths: Paths, config: Path | None) -> Settings:
    if config is None and paths.settings.exists():
        return config_file.saved(paths.settings)
    return config_file.read(config)


def _privileges() -> Finding:
    if os.geteuid() == 0:
        return Finding("ok", "runs as root")
    return Finding("missing", "root: namespaces, tunnels and routes need it", "sudo twinbore doctor")


def _programs() -> Iterator[Finding]:
    packages = {package for program, package in PROGRAMS if shutil.which(program, path=SEARCH) is None}
    if not CHARON.exists():
        packages |= {"strongswan-charon", "libstrongswan-standard-plugins"}
    if not VICI.exists():
        packages.add("strongswan-swanctl")
    if packages:
        names = " ".join(sorted(packages))
        yield Finding("missing", f"programs of {names}", f"apt-get install --no-install-recommends {names}")
    else:
        yield Finding("ok", "charon, bird, nft, ip, nsenter and unshare are installed")


def _tun() -> Finding:
    if Path("/dev/net/tun").exists():
        return Finding("ok", "/dev/net/tun is there")
    return Finding("missing", "/dev/net/tun", "modprobe tun; mkdir -p /dev/net; mknod /dev/net/tun c 10 200")


def _esp(settings: Settings) -> Finding:
    choice = esp_choice(settings)
    return Finding("ok", f"ESP engine: {choice.engine} ({choice.reason})")


def _esp_files() -> Iterator[Finding]:
    for path in (ESP_DAEMON, ESP_SHIM):
        if path.exists():
            yield Finding("ok", f"{path.name} is built")
        else:
            yield Finding("missing", f"{path.name}: the user ESP engine's program", "make setup")


def _pools(settings: Settings) -> Iterator[Finding]:
    for name in ("outside_pool_a", "outside_pool_b"):
        count = len(list(expand_pool(getattr(settings, name))))
        if count:
            yield Finding("ok", f"{name}: {count} outside address{'es' if count > 1 else ''}")
        else:
            yield Finding(
                "missing",
                f"{name} is empty: no VPN connection can be created",
                f'add to the configuration file: {name} = ["ADDRESS"]',
            )


def _underlay(settings: Settings) -> Finding:
    if settings.underlay is None:
        return Finding("ok", "underlay: this network namespace")
    if (Path("/run/netns") / settings.underlay).exists():
        return Finding("ok", f"underlay: network namespace {settings.underlay}")
    return Finding("missing", f"underlay: network namespace {settings.underlay!r}", f"ip netns add {settings.underlay}")


def _listening(settings: Settings) -> Finding:
    try:
        config_file.check_listening(settings)
        if settings.tls_cert is None or settings.tls_key is None:
            return Finding("ok", f"API: {settings.endpoint}, without TLS")
        _, validity = tls.load(Path(settings.tls_cert), Path(settings.tls_key))
    except (config_file.ConfigError, tls.TlsError) as error:
        return Finding("missing", f"API: {error.message}")
    if complaint := validity.complaint(datetime.now(UTC)):
        return Finding("note", f"API: {complaint}")
    names = ", ".join(validity.names)
    return Finding("ok", f"API: {settings.endpoint}, a certificate for {names} until {validity.not_after:%Y-%m-%d}")


def _machine() -> Iterator[Finding]:
    problems = machine_problems()
    if not problems:
        yield Finding("ok", "the kernel's neighbour tables are large enough")
        return
    setting, present = problems[-1]
    command = " ".join(f"{low.name}={low.least}" for low, _ in problems)
    yield Finding(
        "note",
        f"{setting.name} is {present}, enough for about {present // 2} tunnels: {setting.reason}",
        f"sysctl -w {command}",
    )
