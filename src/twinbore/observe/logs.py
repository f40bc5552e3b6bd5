"""Structured logs on stderr: readable lines on a terminal, one JSON object a line elsewhere.

A last processor redacts what must never be logged, should it ever be passed: defence in depth, not a licence.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

REDACTED: Final = "[redacted]"
SECRET_NAMES: Final = ("pre_shared_key", "presharedkey", "secret", "password", "authorization", "signature")


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every field whose name says that it is a secret."""
    for name in event:
        if any(word in name.lower().replace("-", "_") for word in SECRET_NAMES):
            event[name] = REDACTED
    return event


def configure(*, json_lines: bool | None = None, level: int = logging.INFO) -> None:
    """Set up structlog for the process; `json_lines` None decides by whether stderr is a terminal."""
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        # The default formatter of tracebacks prints local variables, keys among them.
        else structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info if as_json else _keep,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _keep(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return event
