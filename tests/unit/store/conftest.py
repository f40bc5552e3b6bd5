"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit import sample, worldstore
from twinbore.model import resources as r
from twinbore.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database but for one account."""
    opened = worldstore.database(tmp_path)
    with opened.write() as tx:
        tx.insert(r.Account(sample.ACCOUNT, sample.NOW))
    yield opened
    opened.close()
