"""What keys with a role or a policy may do, as clients see it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract import vpn
from tests.contract.conftest import Service
from tests.contract.keys import as_key, as_reader, statement
from tests.contract.raw import get, presigned, signed
from tests.contract.vpn import refused
from twinbore.api.access_keys import delete_key, disable_key
from twinbore.devices.catalogue import device_types

KEYS = ("first.key_of_the.connection", "second.key_of_the.connection")


def options() -> dict[str, Any]:
    return {"TunnelOptions": [{"PreSharedKey": key} for key in KEYS]}


def error(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def account(service: Service) -> str:
    return str(service.client("sts").get_caller_identity()["Account"])


def arn(service: Service, kind: str, identifier: str) -> str:
    return f"arn:aws:ec2:{service.settings.region}:{account(service)}:{kind}/{identifier}"


def test_a_reader_reads_and_changes_nothing(service: Service, ec2: Any) -> None:
    made = vpn.connection(service, ec2)
    reader = as_reader(service, "auditor").client()
    assert reader.describe_vpn_connections()["VpnConnections"][0]["VpnConnectionId"] == made
    assert reader.get_vpn_connection_device_types()["VpnConnectionDeviceTypes"]
    with refused(service, "UnauthorizedOperation", "user/auditor is not authorized to perform: ec2:CreateVpc"):
        reader.create_vpc(CidrBlock="10.0.0.0/16")
    with refused(service, "UnauthorizedOperation", made):
        reader.delete_vpn_connection(VpnConnectionId=made)
    with refused(service, "UnauthorizedOperation", "ec2:CreateTags"):
        reader.create_tags(Resources=[made], Tags=[{"Key": "k", "Value": "v"}])


def test_a_refusal_on_the_wire(service: Service) -> None:
    answer = signed(as_reader(service, "auditor"), "CreateVpc", {"CidrBlock": "10.0.0.0/16"})
    assert answer.status == 403
    owner = account(service)
    words = (
        f"You are not authorized to perform this operation. User: arn:aws:iam::{owner}:user/auditor is not authorized "
        f"to perform: ec2:CreateVpc on resource: arn:aws:ec2:us-east-1:{owner}:vpc/* because no identity-based policy "
        "allows the ec2:CreateVpc action"
    )
    request_id = answer.headers["x-amzn-requestid"]
    assert answer.text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code>'
        f"<Message>{words}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
    )


def test_a_policy_for_one_connection(service: Service, ec2: Any) -> None:
    customer, gateway = vpn.customer_gateway(ec2), vpn.vpn_gateway(ec2)
    static = {"StaticRoutesOnly": True}
    mine = vpn.connect(ec2, customer, gateway, Options=static)["VpnConnectionId"]
    other = vpn.connect(ec2, vpn.customer_gateway(ec2, IpAddress="192.0.2.11"), gateway, Options=static)[
        "VpnConnectionId"
    ]
    service.settle()
    keeper = as_key(
        service, statement("Allow", "ec2:*VpnConnectionRoute", arn(service, "vpn-connection", mine))
    ).client()
    keeper.create_vpn_connection_route(VpnConnectionId=mine, DestinationCidrBlock="10.9.0.0/16")
    with refused(service, "UnauthorizedOperation", f"vpn-connection/{other} because no identity-based policy allows"):
        keeper.create_vpn_connection_route(VpnConnectionId=other, DestinationCidrBlock="10.9.0.0/16")
    with refused(service, "UnauthorizedOperation", "ec2:DescribeVpnConnections because"):
        keeper.describe_vpn_connections(VpnConnectionIds=[mine])
    with refused(service, "UnauthorizedOperation", "ec2:ReplaceVpnTunnel on"):
        keeper.replace_vpn_tunnel(VpnConnectionId=mine, VpnTunnelOutsideIpAddress="203.0.113.1")
    keeper.delete_vpn_connection_route(VpnConnectionId=mine, DestinationCidrBlock="10.9.0.0/16")


def test_a_denial_wins(service: Service, ec2: Any) -> None:
    first, second = vpn.vpc(ec2), vpn.vpc(ec2, "10.1.0.0/16")
    careful = as_key(
        service, statement("Allow", "*"), statement("Deny", "ec2:Delete*", arn(service, "vpc", first))
    ).client()
    with refused(service, "UnauthorizedOperation", "with an explicit deny in an identity-based policy"):
        careful.delete_vpc(VpcId=first)
    careful.delete_vpc(VpcId=second)


def test_a_denial_of_a_group_holds_for_its_name_too(service: Service, ec2: Any) -> None:
    ec2.create_default_vpc()
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    rule = ec2.authorize_security_group_ingress(
        GroupName="web", IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
    )
    other = ec2.create_security_group(GroupName="other", Description="d")["GroupId"]
    careful = as_key(
        service, statement("Allow", "*"), statement("Deny", "ec2:*", arn(service, "security-group", group))
    ).client()
    for request in ({"GroupId": group}, {"GroupName": "web"}):
        with refused(service, "UnauthorizedOperation", group, "explicit deny"):
            careful.delete_security_group(**request)
    with refused(service, "UnauthorizedOperation", group):
        careful.authorize_security_group_ingress(GroupName="other", SourceSecurityGroupName="web")
    with refused(service, "UnauthorizedOperation", group):
        careful.authorize_security_group_ingress(
            GroupId=other, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupName": "web"}]}]
        )
    with refused(service, "UnauthorizedOperation", group):
        careful.revoke_security_group_ingress(
            GroupId=other, SecurityGroupRuleIds=[rule["SecurityGroupRules"][0]["SecurityGroupRuleId"]]
        )
    careful.delete_security_group(GroupName="other")


def test_a_denial_of_what_an_association_joins(service: Service, ec2: Any) -> None:
    vpc_id = vpn.vpc(ec2)
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    joined = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    acl = ec2.create_network_acl(VpcId=vpc_id)["NetworkAcl"]["NetworkAclId"]
    default = next(a for a in ec2.describe_network_acls()["NetworkAcls"] if a["IsDefault"] and a["VpcId"] == vpc_id)
    by_default = default["Associations"][0]["NetworkAclAssociationId"]
    block = ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    service.settle()
    for kind, identifier, call, request in (
        ("route-table", table, "disassociate_route_table", {"AssociationId": joined}),
        ("subnet", subnet, "disassociate_route_table", {"AssociationId": joined}),
        ("network-acl", default["NetworkAclId"], "replace_network_acl_association",
         {"AssociationId": by_default, "NetworkAclId": acl}),
        ("vpc", vpc_id, "disassociate_vpc_cidr_block", {"AssociationId": block}),
    ):  # fmt: skip
        denial = statement("Deny", "ec2:*", arn(service, kind, identifier))
        careful = as_key(service, statement("Allow", "*"), denial).client()
        with refused(service, "UnauthorizedOperation", identifier, "explicit deny"):
            getattr(careful, call)(**request)
    allowed = as_key(
        service,
        statement(
            "Allow", "ec2:DisassociateRouteTable", [arn(service, "route-table", table), arn(service, "subnet", subnet)]
        ),
    ).client()
    allowed.disassociate_route_table(AssociationId=joined)
    with refused(service, "UnauthorizedOperation", f"route-table-association/{joined}"):  # it joins nothing any more
        allowed.disassociate_route_table(AssociationId=joined)


def test_a_dry_run_asks_for_permission_as_well(service: Service, ec2: Any) -> None:
    reader = as_reader(service).client()
    before = service.dump()
    for client, operation, answer in (
        (ec2, "create_vpc", (412, "DryRunOperation")),
        (reader, "create_vpc", (403, "UnauthorizedOperation")),
        (reader, "describe_vpcs", (412, "DryRunOperation")),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(DryRun=True, **({"CidrBlock": "10.0.0.0/16"} if "create" in operation else {}))
        assert error(caught) == answer
    assert service.dump() == before


def test_a_refusal_does_not_tell_what_exists(service: Service, ec2: Any) -> None:
    there = vpn.vpc(ec2)
    reader = as_reader(service).client()
    messages = set()
    for identifier in (there, "vpc-0123456789abcdef0"):
        with pytest.raises(ClientError) as caught:
            reader.delete_vpc(VpcId=identifier)
        messages.add(caught.value.response["Error"]["Message"].replace(identifier, "ID"))
    assert len(messages) == 1


def test_a_disabled_key(service: Service) -> None:
    other = as_key(service, role="administrator")
    with service.database.write(bump=False) as tx:
        disable_key(tx, other.access_key_id, force=False)
    with pytest.raises(ClientError, match="is disabled") as caught:
        other.client().describe_vpcs()
    assert error(caught) == (401, "AuthFailure")
    wrong = signed(other, "DescribeVpcs", secret="x" * 40)
    assert wrong.status == 401
    assert "disabled" not in wrong.text  # who does not know the secret learns nothing of the key
    with pytest.raises(ClientError):
        other.client("sts").get_caller_identity()


def views(client: Any, connection_id: str) -> dict[str, str]:
    """Every text in which the API shows a connection's keys to somebody."""
    described = vpn.described(client, connection_id)
    texts = {
        "options": str([tunnel["PreSharedKey"] for tunnel in described["Options"]["TunnelOptions"]]),
        "xml": described["CustomerGatewayConfiguration"],
    }
    for device in device_types():
        if "bgp" in device.routing and not device.needs:
            texts[device.id] = client.get_vpn_connection_device_sample_configuration(
                VpnConnectionId=connection_id, VpnConnectionDeviceTypeId=device.id
            )["VpnConnectionDeviceSampleConfiguration"]
    return texts


