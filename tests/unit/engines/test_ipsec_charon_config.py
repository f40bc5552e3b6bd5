"""The mapping of a tunnel to charon: every option, both IKE versions, identities, keys, the daemon's settings."""

from __future__ import annotations

import pytest

from tests.unit.engines.tunnels import KEY, tunnel
from twinbore.engines.ipsec import charon_config as c
from twinbore.engines.ipsec.proposals import EVERYTHING, NoProposal


def child(body: c.Section) -> c.Section:
    (only,) = body["children"].values()
    return only


def test_defaults_of_aws_as_an_ikev2_connection() -> None:
    body = c.connection(tunnel(), 2, EVERYTHING)
    body["proposals"] = child(body)["esp_proposals"] = "elsewhere"
    assert body == {
        "version": "2",
        "local_addrs": ["203.0.113.1"],
        "remote_addrs": ["198.51.100.1"],
        "proposals": "elsewhere",
        "aggressive": "no",
        "mobike": "no",
        "fragmentation": "yes",
        "encap": "no",
        "unique": "replace",
        "send_certreq": "no",
        "keyingtries": "1",
        "dpd_delay": "10s",
        "dpd_timeout": "40s",
        "reauth_time": "0s",
        "rekey_time": "28530s",
        "rand_time": "270s",
        "over_time": "270s",
        "if_id_in": "1001",
        "if_id_out": "1001",
        "local": {"auth": "psk", "id": "203.0.113.1"},
        "remote": {"auth": "psk", "id": "198.51.100.1"},
        "children": {
            "vpn-0123456789abcdef0-1": {
                "esp_proposals": "elsewhere",
                "local_ts": ["0.0.0.0/0"],
                "remote_ts": ["0.0.0.0/0"],
                "mode": "tunnel",
                "rekey_time": "3330s",
                "rand_time": "270s",
                "life_time": "3600s",
                "replay_window": "1024",
                "dpd_action": "clear",
                "start_action": "none",
                "close_action": "none",
                "copy_df": "no",
            }
        },
    }


@pytest.mark.parametrize(
    ("versions", "names"),
    [
        (("ikev1", "ikev2"), {"vpn-0123456789abcdef0-1": 2, "vpn-0123456789abcdef0-1.v1": 1}),
        (("ikev2",), {"vpn-0123456789abcdef0-1": 2}),
        (("ikev1",), {"vpn-0123456789abcdef0-1.v1": 1}),
    ],
)
def test_one_connection_for_each_ike_version(versions: tuple[str, ...], names: dict[str, int]) -> None:
    wanted = tunnel(options={"ike_versions": versions})
    assert c.connection_names(wanted) == names
    for name, version in names.items():
        body = c.connection(wanted, version, EVERYTHING)
        assert c.tunnel_name(name) == wanted.name
        assert body["version"] == str(version)
        assert list(body["children"]) == [name]


def test_lifetimes_are_hard_limits_with_a_margin_and_fuzz() -> None:
    wanted = tunnel(
        options={
            "phase1_lifetime_seconds": 20000,
            "phase2_lifetime_seconds": 1800,
            "rekey_margin_time_seconds": 300,
            "rekey_fuzz_percentage": 50,
            "replay_window_size": 64,
        }
    )
    body = c.connection(wanted, 2, EVERYTHING)
    assert (body["rekey_time"], body["over_time"], body["rand_time"]) == ("19700s", "300s", "150s")
    inner = child(body)
    assert (inner["rekey_time"], inner["life_time"], inner["rand_time"]) == ("1500s", "1800s", "150s")
    assert inner["replay_window"] == "64"


@pytest.mark.parametrize(
    ("action", "delay", "dpd_action", "tries"),
    [("clear", "10s", "clear", "1"), ("restart", "10s", "restart", "0"), ("none", "0s", "clear", "1")],
)
def test_dead_peer_detection(action: str, delay: str, dpd_action: str, tries: str) -> None:
    body = c.connection(tunnel(options={"dpd_timeout_action": action, "dpd_timeout_seconds": 60}), 1, EVERYTHING)
    assert (body["dpd_delay"], body["dpd_timeout"], body["keyingtries"]) == (delay, "60s", tries)
    assert child(body)["dpd_action"] == dpd_action


def test_a_tunnel_that_we_start_is_tried_for_ever_but_not_started_by_loading() -> None:
    body = c.connection(tunnel(initiate=True), 2, EVERYTHING)
    assert body["keyingtries"] == "0"
    assert child(body)["start_action"] == child(body)["close_action"] == "none"


def test_selectors_encapsulation_and_one_to_one_nat() -> None:
    wanted = tunnel(
        local_ts=("10.0.0.0/16",),
        remote_ts=("192.168.0.0/16", "172.16.0.0/12"),
        encapsulate=True,
        local_address="10.1.1.1",
    )
    body = c.connection(wanted, 2, EVERYTHING)
    assert body["encap"] == "yes"
    assert body["local_addrs"] == ["10.1.1.1"]
    assert body["local"]["id"] == "203.0.113.1"
    assert child(body)["local_ts"] == ["10.0.0.0/16"]
    assert child(body)["remote_ts"] == ["192.168.0.0/16", "172.16.0.0/12"]


def test_a_customer_without_a_fixed_address_may_come_from_anywhere_with_any_identity() -> None:
    anybody = tunnel(remote_address=None, remote_identity=None)
    body = c.connection(anybody, 2, EVERYTHING)
    assert body["remote_addrs"] == ["%any"]
    assert body["remote"]["id"] == "%any"
    assert c.shared_key(anybody)["owners"] == ["203.0.113.1", "%any"]


def test_the_key_belongs_to_the_pair_of_identities() -> None:
    assert c.shared_key(tunnel(2)) == {
        "id": "psk-vpn-0123456789abcdef0-2",
        "type": "IKE",
        "data": KEY,
        "owners": ["203.0.113.2", "198.51.100.1"],
    }


def test_nothing_but_the_key_message_has_the_key() -> None:
    assert KEY not in str(c.connection(tunnel(), 2, EVERYTHING))
    assert KEY not in repr(tunnel())


def test_what_cannot_be_negotiated_is_refused() -> None:
    with pytest.raises(NoProposal):
        c.connection(tunnel(options={"phase1_encryption_algorithms": ("AES128-GCM-16",)}), 1, EVERYTHING)


def test_settings_file() -> None:
    lines = [line.strip() for line in c.strongswan_conf("/run").splitlines()]
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    plugins = settings["load"].replace("!", "").split()
    assert plugins.index("openssl") < plugins.index("gmp")
    assert not {"aes", "gcm", "stroke", "updown", "kernel-libipsec"} & set(plugins)
    assert {"vici", "kernel-netlink", "socket-default", "kdf", "nonce"} <= set(plugins)
    assert {"vici!", "kernel-netlink!", "socket-default!", "openssl!"} <= set(settings["load"].split())
    assert settings["install_routes"] == settings["install_virtual_ip"] == "no"
    assert settings["routing_table"] == "0"
    assert settings["path"] == "/run/charon.log"
    assert settings["socket"] == "unix:///run/charon.vici"


def test_retransmissions_give_up_after_the_default_dead_peer_time() -> None:
    lines = [line.strip() for line in c.strongswan_conf("/run").splitlines()]
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    first, base = float(settings["retransmit_timeout"]), float(settings["retransmit_base"])
    tries = int(settings["retransmit_tries"])
    assert sum(first * base**attempt for attempt in range(tries + 1)) == pytest.approx(40, abs=0.05)
