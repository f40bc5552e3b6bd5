"""Steps 5 and 6: the customer's router, from the sample configuration alone, and what the cloud then sees."""

from __future__ import annotations

from typing import Final

from twinbore.lab.namespaces import CommandFailed, run
from twinbore.lab.scenario import Scenario, check
from twinbore.lab.topology import LAN_PREFIX

KERNEL_ESP: Final = "Linux, xfrm interfaces"
USER_SPACE_ESP: Final = "Linux, user-space ESP"
_TUNNEL_SECONDS: Final = 30.0
_TRY_ESP: Final = """\
ip link add name xfrm-test type xfrm dev lo if_id 1
ip xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi 0x1000 mode tunnel \\
    aead "rfc4106(gcm(aes))" 0x0102030405060708090a0b0c0d0e0f1011121314 128
"""


def configure_router(s: Scenario, *arguments: str, ike_version: str = "ikev2") -> str:
    """Downloads the configuration for the type of device that fits this kernel, and runs it as it is.

    `arguments` are the script's own, for example the networks behind the gateway where BGP does not tell them. A
    sample with IKEv1 is of the type compatibility, as AWS has it.
    """
    types = s.ec2.call("GetVpnConnectionDeviceTypes")["VpnConnectionDeviceTypes"]
    platforms = {device["Platform"]: device["VpnConnectionDeviceTypeId"] for device in types}
    platform = KERNEL_ESP if kernel_has_esp() else USER_SPACE_ESP
    check(platform in platforms, f"a device type for {platform!r}, found {sorted(platforms)}")
    text = s.ec2.call(
        "GetVpnConnectionDeviceSampleConfiguration",
        VpnConnectionId=s.ids.vpn_connection,
        VpnConnectionDeviceTypeId=platforms[platform],
        InternetKeyExchangeVersion=ike_version,
        SampleType="recommended" if ike_version == "ikev2" else "compatibility",
    )["VpnConnectionDeviceSampleConfiguration"]
    for identifier in (s.ids.vpn_connection, s.ids.vpn_gateway, s.ids.customer_gateway):
        check(identifier in text, f"{identifier} in the header of the sample configuration")
    s.customer_script.touch(mode=0o600)
    s.customer_script.write_text(text)
    s.lab.undo_with(["ip", "netns", "exec", s.router, "sh", str(s.customer_script), "down"])
    s.customer("up", *arguments)
    return f"{len(types)} device types; the one for {platform!r} was run unmodified: stock strongSwan and FRR."


def wait_for_tunnels(s: Scenario) -> str:
    """Both tunnels are UP and the LAN's prefix is in the route table."""
    _, seconds = s.within(
        _TUNNEL_SECONDS,
        "both tunnels UP with BGP routes",
        lambda: [(t["Status"], t["StatusMessage"]) for t in s.telemetry()] == [("UP", "1 BGP ROUTES")] * 2,
    )
    route = {
        "DestinationCidrBlock": LAN_PREFIX,
        "GatewayId": s.ids.vpn_gateway,
        "Origin": "EnableVgwRoutePropagation",
        "State": "active",
    }
    s.within(5, f"{LAN_PREFIX} in the route table", lambda: route in s.routes())
    return f"Both UP after {seconds:.1f} s with 1 BGP ROUTES each; {LAN_PREFIX} is propagated to the route table."


def kernel_has_esp() -> bool:
    """Whether this kernel has xfrm interfaces and ESP; tried in a network namespace that is gone afterwards."""
    try:
        run(["unshare", "--net", "sh", "-ec", _TRY_ESP])
    except CommandFailed:
        return False
    return True
