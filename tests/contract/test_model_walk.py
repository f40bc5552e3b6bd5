"""Every member, filter and value that botocore's model gives the operations in scope works, or the table of differences
says why it does not; so a new botocore shows here what AWS has added."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from botocore.model import ServiceModel, Shape

from tests.contract.conftest import Stage, serving
from tests.contract.walk import example_network, example_security, example_vpn, model
from tests.contract.walk.page import page
from tests.contract.walk.probes import probe
from tests.contract.walk.scope import MISSING, SCOPE
from tests.contract.walk.walker import Walker
from twinbore.api import codec
from twinbore.api.differences import FILTERS, MEMBERS, reason
from twinbore.api.operation import OPERATIONS
from twinbore.model.settings import Quotas, Settings

EXAMPLES = (example_network, example_security, example_vpn)
PRESENT = sorted(set(SCOPE) - MISSING)

ALWAYS_REFUSED = {"ModifyVpnTunnelCertificate"}
"""No example can call them successfully: what they are for cannot exist here."""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, stage: Stage, empty_store: bytes) -> Walker:
    """All the examples, called once."""
    settings = Settings(outside_pool_a=("203.0.113.0/25",), outside_pool_b=("203.0.113.128/25",), quotas=Quotas())
    with serving(tmp_path_factory.mktemp("walk"), settings, stage, empty_store) as service:
        walker = Walker(service, probe)
        for example in EXAMPLES:
            example.walk(walker)
    return walker


def documented(member: model.Member) -> bool:
    return any(reason(*key) for key in member.keys)


def test_the_scope_is_what_there_is() -> None:
    assert not OPERATIONS.keys() - set(SCOPE), "give them a place in the scope and examples"
    assert not MISSING & OPERATIONS.keys(), "these are there: take them from the list, and give them examples"
    assert not set(PRESENT) - OPERATIONS.keys()


def test_no_probe_has_found_a_fault(walked: Walker) -> None:
    assert not walked.problems, "\n".join(walked.problems)


def input_faults(walked: Walker, operation: str, shape: Shape | None) -> list[str]:
    faults = []
    for member in model.members(shape):
        if documented(member):
            continue
        if member.path not in walked.sent[operation]:
            faults.append(f"{member} was never taken")
        elif model.inside(member.shape).type_name != "structure" and member.path not in walked.effects[operation]:
            faults.append(f"{member} was taken without an effect")
    return faults


def output_faults(walked: Walker, operation: str, shape: Shape | None) -> list[str]:
    expected = [member for member in model.members(shape) if not documented(member)]
    unseen = [f"{m} was never seen" for m in expected if (m.owners[-1], m.name) not in walked.seen]
    return unseen + [
        f"{m} was never in its answer"
        for m in expected
        if len(m.path) == 1 and m.name not in walked.answered[operation]
    ]


@pytest.mark.parametrize("operation", PRESENT)
def test_every_input_member_has_an_effect_or_a_reason(walked: Walker, operation: str) -> None:
    faults = input_faults(walked, operation, model.operation(operation).input_shape)
    assert not faults, "\n".join(faults)


def test_a_new_version_of_the_model_shows_what_it_has_added(walked: Walker) -> None:
    """As CreateVpc would be if AWS added a member of its own and one deeper in its answer."""
    data = copy.deepcopy(codec.service("ec2")._service_description)
    data["shapes"]["CreateVpcRequest"]["members"]["Colour"] = {"shape": "String"}
    data["shapes"]["VpcCidrBlockState"]["members"]["Since"] = {"shape": "String"}
    later = ServiceModel(data).operation_model("CreateVpc")
    assert input_faults(walked, "CreateVpc", later.input_shape) == ["Colour was never taken"]
    assert output_faults(walked, "CreateVpc", later.output_shape) == [
        "Vpc.CidrBlockAssociationSet.CidrBlockState.Since was never seen"
    ]


@pytest.mark.parametrize("operation", PRESENT)
def test_every_output_member_is_seen_or_has_a_reason(walked: Walker, operation: str) -> None:
    faults = output_faults(walked, operation, model.operation(operation).output_shape)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("operation", [name for name in PRESENT if model.filters(name)])
def test_every_filter_finds_or_has_a_reason(walked: Walker, operation: str) -> None:
    untried = [name for name in model.filters(operation) if name not in walked.filtered[operation]]
    assert not untried, "\n".join(untried)


@pytest.mark.parametrize("operation", PRESENT)
def test_every_value_is_taken_or_has_a_reason(walked: Walker, operation: str) -> None:
    faults = []
    for member in model.members(model.operation(operation).input_shape):
        owner, name = list(member.keys)[-1]
        if documented(member) or reason(owner, f"{name}=*"):
            continue
        values = set(model.enum(member.shape)) - walked.values[operation, member.path]
        faults += [f"{member} = {value}" for value in sorted(values) if not reason(owner, f"{name}={value}")]
    assert not faults, "\n".join(faults)


def test_every_paginator_and_waiter_works(walked: Walker) -> None:
    assert walked.paged == model.paginated() & set(PRESENT)
    assert walked.waited == {waiter for waiter, operation in model.waiters().items() if operation in PRESENT}


def test_dry_runs_were_made_wherever_there_are_any(walked: Walker) -> None:
    assert set(PRESENT) - walked.called == ALWAYS_REFUSED
    shapes = {operation: model.operation(operation).input_shape for operation in walked.called}
    assert walked.dry_run == {operation for operation, shape in shapes.items() if shape and "DryRun" in shape.members}


def test_no_difference_is_of_what_the_model_does_not_have() -> None:
    known: dict[str, set[str]] = {}
    for operation in SCOPE:
        shapes = model.operation(operation)
        for member in (*model.members(shapes.input_shape), *model.members(shapes.output_shape)):
            names = known.setdefault(member.owners[-1], set())
            names |= {member.name, *(f"{member.name}={value}" for value in ("*", *model.enum(member.shape)))}
            if not model.enum(member.shape):  # the values of many are in the model's words only
                names |= {key for key in MEMBERS.get(member.owners[-1], {}) if key.startswith(f"{member.name}=")}
    stale = [
        f"{shape}.{name}" for shape, table in MEMBERS.items() for name in table if name not in known.get(shape, ())
    ]
    stale += [f"{op}: {name}" for op, table in FILTERS.items() for name in table if name not in model.filters(op)]
    assert not stale, "\n".join(stale)


def test_the_page_is_as_the_tables_are() -> None:
    written = Path(__file__).parents[2] / "docs" / "api.md"
    assert written.read_text() == page(), "python -m tests.contract.walk.page > docs/api.md"
