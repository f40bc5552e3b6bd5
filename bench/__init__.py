"""Benchmarks: what goes through a tunnel, and how quickly the service answers and reacts.

`python -m bench` runs the suites and writes one JSON file with a description of the machine. Rivals are measured in the
same run, in interleaved rounds, because figures of different runs, machines or loads cannot be compared.

* `throughput`: one tunnel between two gateways, against strongSwan's kernel-libipsec and against plain routing.
* `control_plane`: from a call or a fault to what it leads to, on the lab of the demonstration.
* `api`: latency of requests, on fake engines.
"""
