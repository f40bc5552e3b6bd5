"""What comments say, in the user's language: tables of sentences, the shared ones and those of a family.

A family's `words.toml` has a table for each language, `[en]` and `[ja]`, with the same keys; the family's sentence wins
over a shared one with the same key. Sentences may have fields in braces. A key without a sentence is an error, as a
misspelt variable of a template is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources.abc import Traversable

from twinbore.devices.catalogue import SHARED, root


@cache
def words(family: str, language: str) -> Mapping[str, str]:
    """Key → sentence, for a family's templates."""
    return _table(root() / SHARED, language) | _table(root() / family, language)


def _table(folder: Traversable, language: str) -> dict[str, str]:
    file = folder / "words.toml"
    return dict(tomllib.loads(file.read_text(encoding="utf-8"))[language]) if file.is_file() else {}
