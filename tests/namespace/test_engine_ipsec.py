"""The IPsec engine on real charons: a gateway and a customer, each with its own, on a wire between two namespaces.

No ESP here: the IKE SAs come up, the child SAs cannot be installed on a kernel without ESP. What needs packets is in
test_engine_esp.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.wire import CUSTOMER_ADDRESS, GATEWAY_ADDRESSES, Wire, until, wired
from twinbore.engines.base import EngineError
from twinbore.engines.ipsec import charon_config
from twinbore.engines.ipsec.engine import IpsecEngine
from twinbore.engines.ipsec.vici import ViciSession
from twinbore.engines.process import Identity
from twinbore.model.desired import IkeTunnel, IpsecPlan
from twinbore.model.observed import IkeStatus
from twinbore.model.options import TunnelOptions

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

KEY = "first.secret.key"


def gateway_tunnel(number: int = 1, options: dict[str, Any] | None = None, **changes: Any) -> IkeTunnel:
    made = IkeTunnel(
        name=f"vpn-0123456789abcdef0-{number}",
        if_id=1000 + number,
        local_address=GATEWAY_ADDRESSES[number - 1],
        local_identity=GATEWAY_ADDRESSES[number - 1],
        remote_address=CUSTOMER_ADDRESS,
        remote_identity=CUSTOMER_ADDRESS,
        pre_shared_key=KEY,
        options=replace(TunnelOptions(), **(options or {})),
        local_ts=("0.0.0.0/0",),
        remote_ts=("0.0.0.0/0",),
        encapsulate=False,
        initiate=False,
    )
    return replace(made, **changes)


def customer_tunnel(number: int = 1, options: dict[str, Any] | None = None, **changes: Any) -> IkeTunnel:
    """The other end of `gateway_tunnel`, which starts."""
    theirs = gateway_tunnel(number, options)
    made = replace(
        theirs,
        local_address=CUSTOMER_ADDRESS,
        local_identity=CUSTOMER_ADDRESS,
        remote_address=theirs.local_address,
        remote_identity=theirs.local_address,
        initiate=True,
    )
    return replace(made, **changes)


class Site:
    """One end's engine, which can be replaced as a restarted agent would replace it."""

    def __init__(self, run_dir: Path, netns: str) -> None:
        self.run_dir = run_dir
        self.events = 0
        self._netns = netns
        self.engine = self._engine()

    def _engine(self) -> IpsecEngine:
        def count() -> None:
            self.events += 1

        return IpsecEngine(run_dir=self.run_dir, underlay=self._netns, on_event=count)

    async def restart_agent(self) -> None:
        await self.engine.close()
        self.engine = self._engine()
        await self.engine.start()

    async def status(self, number: int = 1) -> IkeStatus:
        return (await self.engine.observe())[number - 1]

    async def established(self) -> bool:
        return all(status.ike_established for status in await self.engine.observe())

    async def ike_ids(self) -> set[str]:
        """The unique ids of charon's IKE SAs."""
        session = ViciSession(self.run_dir / "run" / "charon.vici")
        events = await session.stream("list-sas", "list-sa")
        session.close()
        return {section["uniqueid"] for event in events for section in event.values()}

    @property
    def pid(self) -> int:
        return read_pid(self.run_dir / "charon.pid")


def read_pid(path: Path) -> int:
    identity = Identity.parse(path.read_text())
    assert identity is not None
    return identity.pid


def play(tmp_path: Path, scenario: Callable[[Site, Site, Wire], Awaitable[None]]) -> None:
    async def run(wire: Wire) -> None:
        gateway, customer = Site(tmp_path / "g", wire.gateway), Site(tmp_path / "c", wire.customer)
        try:
            await gateway.engine.start()
            await customer.engine.start()
            await scenario(gateway, customer, wire)
        finally:
            await gateway.engine.teardown()
            await customer.engine.teardown()

    with wired() as wire:
        asyncio.run(asyncio.wait_for(run(wire), 100))


