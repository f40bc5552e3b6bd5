"""The user ESP engine and the IPsec engine together, with real packets: two ends, each with twinbore-esp and charon.

The gateway's tunnels lie in a routing domain's namespace, the customer's in another; a ping between them passes ESP
over the wire.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.test_engine_ipsec import customer_tunnel, gateway_tunnel, initiate, read_pid
from tests.namespace.wire import Wire, ip, until, wired
from twinbore.cli.assembly import ESP_DAEMON, ESP_SHIM
from twinbore.engines.base import EngineError
from twinbore.engines.esp.user import UserEspEngine
from twinbore.engines.ipsec.engine import IpsecEngine
from twinbore.engines.ipsec.vici import ViciSession
from twinbore.model.desired import EspPlan, IkeTunnel, IpsecPlan, TunnelInterface
from twinbore.model.observed import EspStatus

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def inside(end: int, number: int) -> str:
    """The inside address of tunnel `number`: end 1 is the gateway's, 2 the customer's."""
    return f"169.254.10.{4 * number + end}"


class End:
    """One end: engines, the plan that they were given last, and the namespace behind the tunnels."""

    def __init__(self, run_dir: Path, underlay: str, domain: str, end: int) -> None:
        self.run_dir, self.domain = run_dir, domain
        self.tunnels: tuple[IkeTunnel, ...] = ()
        self.events = 0
        self._underlay, self._end = underlay, end
        self._make()

    def _make(self) -> None:
        def count() -> None:
            self.events += 1

        xfrm = self.run_dir / "i" / "run" / "xfrm.sock"
        self.esp = UserEspEngine(
            run_dir=self.run_dir / "e",
            underlay=self._underlay,
            on_event=count,
            xfrm_socket=xfrm,
            daemon=ESP_DAEMON,
            workers=1,
        )
        self.ipsec = IpsecEngine(
            run_dir=self.run_dir / "i", underlay=self._underlay, on_event=count, esp_socket=xfrm, shim=ESP_SHIM
        )

    async def start(self) -> None:
        await self.esp.start()
        await self.ipsec.start()

    async def restart_agent(self) -> None:
        await self.ipsec.close()
        await self.esp.close()
        self._make()
        await self.start()

    async def teardown(self) -> None:
        await self.ipsec.teardown()
        await self.esp.teardown()

    def interfaces(self, **changes: Any) -> EspPlan:
        made = []
        for tunnel in self.tunnels:
            address = f"{inside(self._end, tunnel.if_id - 1000)}/30"
            made.append(TunnelInterface(tunnel.if_id, self.domain, f"t{tunnel.if_id}", 1400, address, True))
        return EspPlan(tuple(replace(interface, **changes) for interface in made))

    async def apply(self, *tunnels: IkeTunnel) -> bool:
        """Give both engines their plans, in the agent's order; whether anything changed."""
        self.tunnels = tunnels
        esp, ipsec = self.interfaces(), IpsecPlan(tunnels)
        changes = await self.esp.apply(esp) + await self.ipsec.apply(ipsec)
        changes += await self.ipsec.prune(ipsec) + await self.esp.prune(esp)
        assert not changes.failed
        return bool(changes)

    async def again(self) -> bool:
        return await self.apply(*self.tunnels)

    async def up(self) -> bool:
        esp, ike = await self.esp.observe(), await self.ipsec.observe()
        return all(e.carrying for e in esp) and all(i.child_installed for i in ike) and len(esp) == len(self.tunnels)

    async def status(self, number: int = 1) -> EspStatus:
        return (await self.esp.observe())[number - 1]

    async def spis(self, number: int = 1) -> set[str]:
        """The inbound SPIs of a tunnel's child SAs, as charon has them."""
        session = ViciSession(self.run_dir / "i" / "run" / "charon.vici")
        events = await session.stream("list-sas", "list-sa")
        session.close()
        return {
            child["spi-in"]
            for event in events
            for name, section in event.items()
            for child in section["child-sas"].values()
            if name.removesuffix(".v1") == gateway_tunnel(number).name and child["state"] == "INSTALLED"
        }

    @property
    def charon(self) -> int:
        return read_pid(self.run_dir / "i" / "charon.pid")

    @property
    def daemon(self) -> int:
        return read_pid(self.run_dir / "e" / "twinbore-esp.pid")

    def ping(self, number: int = 1, count: int = 3, interval: float = 0.05) -> int:
        """How many answers came through a tunnel."""
        other = inside(3 - self._end, number)
        return received(self._ping(other, count, interval).communicate()[0])

    @contextmanager
    def pinging(self, number: int = 1, interval: float = 0.02) -> Iterator[list[int]]:
        """Ping through a tunnel all the while; afterwards the list has (sent, received)."""
        process = self._ping(inside(3 - self._end, number), 1_000_000, interval)
        result: list[int] = []
        try:
            yield result
        finally:
            process.send_signal(signal.SIGINT)
            output = process.communicate()[0]
            match = re.search(r"(\d+) packets transmitted", output)
            result += [int(match[1]) if match else 0, received(output)]

    def _ping(self, address: str, count: int, interval: float) -> subprocess.Popen[str]:
        arguments = ["ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-W", "1", address]
        return subprocess.Popen(["ip", "netns", "exec", self.domain, *arguments], stdout=subprocess.PIPE, text=True)


