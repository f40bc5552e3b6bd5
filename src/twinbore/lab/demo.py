"""The demonstration: a lab, Twinbore on its gateway host, and twelve steps from CreateVpc to the last deletion.

Every step goes through the EC2 API and asserts what it shows. The run ends at the first step that fails, and removes
everything in any case, unless it is to be kept.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from twinbore.lab.clients import CLIENTS
from twinbore.lab.faults import Faults
from twinbore.lab.namespaces import CommandFailed
from twinbore.lab.residue import underlay_state
from twinbore.lab.scenario import VPC_HOST_ADDRESS, Scenario, StepFailed
from twinbore.lab.service import REGION, Service
from twinbore.lab.show import Show
from twinbore.lab.steps import REMOVAL, STEPS
from twinbore.lab.topology import gateway_lab

_REFUSALS = (StepFailed, CommandFailed, ClientError, BotoCoreError, LookupError)
"""How a step fails: its own assertion, a command, the API's answer or the lack of one, an answer without a member."""


def run(keep: bool, client: str, state: Path | None) -> int:
    """Runs the demonstration; `client` is boto3 or cli, `state` the service's directory (None: a temporary one).

    Returns the exit status: 0 if every step passed, 1 if one failed, 2 if it could not start.
    """
    console = Console(highlight=False)
    problem = _problem(state)
    if problem is not None:
        console.print(problem, soft_wrap=True)
        return 2
    signal.signal(signal.SIGTERM, _exit_on_signal)
    show = Show(console)
    with ExitStack() as cleanup:
        try:
            scenario = _set_up(cleanup, show, client, state)
        except CommandFailed as error:
            console.print(f"It cannot start: {error}", markup=False, soft_wrap=True)
            return 2
        try:
            for number, step in enumerate(STEPS, 1):
                if keep and step is REMOVAL:
                    continue
                with show.step(number, step.title) as outcome:
                    outcome.sentence = step.act(scenario)
        except _REFUSALS:
            show.table()
            _diagnose(console, scenario)
            return 1
        show.table()
        if keep:
            cleanup.pop_all()
            scenario.lab.keep()
            _explain(console, scenario)
    return 0


def _problem(state: Path | None) -> str | None:
    """Why it cannot run, in words, or None."""
    if os.geteuid() != 0:
        return "The demonstration makes network namespaces: run it as root."
    if state is not None and state.exists() and any(state.iterdir()):
        return f"{state} is not empty: choose a new directory, since the demonstration removes it at its end."
    return None


def _set_up(cleanup: ExitStack, show: Show, client: str, state: Path | None) -> Scenario:
    """The lab and the service, both removed by `cleanup`."""
    work = Path(tempfile.mkdtemp(prefix="twinbore-demo-"))
    state = state.absolute() if state else work / "state"
    for directory in (work, state):
        cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
    lab = cleanup.enter_context(gateway_lab(f"demo{os.getpid():x}"))
    lab.undo_with(["rm", "-rf", str(work), str(state)])
    gateway = lab.name("gateway")
    before = underlay_state(gateway)
    service = Service(work, state, gateway)
    lab.undo_with(service.down_command)
    show.console.print(f"Lab {lab.prefix}: public network, customer site, gateway host. Twinbore starts.")
    service.start()
    ec2 = CLIENTS[client](service, show.calling)
    return Scenario(lab, service, ec2, Faults(lab.name("internet")), work, before)


def _diagnose(console: Console, scenario: Scenario) -> None:
    """What an engineer looks at first."""
    try:
        status = scenario.service.status()
    except CommandFailed as error:
        status = str(error)
    console.print(f"twinbore status:\n{status}", markup=False)
    console.print(f"The end of its log:\n{scenario.service.log_tail()}", markup=False, soft_wrap=True)


def _explain(console: Console, scenario: Scenario) -> None:
    """How to use and how to remove what is kept."""
    service, lab = scenario.service, scenario.lab
    lines = (
        "It is kept running. To look around with the AWS CLI:",
        "",
        f"  export AWS_SHARED_CREDENTIALS_FILE={service.credentials_file}",
        f"  export AWS_DEFAULT_REGION={REGION} AWS_ENDPOINT_URL_EC2={service.endpoint}",
        "  aws ec2 describe-vpn-connections",
        f"  aws ec2 describe-route-tables --route-table-ids {scenario.ids.route_table}",
        "",
        f"  twinbore status --state {service.state}",
        f"  ip netns exec {lab.name('lan')} ping {VPC_HOST_ADDRESS}",
        f"  ip netns exec {scenario.router} sh {scenario.customer_script} status",
        f"  ip netns exec {lab.name('internet')} tcpdump -ni customer",
        "",
        f"To remove it all:  {sys.executable} -m twinbore.lab.remove {lab.prefix}",
    )
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
