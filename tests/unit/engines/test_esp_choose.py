"""Which ESP engine: the setting, what the kernel lacks, the reason; and the message that tries the kernel."""

from __future__ import annotations

import struct

import pytest

from twinbore.engines.esp.choose import EspChoice, choose, kernel_lacks, sa_message
from twinbore.engines.esp.xfrm import KernelSa, parse_sa


def unasked() -> str | None:
    raise AssertionError("the kernel must not be asked")


@pytest.mark.parametrize(
    ("setting", "missing", "choice"),
    [
        ("auto", None, EspChoice("kernel", "the kernel has ESP and xfrm interfaces")),
        ("auto", "the kernel has no ESP", EspChoice("user", "the kernel has no ESP")),
        (
            "kernel",
            None,
            EspChoice("kernel", "the setting esp = kernel asks for it, and the kernel has all that it needs"),
        ),
        (
            "kernel",
            "the kernel has no ESP",
            EspChoice("kernel", "the setting esp = kernel asks for it, though the kernel has no ESP"),
        ),
    ],
)
def test_choice_and_reason(setting: str, missing: str | None, choice: EspChoice) -> None:
    assert choose(setting, lambda: missing) == choice


def test_the_user_engine_is_taken_unasked() -> None:
    assert choose("user", unasked).engine == "user"


def test_another_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="esp = 'fast': must be auto, kernel or user"):
        choose("fast", unasked)


def test_the_probe_answers_in_words_and_leaves_the_process_where_it_was() -> None:
    answer = kernel_lacks()
    assert answer is None or answer.startswith(("the kernel has no ", "no network namespace"))


def test_the_sa_that_tries_the_kernel_is_laid_out_as_the_kernel_reads_it() -> None:
    message = sa_message()
    length, kind = struct.unpack_from("=IH", message)
    assert length == len(message) == 16 + 224 + 4 + 64 + 8 + 20
    assert kind == 16
    assert parse_sa(message) == KernelSa("192.0.2.2", "192.0.2.1", 0)
