// The life of a VPN connection with the AWS SDK for JavaScript, version 3. See ../__main__.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import * as ec2 from "@aws-sdk/client-ec2";

const life = JSON.parse(readFileSync(process.argv[2], "utf8"));
const client = new ec2.EC2Client({ maxAttempts: 1 });
const call = (operation, parameters = {}) => client.send(new ec2[`${operation}Command`](parameters));
const quick = { client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };

// Requests and answers spell three members differently.
const ANSWERED = { IKEVersions: "IkeVersions", DPDTimeoutSeconds: "DpdTimeoutSeconds", DPDTimeoutAction: "DpdTimeoutAction" };

function hasAll(found, wanted) {
  for (const [name, value] of Object.entries(wanted)) {
    const got = found[ANSWERED[name] ?? name];
    if (Array.isArray(value) || typeof value !== "object") assert.deepEqual(got, value, name);
    else hasAll(got, value);
  }
}

async function refused(code, operation, parameters) {
  await assert.rejects(call(operation, parameters), (error) => {
    assert.ok(error instanceof ec2.EC2ServiceException);
    assert.equal(error.name, code);
    assert.ok(error.message.length > 10);
    assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
    assert.equal(error.$metadata.httpStatusCode, code === "DryRunOperation" ? 412 : 400);
    return true;
  });
}

async function connection(id) {
  return (await call("DescribeVpnConnections", { VpnConnectionIds: [id] })).VpnConnections[0];
}

async function until(what, condition) {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await condition()) return;
    await sleep(100);
  }
  assert.fail(`${what}: not within 10 s`);
}

const vpc = (await call("CreateVpc", { CidrBlock: "10.0.0.0/16" })).Vpc.VpcId;
await ec2.waitUntilVpcAvailable(quick, { VpcIds: [vpc] });
const customer = (await call("CreateCustomerGateway", life.customerGateway)).CustomerGateway;
assert.equal(customer.State, "available");
assert.equal(customer.BgpAsn, "65010");
await ec2.waitUntilCustomerGatewayAvailable(quick, { CustomerGatewayIds: [customer.CustomerGatewayId] });
const gateway = (await call("CreateVpnGateway", life.vpnGateway)).VpnGateway;
assert.equal(gateway.AmazonSideAsn, 64700);
const gatewayId = gateway.VpnGatewayId;
const attachments = async () =>
  (await call("DescribeVpnGateways", { VpnGatewayIds: [gatewayId] })).VpnGateways[0].VpcAttachments;
await call("AttachVpnGateway", { VpcId: vpc, VpnGatewayId: gatewayId });
await until("attached", async () => (await attachments())[0].State === "attached");

const targets = { CustomerGatewayId: customer.CustomerGatewayId, VpnGatewayId: gatewayId };
const made = (await call("CreateVpnConnection", { ...life.connection, ...targets })).VpnConnection;
const id = made.VpnConnectionId;
assert.equal(made.State, "pending");
await ec2.waitUntilVpnConnectionAvailable(quick, { VpnConnectionIds: [id] });

const before = await connection(id);
assert.equal(before.GatewayAssociationState, "associated");
assert.deepEqual(before.Tags, life.connection.TagSpecifications[0].Tags);
const { TunnelOptions: tunnels, ...options } = life.connection.Options;
hasAll(before.Options, options);
tunnels.forEach((tunnel, index) => hasAll(before.Options.TunnelOptions[index], tunnel));
assert.equal(before.VgwTelemetry.length, 2);
for (const tunnel of before.VgwTelemetry) {
  assert.equal(tunnel.Status, "DOWN");
  assert.ok(tunnel.LastStatusChange instanceof Date);
}

const [first, second] = before.Options.TunnelOptions;
await call("ModifyVpnTunnelOptions", {
  VpnConnectionId: id,
  VpnTunnelOutsideIpAddress: first.OutsideIpAddress,
  TunnelOptions: life.change,
});
await until("available after the change", async () => (await connection(id)).State === "available");
const after = await connection(id);
hasAll(after.Options.TunnelOptions[0], { ...tunnels[0], ...life.change });
assert.equal(after.Options.TunnelOptions[0].OutsideIpAddress, first.OutsideIpAddress);
assert.deepEqual(after.Options.TunnelOptions[1], second);
assert.ok(after.CustomerGatewayConfiguration.includes(life.change.PreSharedKey));

await refused("InvalidVpnConnectionID.NotFound", "DescribeVpnConnections", { VpnConnectionIds: ["vpn-0123456789abcdef0"] });
await refused("InvalidCustomerGatewayID.NotFound", "CreateVpnConnection", { Type: "ipsec.1", CustomerGatewayId: "cgw-0123456789abcdef0" });
await refused("InvalidParameterValue", "CreateVpnConnection", { Type: "ipsec.1", ...targets, Options: { TunnelOptions: [{ PreSharedKey: "0starts_with_zero" }] } });
await refused("IncorrectState", "DeleteCustomerGateway", { CustomerGatewayId: customer.CustomerGatewayId });
await refused("DryRunOperation", "DeleteVpnConnection", { VpnConnectionId: id, DryRun: true });

await call("DeleteVpnConnection", { VpnConnectionId: id });
await ec2.waitUntilVpnConnectionDeleted(quick, { VpnConnectionIds: [id] });
await call("DetachVpnGateway", { VpcId: vpc, VpnGatewayId: gatewayId });
await until("detached", async () => (await attachments()).every(({ State }) => State === "detached"));
await call("DeleteVpnGateway", { VpnGatewayId: gatewayId });
await call("DeleteCustomerGateway", { CustomerGatewayId: customer.CustomerGatewayId });
await call("DeleteVpc", { VpcId: vpc });
assert.deepEqual((await call("DescribeVpcs")).Vpcs, []);
