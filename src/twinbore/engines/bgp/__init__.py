"""BGP: one BIRD 2 process for each routing domain, in the domain's network namespace.

Why a process each: a crash, a reload or a hostile peer concerns one gateway only; BIRD needs less than 1 MB for one,
and a process in a namespace needs no virtual routing tables.

How the tables of one BIRD hang together (the pure part is `config`):

```
 adverts ──announce_X──▶ in_X ◀──── session X ────▶ customer
 (what the domain           │  ▲
  announces)        learn_X │  │ learn_X (what the other sessions and static connections have: CloudHub)
                            ▼  │
             master4 ────────────▶ kernel, table main
             ▲
             └── static_<interface>: routes of connections without BGP, while the interface is up
```

* What we announce is never in the table that the kernel gets, so a customer who announces our own prefix is still
  seen, counted and shown, and does not blackhole it.
* All paths meet in each table, so every table picks the same best path, and a session announces only what we use.
* Equal prefixes: a static connection's route has the higher preference; among BGP paths the shorter AS_PATH, then the
  lower MED (from the same neighbouring AS), then the lower `tie_break`, which is the channel's `cost` (BIRD's IGP
  metric, compared after the two and before the router id).

Modules: `config` (text of a configuration), `birdc` (control socket), `parser` (what it answers), `domain` (one BIRD:
files, process, configuration), `watch` (logs and kernel events), `engine` (all domains), `fake`.

References: RFC 4271, RFC 4364 section 4.3.4 (route filtering), RFC 5880 (BFD); BIRD 2.0 User's Guide; AWS Site-to-Site
VPN User Guide, "Route tables and route priority" and "VPN CloudHub".
"""
