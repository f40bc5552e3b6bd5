"""The demonstration on the screen: a live line for each step, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table


@dataclass
class Outcome:
    """One step as it went. `sentence` is what was seen, or why it failed."""

    number: int
    title: str
    seconds: float = 0.0
    passed: bool = False
    sentence: str = ""


class Show:
    """Prints outcomes as they come. The line of the step that runs shows its latest call."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.outcomes: list[Outcome] = []
        self._status: Status | None = None
        self._title = ""

    def calling(self, what: str) -> None:
        """A call is about to be made."""
        if self._status is not None:
            self._status.update(f"{escape(self._title)} [dim]{escape(what[:100])}[/dim]")

    @contextmanager
    def step(self, number: int, title: str) -> Iterator[Outcome]:
        """Shows one step while the context runs; an exception marks it as failed and goes on its way."""
        outcome = Outcome(number, title)
        self.outcomes.append(outcome)
        self._title = f"{number:2} {title}"
        begin = time.monotonic()
        try:
            with self.console.status(escape(self._title)) as self._status:
                yield outcome
            outcome.passed = True
        except BaseException as error:
            outcome.sentence = str(error) if isinstance(error, Exception) else "interrupted"
            raise
        finally:
            self._status = None
            outcome.seconds = time.monotonic() - begin
            self._line(outcome)

    def _line(self, outcome: Outcome) -> None:
        mark = "[green]✓[/green]" if outcome.passed else "[red]✗[/red]"
        self.console.print(
            f"{mark} {outcome.number:2} [bold]{escape(outcome.title)}[/bold] [dim]{outcome.seconds:.1f} s[/dim]"
        )
        self.console.print(f"     {escape(outcome.sentence)}", soft_wrap=True)

    def table(self) -> None:
        """All steps with their times."""
        table = Table(title="Twinbore: the whole path on real packets", title_justify="left")
        table.add_column("step", justify="right")
        table.add_column("what")
        table.add_column("seconds", justify="right")
        table.add_column("result")
        for outcome in self.outcomes:
            result = "[green]passed[/green]" if outcome.passed else "[red]failed[/red]"
            table.add_row(str(outcome.number), escape(outcome.title), f"{outcome.seconds:.1f}", result)
        table.add_section()
        table.add_row("", "all", f"{sum(outcome.seconds for outcome in self.outcomes):.1f}", "")
        self.console.print(table)