def test_load_establish_adopt_remove(tmp_path: Path) -> None:
    plan = IpsecPlan((gateway_tunnel(), gateway_tunnel(2)))

    async def scenario(gateway: Site, customer: Site, _: Wire) -> None:
        loaded = await gateway.engine.apply(plan)
        assert not loaded.failed
        assert [sentence.rsplit(" ", 1)[-1] for sentence in loaded.done] == [
            name for t in plan.tunnels for name in (t.name, t.name, f"{t.name}.v1")
        ]
        assert not await gateway.engine.apply(plan)
        assert not await gateway.engine.prune(plan)

        theirs = IpsecPlan((customer_tunnel(), customer_tunnel(2)))
        started = await customer.engine.apply(theirs)
        assert [s for s in started.done if s.startswith("started")] == [
            f"started IKE of {t.name}" for t in plan.tunnels
        ]
        await until(gateway.established, "both IKE SAs")
        assert not [s for s in (await customer.engine.apply(theirs)).done if not s.startswith("started")]
        status = await gateway.status()
        assert (status.ike_version, status.phase1_encryption, status.phase1_integrity) == (
            "ikev2",
            "AES256-GCM-16",
            None,
        )
        assert (status.phase1_dh_group, status.remote_address) == (20, f"{CUSTOMER_ADDRESS}:500")
        assert gateway.events > 0

        before, pid = await gateway.ike_ids(), gateway.pid
        await gateway.restart_agent()
        assert not await gateway.engine.apply(plan)
        assert not await gateway.engine.prune(plan)
        assert (gateway.pid, await gateway.ike_ids()) == (pid, before)

        fewer = IpsecPlan((gateway_tunnel(2),))
        assert not await gateway.engine.apply(fewer)
        removed = await gateway.engine.prune(fewer)
        name = gateway_tunnel().name
        assert removed.done == (
            f"removed IKE connection {name}",
            f"removed IKE connection {name}.v1",
            f"removed the pre-shared key psk-{name}",
        )
        assert len(await gateway.ike_ids()) == 1
        assert await gateway.ike_ids() < before

    play(tmp_path, scenario)


def test_a_peer_known_by_its_identity_alone_may_call_from_anywhere(tmp_path: Path) -> None:
    """And one of another identity may not, whatever key it has (`twinbore:ike-identity`)."""
    plan = IpsecPlan((gateway_tunnel(remote_address=None, remote_identity="edge.example.net"),))

    async def scenario(gateway: Site, customer: Site, _: Wire) -> None:
        await gateway.engine.apply(plan)
        await customer.engine.apply(IpsecPlan((customer_tunnel(local_identity="other.example.net"),)))

        async def refused() -> bool:
            return "other.example.net; its identity must be edge.example.net" in (await gateway.status()).last_error

        await until(refused, "the reason of the refusal")
        await customer.engine.prune(IpsecPlan())
        await customer.engine.apply(IpsecPlan((customer_tunnel(local_identity="edge.example.net"),)))
        await until(gateway.established, "the IKE SA")
        assert (await gateway.status()).remote_address == f"{CUSTOMER_ADDRESS}:500"

    play(tmp_path, scenario)


def test_a_peer_is_called_where_its_name_leads_to_now(tmp_path: Path) -> None:
    """The name of a customer gateway was resolved anew (`twinbore:dns-name`): any identity is good with the key."""
    nobody = CUSTOMER_ADDRESS.rpartition(".")[0] + ".99"
    before = gateway_tunnel(remote_address=nobody, remote_identity=None, initiate=True)

    async def scenario(gateway: Site, customer: Site, _: Wire) -> None:
        theirs = customer_tunnel(local_identity="whatever.example.net", initiate=False)
        await customer.engine.apply(IpsecPlan((theirs,)))
        await gateway.engine.apply(IpsecPlan((before,)))
        await gateway.engine.apply(IpsecPlan((replace(before, remote_address=CUSTOMER_ADDRESS),)))

        async def called() -> bool:
            await gateway.engine.apply(IpsecPlan((replace(before, remote_address=CUSTOMER_ADDRESS),)))
            return (await gateway.status()).ike_established

        await until(called, "the IKE SA at the new address")

    play(tmp_path, scenario)


def rules(netns: str) -> list[str]:
    """Priorities of a namespace's policy routing rules; charon must not add one."""
    output = subprocess.run(["ip", "-n", netns, "rule"], check=True, capture_output=True, text=True).stdout
    return [line.partition(":")[0] for line in output.splitlines()]


