"""A new file that only its owner may read, for what has keys in it. An existing one is never written over."""

from __future__ import annotations

import os
from pathlib import Path

import click


def write_new(path: Path, content: bytes) -> None:
    """Make the file with mode 0600. Raises `click.ClickException` where it exists or cannot be made."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error