def test_keys_are_shown_to_who_may_set_them(service: Service, ec2: Any) -> None:
    connection_id = vpn.connection(service, ec2, Options=options())
    for name, text in views(ec2, connection_id).items():
        assert all(key in text for key in KEYS), name
    keeper = as_key(
        service,
        statement("Allow", ["ec2:Describe*", "ec2:Get*"]),
        statement("Allow", "ec2:ModifyVpnTunnelOptions", arn(service, "vpn-connection", connection_id)),
    ).client()
    assert views(keeper, connection_id)["options"] == str(list(KEYS))
    for name, text in views(as_reader(service).client(), connection_id).items():
        assert not any(key in text for key in KEYS), name
        assert text.count("REDACTED") >= len(KEYS), name


def test_keys_do_not_leave_by_the_answers_of_changes(service: Service, ec2: Any) -> None:
    """Who may change a connection and not its keys is answered with what it was changed to, without them."""
    customer, gateway = vpn.customer_gateway(ec2), vpn.vpn_gateway(ec2)
    careful = as_key(service, statement("Allow", "*"), statement("Deny", "ec2:ModifyVpnTunnelOptions"))
    client = careful.client()
    made = vpn.connect(client, customer, gateway, Options=options())
    service.settle()
    other = vpn.customer_gateway(ec2, IpAddress="192.0.2.11")
    identifier = made["VpnConnectionId"]
    answers = [
        made,
        vpn.connect(client, customer, gateway, Options=options()),
        client.modify_vpn_connection_options(VpnConnectionId=identifier, LocalIpv4NetworkCidr="10.0.0.0/8"),
    ]
    service.settle()
    answers.append(client.modify_vpn_connection(VpnConnectionId=identifier, CustomerGatewayId=other))
    service.settle()
    answers.append(client.describe_vpn_connections())
    for answer in answers:
        assert "REDACTED" in str(answer)
        assert not any(key in str(answer) for key in KEYS)


