"""From a tunnel to what charon is told: its connections, its pre-shared key, and the daemon's own settings. Pure.

Decisions:
* A tunnel that allows both IKE versions is two connections, `NAME` (IKEv2) and `NAME.v1`, because IKEv1 needs its
  proposals written out (see `proposals`). Both have the same key, interface id and identities; `unique = replace` keeps
  one IKE SA between them.
* Nothing starts by itself (`start_action`, `close_action` none): loading a connection never touches an SA.
* Lifetimes are hard limits, as AWS's are: re-keying begins a margin before, plus up to `fuzz` percent of that margin at
  random; `over_time` (IKE SA) and `life_time` (child SA) end what was not re-keyed.
* Dead peers: a request every 10 seconds of silence. The time until the peer is declared dead is each tunnel's own with
  IKEv1. With IKEv2 it follows from charon's retransmissions, which are one setting for all: chosen so that they give up
  `DPD_DEATH_SECONDS` after the first unanswered request, AWS's default.
* A connection that accepts any peer has the key owner `%any`, so that a connection for one known peer wins over it.

References: strongSwan's swanctl.conf(5) and strongswan.conf(5), "IKEv2 RETRANSMISSION"; RFC 7296, RFC 3706 (DPD);
AWS Site-to-Site VPN User Guide, "Tunnel options".
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from twinbore.engines.ipsec.proposals import Support, esp_proposals, ike_proposals
from twinbore.model.desired import IkeTunnel
from twinbore.model.options import DPD_INTERVAL_SECONDS, LIMITS, TunnelOptions

Section: TypeAlias = dict[str, Any]

V1_SUFFIX: Final = ".v1"
DPD_DEATH_SECONDS: Final = float(LIMITS["dpd_timeout_seconds"].default)
RETRANSMIT_TRIES: Final = 5
RETRANSMIT_BASE: Final = 1.5

PLUGINS: Final = (
    "random! nonce! openssl! gmp kdf hmac pem pkcs1 pkcs8 pubkey x509 constraints revocation "
    "kernel-netlink! socket-default! vici!"
)
"""openssl stands before every other source of ciphers: its AES and groups are many times quicker. Without one that is
marked with `!`, charon ends instead of running as a cripple."""

FOR_NEW_SAS: Final = frozenset({"keyingtries"})
"""Settings of a connection or child that mean nothing to SAs that are there."""

TIMES: Final = frozenset(
    {"rekey_time", "rand_time", "over_time", "life_time", "dpd_delay", "dpd_timeout", "dpd_action", "replay_window"}
)
"""Settings that an SA keeps from its beginning, but that it can go on with for a while after they were changed."""

IDENTITY: Final = frozenset({"local_addrs", "remote_addrs", "local", "remote"})
"""Settings of a connection that say between whom an SA is."""

NAT_TRAVERSAL_PORT: Final = 4500

_DPD_ACTIONS: Final = {"clear": "clear", "restart": "restart", "none": "clear"}


def connection_names(tunnel: IkeTunnel) -> dict[str, int]:
    """The connections of a tunnel: name → IKE version."""
    names = {}
    if "ikev2" in tunnel.options.ike_versions:
        names[tunnel.name] = 2
    if "ikev1" in tunnel.options.ike_versions:
        names[tunnel.name + V1_SUFFIX] = 1
    return names


def tunnel_name(connection: str) -> str:
    """The tunnel that a connection belongs to."""
    return connection.removesuffix(V1_SUFFIX)


def connection(tunnel: IkeTunnel, version: int, support: Support) -> Section:
    """The body of vici's `load-conn` for one IKE version. Raises `proposals.NoProposal`."""
    options = tunnel.options
    margin = options.rekey_margin_time_seconds
    dpd_delay = 0 if options.dpd_timeout_action == "none" else DPD_INTERVAL_SECONDS
    name = tunnel.name if version == 2 else tunnel.name + V1_SUFFIX
    return {
        "version": str(version),
        "local_addrs": [tunnel.local_address],
        "remote_addrs": [tunnel.remote_address or "%any"],
        "proposals": ike_proposals(options, support, version),
        "aggressive": "no",
        "mobike": "no",
        "fragmentation": "yes",
        "encap": _yes(tunnel.encapsulate),
        "unique": "replace",
        "send_certreq": "no",
        "keyingtries": "0" if tunnel.initiate or options.dpd_timeout_action == "restart" else "1",
        "dpd_delay": _seconds(dpd_delay),
        "dpd_timeout": _seconds(options.dpd_timeout_seconds),
        "reauth_time": _seconds(0),
        "rekey_time": _seconds(options.phase1_lifetime_seconds - margin),
        "rand_time": _seconds(_fuzz(options)),
        "over_time": _seconds(margin),
        "if_id_in": str(tunnel.if_id),
        "if_id_out": str(tunnel.if_id),
        "local": {"auth": "psk", "id": tunnel.local_identity},
        "remote": {"auth": "psk", "id": tunnel.remote_identity or "%any"},
        "children": {name: _child(tunnel, version, support)},
    }


