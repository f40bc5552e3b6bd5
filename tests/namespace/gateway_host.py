"""A gateway host in a lab with the service on it, for tests that play parts of the demo's scenario."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twinbore.lab.clients import Boto3Client
from twinbore.lab.faults import Faults
from twinbore.lab.residue import underlay_state
from twinbore.lab.scenario import Scenario
from twinbore.lab.service import Service
from twinbore.lab.topology import gateway_lab


@contextmanager
def gateway_host(prefix: str) -> Iterator[Scenario]:
    """A scenario in which the service runs and nothing else has happened; `prefix` begins the namespaces' names.

    At the end the service is ended and the lab taken away; what a test has set up it takes down itself.
    """
    with tempfile.TemporaryDirectory(prefix="tb") as directory, gateway_lab(f"{prefix}{os.getpid():x}") as lab:
        work = Path(directory)
        gateway = lab.name("gateway")
        before = underlay_state(gateway)
        service = Service(work, work / "state", gateway)
        lab.undo_with(service.down_command)
        service.start()
        made = Scenario(lab, service, Boto3Client(service, lambda _: None), Faults(lab.name("internet")), work, before)
        try:
            yield made
        finally:
            service.stop()