def received(output: str) -> int:
    match = re.search(r"(\d+) received", output)
    return int(match[1]) if match else 0


def play(tmp_path: Path, scenario: Callable[[End, End, Wire], Awaitable[None]]) -> None:
    for built in (ESP_DAEMON, ESP_SHIM):
        assert built.exists(), f"{built} is missing: run `make setup`"

    async def run(wire: Wire, domains: tuple[str, str]) -> None:
        gateway = End(tmp_path / "g", wire.gateway, domains[0], 1)
        customer = End(tmp_path / "c", wire.customer, domains[1], 2)
        try:
            await gateway.start()
            await customer.start()
            await scenario(gateway, customer, wire)
        finally:
            await gateway.teardown()
            await customer.teardown()

    with wired() as wire:
        domains = (f"{wire.gateway}-vgw", f"{wire.customer}-lan")
        try:
            for domain in domains:
                ip("netns", "add", domain)
            asyncio.run(asyncio.wait_for(run(wire, domains), 150))
        finally:
            for domain in domains:
                subprocess.run(["ip", "netns", "del", domain], check=False, capture_output=True)


async def connect(gateway: End, customer: End, *, tunnels: int = 1, **changes: Any) -> None:
    await gateway.apply(*(gateway_tunnel(n, **changes) for n in range(1, tunnels + 1)))
    await customer.apply(*(customer_tunnel(n, **changes) for n in range(1, tunnels + 1)))
    await until(gateway.up, "the gateway's tunnels")
    await until(customer.up, "the customer's tunnels")


@pytest.mark.parametrize("encapsulate", [False, True], ids=["plain ESP", "UDP"])
def test_two_tunnels_carry_packets_and_nothing_is_left(tmp_path: Path, encapsulate: bool) -> None:
    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await connect(gateway, customer, tunnels=2, encapsulate=encapsulate)
        assert not await gateway.again()
        for number in (1, 2):
            assert gateway.ping(number) == 3
            assert customer.ping(number) == 3
        status = await gateway.status()
        assert (status.present, status.up, status.carrying) == (True, True, True)
        assert status.rx_packets >= 6
        assert status.tx_bytes >= 6 * 84
        await gateway.apply(gateway_tunnel(2))
        assert [s.if_id for s in await gateway.esp.observe()] == [1002]
        assert gateway.ping(2) == 3
        assert gateway.ping(1) == 0

    play(tmp_path, scenario)


def test_agent_restart_touches_nothing(tmp_path: Path) -> None:
    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await connect(gateway, customer)
        before = (gateway.charon, gateway.daemon, await gateway.spis())
        # AppArmor binds the distribution's profile, which would forbid all this, to the path that a program is run by.
        assert os.readlink(f"/proc/{gateway.charon}/exe") == "/run/charon"  # noqa: PTH115
        with gateway.pinging() as pings:
            await gateway.restart_agent()
            assert not await gateway.apply(gateway_tunnel())
            await asyncio.sleep(0.3)
        assert (gateway.charon, gateway.daemon, await gateway.spis()) == before
        sent, answered = pings
        assert sent > 10
        assert sent - answered <= 1

    play(tmp_path, scenario)