def test_charon_that_dies_comes_back_with_everything_loaded(tmp_path: Path) -> None:
    plan = IpsecPlan((gateway_tunnel(),))

    async def scenario(gateway: Site, customer: Site, wire: Wire) -> None:
        await gateway.engine.apply(plan)
        assert await asyncio.to_thread(rules, wire.gateway) == ["0", "32766", "32767"]
        first = gateway.pid
        os.kill(first, signal.SIGKILL)

        async def back() -> bool:
            return gateway.pid != first and not await gateway.engine.apply(plan)

        await until(back, "another charon with everything loaded")
        await customer.engine.apply(IpsecPlan((customer_tunnel(),)))
        await until(gateway.established, "an IKE SA with the new charon")

    play(tmp_path, scenario)


def test_a_changed_key_ends_only_its_own_tunnel(tmp_path: Path) -> None:
    async def scenario(gateway: Site, customer: Site, _: Wire) -> None:
        await gateway.engine.apply(IpsecPlan((gateway_tunnel(), gateway_tunnel(2))))
        await customer.engine.apply(IpsecPlan((customer_tunnel(), customer_tunnel(2))))
        await until(gateway.established, "both IKE SAs")
        before = await gateway.ike_ids()
        changed = IpsecPlan((gateway_tunnel(pre_shared_key="second.secret.key"), gateway_tunnel(2)))
        changes = await gateway.engine.apply(changed)
        assert {sentence.split()[-1].removesuffix(".v1") for sentence in changes.done} == {gateway_tunnel().name}

        async def ended() -> bool:
            return not (await gateway.status()).ike_established

        await until(ended, "the end of the first tunnel's IKE SA")
        assert (await gateway.status(2)).ike_established
        assert len(await gateway.ike_ids() & before) == 1
        assert not await gateway.engine.apply(changed)

    play(tmp_path, scenario)


def test_changed_timers_keep_the_ike_sa_and_a_restarted_agent_does_not_repeat_the_change(tmp_path: Path) -> None:
    async def scenario(gateway: Site, customer: Site, _: Wire) -> None:
        await gateway.engine.apply(IpsecPlan((gateway_tunnel(),)))
        await customer.engine.apply(IpsecPlan((customer_tunnel(),)))
        await until(gateway.established, "the IKE SA")
        before = await gateway.ike_ids()
        changed = IpsecPlan((gateway_tunnel(options={"phase1_lifetime_seconds": 3700, "dpd_timeout_seconds": 60}),))
        assert await gateway.engine.apply(changed)
        await gateway.restart_agent()
        assert not await gateway.engine.apply(changed)
        assert await gateway.ike_ids() == before

    play(tmp_path, scenario)


def test_ikev1(tmp_path: Path) -> None:
    """The customer speaks IKEv1 only, which never starts by itself here: its charon is told to by hand."""

    async def scenario(gateway: Site, customer: Site, _: Wire) -> None:
        await gateway.engine.apply(IpsecPlan((gateway_tunnel(),)))
        await customer.engine.apply(IpsecPlan((customer_tunnel(options={"ike_versions": ("ikev1",)}),)))
        await initiate(customer, f"{gateway_tunnel().name}.v1")
        await until(gateway.established, "the IKEv1 SA")
        status = await gateway.status()
        assert (status.ike_version, status.phase1_encryption, status.phase1_integrity) == (
            "ikev1",
            "AES256",
            "SHA2-512",
        )

    play(tmp_path, scenario)


