"""`twinbore up --engines fake`, started again and again within a tenth of a second: a process that has imported
everything, and forks.

Run as `python -m tests.generative.crash_server STATE CONFIG ADDRESS:PORT`. A line `start` on standard input forks the
service and prints its pid; `wait` prints how it ended, once it has.

What the fake engines have is kept in files and found again by the next start, as a data plane outlives its control
plane: below STATE.plane, one file for each engine, and `round`, which names the process and the rounds that it has
done.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any, Final

from twinbore.agent.engines import ORDER, EngineSet
from twinbore.agent.loop import Agent
from twinbore.api import codec
from twinbore.cli import assembly, up
from twinbore.cli.main import main as cli

PRESENT: Final = {"net": "present", "esp": "interfaces", "bgp": "present", "ipsec": "tunnels"}
"""The attribute of each fake engine that holds what exists."""


def plane_of(state: Path) -> Path:
    """Where the data plane of an installation is kept."""
    return state.with_suffix(".plane")


def read_plane(state: Path) -> dict[str, Any]:
    """What each engine has, by its name."""
    return {name: pickle.loads((plane_of(state) / name).read_bytes()) for name in ORDER}


def rounds_of(state: Path) -> tuple[int, int]:
    """The process that did the last round, and how many it has done; zeros when there was none."""
    try:
        pid, count = (plane_of(state) / "round").read_text().split()
    except FileNotFoundError:
        return 0, 0
    return int(pid), int(count)


def _replace(file: Path, content: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(content)
    new.replace(file)


def _outlive(engine: Any, attribute: str, file: Path) -> None:
    """Make what the engine has survive its process, from one call to the next."""
    if file.exists():
        setattr(engine, attribute, pickle.loads(file.read_bytes()))

    def keeping(call: Any) -> Any:
        async def kept(desired: Any) -> Any:
            changes = await call(desired)
            _replace(file, pickle.dumps(getattr(engine, attribute)))
            return changes

        return kept

    engine.apply, engine.prune = keeping(engine.apply), keeping(engine.prune)


def serve(state: Path, config: Path, listen: str) -> None:
    """`twinbore up` in this process, until it is killed."""
    plane = plane_of(state)
    plane.mkdir(exist_ok=True)

    def build(*arguments: Any) -> tuple[EngineSet, Any]:
        engines, facts = assembly.build_engines(*arguments)
        for name, attribute in PRESENT.items():
            _outlive(engines.named(name), attribute, plane / name)
        return engines, facts

    class CountingAgent(Agent):
        count = 0

        async def round(self, *, sweep: bool) -> bool:
            again = await super().round(sweep=sweep)
            self.count += 1
            _replace(plane / "round", f"{os.getpid()} {self.count}".encode())
            return again

    up.build_engines, up.Agent = build, CountingAgent  # type: ignore[misc]
    arguments = ["up", "--engines", "fake", "--state", state, "--config", config, "--listen", listen]
    cli([str(argument) for argument in arguments])


def main() -> None:
    state, config, listen = sys.argv[1:]
    codec.service("ec2")
    child = 0
    for line in sys.stdin:
        if line.strip() == "start":
            child = os.fork()
            if child == 0:
                try:
                    serve(Path(state), Path(config), listen)
                except SystemExit as end:
                    os._exit(end.code if isinstance(end.code, int) else 1)
                except BaseException:
                    traceback.print_exc()
                os._exit(1)
            print(child, flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