def at_port(port: int) -> Section:
    """Settings of a connection that starts IKE at a port of the peer other than 500: from 4500, with NAT traversal."""
    return {"local_port": str(NAT_TRAVERSAL_PORT), "remote_port": str(port)}


def _child(tunnel: IkeTunnel, version: int, support: Support) -> Section:
    options = tunnel.options
    margin = options.rekey_margin_time_seconds
    return {
        "esp_proposals": esp_proposals(options, support, version),
        "local_ts": list(tunnel.local_ts),
        "remote_ts": list(tunnel.remote_ts),
        "mode": "tunnel",
        "rekey_time": _seconds(options.phase2_lifetime_seconds - margin),
        "rand_time": _seconds(_fuzz(options)),
        "life_time": _seconds(options.phase2_lifetime_seconds),
        "replay_window": str(options.replay_window_size),
        "dpd_action": _DPD_ACTIONS[options.dpd_timeout_action],
        "start_action": "none",
        "close_action": "none",
        "copy_df": "no",
    }


def key_id(tunnel_id: str) -> str:
    """The name under which charon keeps a tunnel's pre-shared key."""
    return f"psk-{tunnel_id}"


def shared_key(tunnel: IkeTunnel) -> Section:
    """The message of vici's `load-shared`."""
    return {
        "id": key_id(tunnel.name),
        "type": "IKE",
        "data": tunnel.pre_shared_key,
        "owners": [tunnel.local_identity, tunnel.remote_identity or "%any"],
    }


def strongswan_conf(directory: str) -> str:
    """The daemon's settings file. `directory` holds its log and vici's socket, as charon itself sees it."""
    first = DPD_DEATH_SECONDS * (RETRANSMIT_BASE - 1) / (RETRANSMIT_BASE ** (RETRANSMIT_TRIES + 1) - 1)
    return f"""\
charon {{
  load = {PLUGINS}
  threads = 16
  # SAs belong to interfaces: addresses, routes and rules are no business of charon's.
  install_routes = no
  routing_table = 0
  install_virtual_ip = no
  make_before_break = yes
  # What is started from here is always an IKE SA of its own, under the connection as it is now.
  reuse_ikesa = no
  # Gives up {DPD_DEATH_SECONDS:.0f} s after the first unanswered request.
  retransmit_timeout = {first:.3f}
  retransmit_base = {RETRANSMIT_BASE}
  retransmit_tries = {RETRANSMIT_TRIES}
  # After a restart many tunnels of one address come back at once.
  block_threshold = 100
  cookie_threshold = 200
  cookie_threshold_ip = 50
  ikesa_table_size = 256
  ikesa_table_segments = 16
  filelog {{
    charon {{
      path = {directory}/charon.log
      time_format = %Y-%m-%dT%H:%M:%S
      time_add_ms = yes
      ike_name = yes
      append = yes
      flush_line = yes
      default = 1
      enc = 0
      net = 0
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{directory}/charon.vici
    }}
  }}
}}
"""


def _fuzz(options: TunnelOptions) -> int:
    return options.rekey_margin_time_seconds * options.rekey_fuzz_percentage // 100


def _seconds(count: int) -> str:
    return f"{count}s"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