async def initiate(site: Site, connection: str) -> None:
    session = ViciSession(site.run_dir / "run" / "charon.vici")
    await session.request("initiate", {"ike": connection, "child": connection, "timeout": "-1"})
    session.close()


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ({}, {"pre_shared_key": "another.secret.key"}, "the pre-shared keys differ"),
        (
            {"options": {"phase1_encryption_algorithms": ("AES256",)}},
            {"options": {"phase1_encryption_algorithms": ("AES128",)}},
            "phase 1: no proposal in common; the customer gateway offers IKE:AES_CBC_128/",
        ),
        ({}, {"local_identity": "192.168.7.7"}, "the customer gateway calls itself 192.168.7.7"),
        (
            {"options": {"ike_versions": ("ikev1",)}},
            {},
            "the customer gateway uses an IKE version that is not allowed; allowed: ikev1",
        ),
        (
            {"options": {"phase2_encryption_algorithms": ("AES256",)}},
            {"options": {"phase2_encryption_algorithms": ("AES128",)}},
            "phase 2: no proposal in common; the customer gateway offers ESP:AES_CBC_128/",
        ),
        (
            {"local_ts": ("10.1.0.0/16",)},
            {"remote_ts": ("10.2.0.0/16",)},
            "phase 2: the customer gateway asks for traffic between 10.2.0.0/16 (here)",
        ),
    ],
    ids=["key", "phase 1", "identity", "version", "phase 2", "selectors"],
)
def test_why_a_tunnel_is_down(tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any], reason: str) -> None:
    async def scenario(gateway: Site, customer: Site, _: Wire) -> None:
        await gateway.engine.apply(IpsecPlan((gateway_tunnel(**ours),)))
        assert (await gateway.status()).last_error.startswith(f"waiting for the customer gateway {CUSTOMER_ADDRESS}")
        await customer.engine.apply(IpsecPlan((customer_tunnel(**theirs),)))

        async def said() -> bool:
            return (await gateway.status()).last_error.startswith(reason)

        await until(said, f"the reason {reason!r}; said was {(await gateway.status()).last_error!r}")

    play(tmp_path, scenario)


def test_a_dead_peer_is_noticed_and_a_living_one_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the times shortened: a request after 1 s of silence, death 3 s after the first one without answer."""
    monkeypatch.setattr(charon_config, "DPD_INTERVAL_SECONDS", 1)
    monkeypatch.setattr(charon_config, "DPD_DEATH_SECONDS", 3.0)
    theirs = IpsecPlan((customer_tunnel(),))

    async def scenario(gateway: Site, customer: Site, wire: Wire) -> None:
        await gateway.engine.apply(IpsecPlan((gateway_tunnel(),)))
        await customer.engine.apply(theirs)
        await until(gateway.established, "the IKE SA")
        loop = asyncio.get_running_loop()
        wire.cut()
        cut = loop.time()

        async def dead() -> bool:
            return not await gateway.established()

        await until(dead, "the death of the peer")
        assert 2.5 <= loop.time() - cut <= 6.0
        assert (await gateway.status()).last_error == "the customer gateway does not answer"
        wire.mend()

        async def again() -> bool:
            await customer.engine.apply(theirs)
            return await gateway.established()

        await until(again, "another IKE SA", 40)
        assert (await gateway.status()).remote_address == f"{CUSTOMER_ADDRESS}:500"

    play(tmp_path, scenario)


def test_options_that_nothing_can_be_negotiated_for_fail_alone(tmp_path: Path) -> None:
    impossible = gateway_tunnel(
        options={"ike_versions": ("ikev1",), "phase1_encryption_algorithms": ("AES256-GCM-16",)}
    )

    async def scenario(gateway: Site, _customer: Site, _: Wire) -> None:
        changes = await gateway.engine.apply(IpsecPlan((impossible, gateway_tunnel(2))))
        assert [failure.subject for failure in changes.failed] == [impossible.name]
        assert "IKEv1 has no AEAD" in changes.failed[0].message
        assert any(gateway_tunnel(2).name in sentence for sentence in changes.done)
        assert "IKEv1 has no AEAD" in (await gateway.status()).last_error

    play(tmp_path, scenario)


def test_nothing_is_left_behind_and_no_key_on_disk(tmp_path: Path) -> None:
    async def scenario(gateway: Site, _customer: Site, _: Wire) -> None:
        await gateway.engine.apply(IpsecPlan((gateway_tunnel(),)))
        files = await asyncio.to_thread(read_all, gateway.run_dir)
        assert {"charon.log", "strongswan.conf", "loaded.json"} <= files.keys()
        assert not [name for name, content in files.items() if KEY.encode() in content]
        assert (await gateway.engine.teardown()).done == ("stopped charon",)
        assert await asyncio.to_thread(read_all, gateway.run_dir) == {}
        assert not await gateway.engine.teardown()

    play(tmp_path, scenario)


def read_all(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_paths_that_a_socket_cannot_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="longer than the 107 bytes"):
        IpsecEngine(run_dir=tmp_path / ("x" * 100), underlay=None, on_event=lambda: None)