def test_no_operation_that_only_reads_answers_with_a_key(service: Service, ec2: Any) -> None:
    """Whatever it answers: no answer of any operation to a reader has a pre-shared key in it."""
    connection_id = vpn.connection(service, ec2, Options=options())
    tunnel = vpn.described(ec2, connection_id)["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
    reader = as_reader(service)
    of_tunnel = {"VpnConnectionId": connection_id, "VpnTunnelOutsideIpAddress": tunnel}
    texts = [
        signed(reader, action, parameters).text
        for action, parameters in (
            ("DescribeVpnConnections", {}),
            ("DescribeTags", {}),
            ("GetActiveVpnTunnelStatus", of_tunnel),
            ("GetVpnTunnelReplacementStatus", of_tunnel),
            ("GetVpnConnectionDeviceTypes", {}),
        )
    ]
    assert not [text for text in texts if any(key in text for key in KEYS)]
    assert all("Error" not in text for text in texts)


def test_who_am_i_with_a_name(service: Service) -> None:
    named = as_reader(service, "auditor@example.org").client("sts").get_caller_identity()
    assert named["Arn"] == f"arn:aws:iam::{named['Account']}:user/auditor@example.org"
    assert named["UserId"].startswith("AKIA")
    assert account(service) == named["Account"]


def test_everybody_may_ask_who_he_is(service: Service) -> None:
    """As AWS says of GetCallerIdentity: no permission is needed, and a denial changes nothing."""
    nobody = as_key(service, statement("Deny", "*"))
    assert nobody.client("sts").get_caller_identity()["Account"] == account(service)
    with pytest.raises(ClientError, match="explicit deny"):
        nobody.client().describe_vpcs()


def test_a_presigned_query_may_do_what_its_key_may(service: Service) -> None:
    reader = as_reader(service)
    assert get(reader, presigned(reader, "DescribeVpcs")).status == 200
    answer = get(reader, presigned(reader, "CreateVpc", "CidrBlock=10.0.0.0%2F16"))
    assert (answer.status, "UnauthorizedOperation" in answer.text) == (403, True)


def test_a_presigned_query_of_a_key_that_is_gone(service: Service) -> None:
    other = as_key(service, role="administrator")
    target = presigned(other, "DescribeVpcs", expires=3600)
    with service.database.write(bump=False) as tx:
        delete_key(tx, other.access_key_id, force=False)
    assert get(other, target).status == 401
