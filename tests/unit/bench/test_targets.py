"""Targets and the verdicts on them."""

from __future__ import annotations

from bench.__main__ import SUITES
from bench.measure import figure
from bench.targets import TARGETS, Target, Verdict, judge


def test_every_target_is_of_a_suite_and_has_one_bound() -> None:
    assert {target.suite for target in TARGETS} <= SUITES.keys()
    assert all((target.at_least is None) != (target.below is None) for target in TARGETS)
    assert len({target.figure for target in TARGETS}) == len(TARGETS)


def test_medians_are_judged() -> None:
    targets = (
        Target("s", "ratio", at_least=4),
        Target("s", "delay", below=5),
        Target("s", "absent", at_least=1),
        Target("other", "ratio", at_least=4),
    )
    figures = [figure("ratio", "x", [3, 4, 9]), figure("delay", "ms", [1, 5, 5])]
    assert judge(targets, {"s": figures}) == [
        Verdict("ratio", "≥ 4 x", 4, True),
        Verdict("delay", "< 5 ms", 5, False),
        Verdict("absent", "≥ 1", None, None),
    ]
