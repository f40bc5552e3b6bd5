"""Benchmarks: what goes through a tunnel, what the data path costs, how quickly the service answers and reacts.

`python -m bench` runs the suites and writes one JSON file with a description of the machine. Rivals are measured in the
same run, in interleaved rounds, because figures of different runs, machines or loads cannot be compared.

* Beds: `bed` (namespaces and wire), `ours`, `stock`, `wireguard` (what is at an end), `tunnel` (all of it), `cipher`.
* Tools: `measure` (rounds and figures), `traffic`, `cpu`, `search`, `control`, `xfrm`, `machine`, `targets`.
* Suites of the data path: `throughput`, `ciphers`, `packets`, `latency`, `interop`, `flood`, `idle`.
* Suites of the control plane: `control_plane` (the demonstration's lab), `api` (fake engines).
"""
