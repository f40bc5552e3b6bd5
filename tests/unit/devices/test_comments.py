"""Comments: wrapped lines between the marks of a device's syntax."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twinbore.devices.comments import NEVER_FIRST, WIDTH, columns, comment

SENTENCE = "The connection has two tunnels, of which each carries the traffic while the other one is maintained. " * 3


def test_words_are_kept_whole_and_lines_within_the_width() -> None:
    lines = comment(SENTENCE.strip(), ("# ", "")).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("# ") and len(line) <= WIDTH for line in lines)
    assert " ".join(line.removeprefix("# ") for line in lines) == SENTENCE.strip()


def test_marks_on_both_sides_and_an_indent() -> None:
    assert comment("one\n\ntwo", ("<!-- ", " -->"), indent=2) == "  <!-- one -->\n  <!--  -->\n  <!-- two -->"


def test_japanese_is_broken_between_characters_but_not_before_a_full_stop() -> None:
    text = "この接続には二つのトンネルがあります。" * 8
    lines = [line.removeprefix("! ") for line in comment(text, ("! ", "")).splitlines()]
    assert "".join(lines) == text
    assert all(line[0] not in NEVER_FIRST for line in lines)
    assert all(columns(line) <= WIDTH for line in lines)


def test_a_table_keeps_its_columns() -> None:
    assert comment("show ike      phase 1\nshow ipsec    phase 2", ("# ", "")) == (
        "# show ike      phase 1\n# show ipsec    phase 2"
    )


@given(st.text(st.characters(categories=("L", "Nd", "Zs", "Po")), max_size=300))
def test_nothing_is_lost(text: str) -> None:
    lines = comment(text, ("# ", "")).split("\n")
    kept = "".join(line.removeprefix("#") for line in lines)
    assert "".join(kept.split()) == "".join(text.split())
