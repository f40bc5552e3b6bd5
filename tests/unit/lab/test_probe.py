"""The probe's arithmetic: packets, and what a report says of loss and gaps."""

from __future__ import annotations

import struct

from twinbore.lab.probe import checksum, echo_request, reply_sequence, summarise


def test_an_echo_request_has_a_valid_checksum_and_is_padded() -> None:
    packet = echo_request(0x1234, 7, b"odd")
    assert len(packet) == 12
    assert struct.unpack("!BBHHH", packet[:8])[0::3] == (8, 0x1234)
    assert checksum(packet) == 0


def test_the_checksum_is_that_of_rfc_1071s_example() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_only_our_own_replies_count() -> None:
    header = bytes([0x46]) + bytes(23)
    reply = bytes([0]) + echo_request(9, 300, b"")[1:]
    assert reply_sequence(header + reply, 9) == 300
    assert reply_sequence(header + reply, 10) is None
    assert reply_sequence(header + echo_request(9, 300, b""), 9) is None


def test_without_loss_there_is_no_gap() -> None:
    report = summarise([0.0, 0.1, 0.2], {0: 0.001, 1: 0.003, 2: 0.002}, 0.1)
    assert (report.sent, report.lost, report.longest_gap, report.median_ms) == (3, 0, 0.0, 2.0)


def test_a_gap_lasts_from_the_first_lost_request_to_the_next_answered_one() -> None:
    sent = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    report = summarise(sent, {0: 0.001, 3: 0.001, 5: 0.001}, 0.1)
    assert report.lost == 3
    assert abs(report.longest_gap - 0.2) < 1e-9


def test_a_gap_at_the_end_counts() -> None:
    report = summarise([0.0, 0.1, 0.2], {0: 0.001}, 0.1)
    assert abs(report.longest_gap - 0.2) < 1e-9


def test_nothing_answered_is_one_long_gap() -> None:
    report = summarise([0.0, 0.1], {}, 0.1)
    assert (report.received, report.median_ms) == (0, 0.0)
    assert abs(report.longest_gap - 0.2) < 1e-9
