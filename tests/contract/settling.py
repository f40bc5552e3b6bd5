"""The agent's part played by itself: clients that wait need resources that move on while they look.

The application settles after every `every`-th request, before its answer is sent. So a client that polls sees the
state in between exactly as often as the test wants, without a clock: with 1, what a request has started is done when
its answer arrives (which still says `pending`); with 3, a Create and the next two requests see it `pending`.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.contract.conftest import Service, Stage


class Settling:
    """The application that was on the stage, and `service.settle()` after its answers."""

    def __init__(self, stage: Stage, service: Service, every: int = 1) -> None:
        assert stage.application is not None
        self._application: ASGIApp = stage.application
        self._service = service
        self._every = every
        self.requests = 0
        stage.application = self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._application(scope, receive, keep)
        self.requests += 1
        if self.requests % self._every == 0:
            self._service.settle()
        for message in answer:
            await send(message)