def test_traffic_flows_while_charon_is_dead_and_the_new_one_takes_over(tmp_path: Path) -> None:
    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await connect(gateway, customer)
        charon, spis = gateway.charon, await gateway.spis()
        with gateway.pinging() as pings:
            await asyncio.sleep(0.2)
            os.kill(charon, signal.SIGKILL)

            async def taken_over() -> bool:
                if gateway.charon == charon or not (await gateway.ipsec.observe())[0].ike_established:
                    return False
                return bool(await gateway.spis() - spis)

            await asyncio.sleep(0.1)
            assert (await gateway.status()).carrying
            await until(taken_over, "new SAs by another charon")
            await asyncio.sleep(0.5)
        sent, answered = pings
        assert sent > 40
        assert sent - answered <= 5

    play(tmp_path, scenario)


def test_a_daemon_that_dies_comes_back_with_charon_and_the_tunnels(tmp_path: Path) -> None:
    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await connect(gateway, customer, tunnels=2)
        charon, daemon = gateway.charon, gateway.daemon
        os.kill(daemon, signal.SIGKILL)

        async def back() -> bool:
            return gateway.daemon != daemon and gateway.charon != charon and await gateway.up()

        await until(back, "everything anew", 30)
        assert gateway.ping(1) == gateway.ping(2) == 3
        assert not await gateway.again()

    play(tmp_path, scenario)


def test_everything_at_one_end_dies_and_a_new_agent_brings_it_back_without_the_customer(tmp_path: Path) -> None:
    """As after a crash of the machine's service: the customer's dead peer detection would take 40 seconds and more."""

    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await connect(gateway, customer)
        await gateway.ipsec.close()
        await gateway.esp.close()
        for pid in (gateway.charon, gateway.daemon):
            os.kill(pid, signal.SIGKILL)
        await gateway.restart_agent()
        await gateway.apply(gateway_tunnel())
        await until(gateway.up, "the tunnel")
        assert gateway.ping() == 3

    play(tmp_path, scenario)


def test_changed_algorithms_are_negotiated_before_the_old_sa_goes_and_the_other_tunnel_does_not_notice(
    tmp_path: Path,
) -> None:
    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await connect(gateway, customer, tunnels=2)
        other = await gateway.spis(2)
        assert (await gateway.ipsec.observe())[0].phase2_encryption == "AES256-GCM-16"
        with gateway.pinging() as pings, gateway.pinging(2) as other_pings:
            changed = gateway_tunnel(options={"phase2_encryption_algorithms": ("AES128",)})
            assert await gateway.apply(changed, gateway_tunnel(2))

            async def in_force() -> bool:
                return (await gateway.ipsec.observe())[0].phase2_encryption == "AES128"

            await until(in_force, "AES128 in phase 2")

            async def alone() -> bool:
                return len(await gateway.spis()) == 1

            await until(alone, "the end of the old SA")
            await asyncio.sleep(0.3)
        assert await gateway.spis(2) == other
        for sent, answered in (pings, other_pings):
            assert sent > 10
            assert sent - answered <= 2
        assert not await gateway.again()

    play(tmp_path, scenario)


def test_changed_options_that_the_customer_does_not_have_take_only_that_tunnel_down(tmp_path: Path) -> None:
    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await gateway.apply(gateway_tunnel(), gateway_tunnel(2))
        await customer.apply(customer_tunnel(options={"phase2_encryption_algorithms": ("AES256",)}), customer_tunnel(2))
        await until(gateway.up, "both tunnels")
        other = await gateway.spis(2)
        await gateway.apply(gateway_tunnel(options={"phase2_encryption_algorithms": ("AES128",)}), gateway_tunnel(2))

        async def down() -> bool:
            return not (await gateway.status()).carrying

        await until(down, "the end of SAs that are no longer allowed")
        assert await gateway.spis(2) == other
        assert gateway.ping(2) == 3
        assert (await gateway.ipsec.observe())[0].last_error

    play(tmp_path, scenario)


