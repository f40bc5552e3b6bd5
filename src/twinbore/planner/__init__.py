"""The planner: from resources to the desired state of a host. Pure: no I/O, no clock, no randomness."""
