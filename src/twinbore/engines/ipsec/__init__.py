"""The IPsec engine: one charon for a gateway host, driven through vici.

The plan is a set of tunnels; charon gets for each its connections and its key. What charon has been told is kept as
fingerprints (`fingerprints`), what it does is read from it (`status`), and why a tunnel is down is gathered from its
log events (`reasons`).

Modules: `engine` (the engine), `fake` (in memory), `charon` (the process), `charon_config` and `proposals` (from the
plan to charon's settings, pure), `vici` (the protocol), `work` (what a change does to existing SAs).
"""
