//! The control socket: TUN devices, statistics, and what the agent has to know or to clean up.
//!
//! A UNIX stream socket of mode 0600; the peer must be root or run as we do. One JSON object a line in each direction;
//! an answer echoes the request's `id` and has either `ok` or `error`. A connection may carry any number of requests,
//! answered in order.
//!
//! | `op` | members | `ok` |
//! |---|---|---|
//! | `hello` | | `version`, `pid`, `workers`, `natt_port`, `uptime_s`, `features`: offloads in use, `crypto`, and `seccomp` |
//! | `add_tunnel` | `if_id`, `netns` (may be missing), `name`, `mtu` | `changed`: false when it is there already; a lost device is made again |
//! | `remove_tunnel` | `if_id` | `changed` |
//! | `remove_tunnels` | `if_ids` | `removed`: those that there were. Takes hardly more time than one does |
//! | `list_tunnels` | | `tunnels`; rx is from the peer, tx to the peer, in inner octets |
//! | `list_sas` | | `sas`, without keys |
//! | `remove_sas` | `if_id` | `changed`, `sas` and `policies` removed |
//! | `stats` | | `counters`, `drops` |
//!
//! `error` has a `code` (`invalid_argument`, `not_found`, `conflict`, `os_error`) and a `message` for humans.

pub mod operations;
pub mod report;
pub mod server;
pub mod wire;