def test_ikev1_is_rekeyed_from_our_side_with_what_the_customer_knows(tmp_path: Path) -> None:
    """charon proposes only the first algorithm of each kind in IKEv1; the customer knows none of the first ones."""
    narrow = {
        "ike_versions": ("ikev1",),
        "phase1_encryption_algorithms": ("AES128",),
        "phase1_integrity_algorithms": ("SHA1",),
        "phase1_dh_group_numbers": (14,),
        "phase2_encryption_algorithms": ("AES128",),
        "phase2_integrity_algorithms": ("SHA1",),
        "phase2_dh_group_numbers": (14,),
    }

    async def scenario(gateway: End, customer: End, _: Wire) -> None:
        await gateway.apply(gateway_tunnel())
        await customer.apply(customer_tunnel(options=narrow))
        connection = f"{gateway_tunnel().name}.v1"
        await until_initiated(customer, gateway, connection)
        (status,) = await gateway.ipsec.observe()
        assert (status.ike_version, status.phase1_encryption, status.phase2_integrity) == ("ikev1", "AES128", "SHA1")
        first = await gateway.spis()
        for kind in ("child", "ike"):
            await command(gateway, "rekey", {kind: connection})
            await asyncio.sleep(0.5)
            assert gateway.ping() == 3
        assert await gateway.spis() - first
        assert (await gateway.ipsec.observe())[0].child_installed

    play(tmp_path, scenario)


async def until_initiated(customer: End, gateway: End, connection: str) -> None:
    class Charon:
        run_dir = customer.run_dir / "i"

    await initiate(Charon, connection)  # type: ignore[arg-type]
    await until(gateway.up, "the IKEv1 tunnel")


async def command(end: End, name: str, message: dict[str, str]) -> None:
    session = ViciSession(end.run_dir / "i" / "run" / "charon.vici")
    await session.request(name, message)
    session.close()


def test_interfaces_follow_the_plan(tmp_path: Path) -> None:
    async def scenario(gateway: End, _customer: End, _: Wire) -> None:
        gateway.tunnels = (gateway_tunnel(),)
        plan = gateway.interfaces()
        assert (await gateway.esp.apply(plan)).done[0] == f"made tunnel interface t1001 in {gateway.domain}"
        assert not await gateway.esp.apply(plan)
        assert (await gateway.status()).up
        down = gateway.interfaces(up=False, mtu=1300, address="169.254.77.1/30")
        changes = await gateway.esp.apply(down)
        assert not changes.failed
        assert "brought t1001 down" in changes.done
        assert "gave t1001 the address 169.254.77.1/30" in changes.done
        assert not await gateway.esp.apply(down)
        status = await gateway.status()
        assert (status.present, status.up, status.carrying) == (True, False, False)

        ip("-n", gateway.domain, "link", "del", "t1001")
        assert not (await gateway.status()).present
        assert (await gateway.esp.apply(down)).done
        assert (await gateway.status()).present

        lost = gateway.interfaces(netns="no-such-namespace")
        failed = (await gateway.esp.apply(lost)).failed
        assert [failure.subject for failure in failed] == ["t1001"]
        assert await gateway.esp.apply(plan)
        assert not await gateway.esp.apply(plan)
        assert (await gateway.esp.prune(EspPlan())).done == (f"removed tunnel interface t1001 from {gateway.domain}",)
        assert not await gateway.esp.prune(EspPlan())

    play(tmp_path, scenario)


def test_without_its_daemon_the_engine_says_what_to_do(tmp_path: Path) -> None:
    esp = UserEspEngine(
        run_dir=tmp_path / "e",
        underlay=None,
        on_event=lambda: None,
        xfrm_socket=tmp_path / "xfrm.sock",
        daemon=tmp_path / "none",
    )
    with pytest.raises(EngineError, match="is missing: build it with `make setup`"):
        asyncio.run(esp.start())
