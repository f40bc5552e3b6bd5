// The life of a VPN connection with the AWS SDK for Go, version 2. See ../__main__.py.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
)

const (
	interval = 200 * time.Millisecond
	patience = 30 * time.Second
)

// What is sent, read from life.json: the SDK's input structures have the API's names.
type life struct {
	CustomerGateway ec2.CreateCustomerGatewayInput
	VpnGateway      ec2.CreateVpnGatewayInput
	Connection      ec2.CreateVpnConnectionInput
	Change          types.ModifyVpnTunnelOptionsSpecification
}

var (
	ctx    = context.Background()
	client *ec2.Client
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func check(holds bool, what string, values ...any) {
	if !holds {
		log.Fatalf("%s: %v", what, values)
	}
}

// fields gives a structure as a map of its members that are set, by the names that requests have.
func fields(structure any) map[string]any {
	var found map[string]any
	if err := json.Unmarshal(must(json.Marshal(structure)), &found); err != nil {
		log.Fatal(err)
	}
	for answered, asked := range map[string]string{
		"IkeVersions": "IKEVersions", "DpdTimeoutSeconds": "DPDTimeoutSeconds", "DpdTimeoutAction": "DPDTimeoutAction",
	} {
		if value, ok := found[answered]; ok {
			found[asked] = value
		}
	}
	for name, value := range found {
		if value == nil || value == "" {
			delete(found, name)
		}
	}
	return found
}

// hasAll tells whether everything that is wanted was found; lists are compared whole.
func hasAll(found, wanted map[string]any) {
	for name, value := range wanted {
		if inner, ok := value.(map[string]any); ok {
			outer, _ := found[name].(map[string]any)
			delete(inner, "ResultMetadata")
			for key, member := range inner {
				if member != nil && member != "" {
					hasAll(outer, map[string]any{key: member})
				}
			}
			continue
		}
		check(reflect.DeepEqual(found[name], value), name, found[name], value)
	}
}

func refused(code string, status int, err error) {
	var failure smithy.APIError
	var response *awshttp.ResponseError
	check(errors.As(err, &failure), "no API error", err)
	check(failure.ErrorCode() == code && len(failure.ErrorMessage()) > 10, "another error than "+code, err)
	check(errors.As(err, &response) && response.HTTPStatusCode() == status, "HTTP status", err)
	check(len(response.ServiceRequestID()) == 36, "request id", response.ServiceRequestID())
}

func until(what string, condition func() bool) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(interval) {
		if condition() {
			return
		}
	}
	log.Fatalf("%s: not within %s", what, patience)
}

func connection(id string) types.VpnConnection {
	answer := must(client.DescribeVpnConnections(ctx, &ec2.DescribeVpnConnectionsInput{VpnConnectionIds: []string{id}}))
	check(len(answer.VpnConnections) == 1, "one connection", answer.VpnConnections)
	return answer.VpnConnections[0]
}

func attachments(gateway string) []types.VpcAttachment {
	answer := must(client.DescribeVpnGateways(ctx, &ec2.DescribeVpnGatewaysInput{VpnGatewayIds: []string{gateway}}))
	return answer.VpnGateways[0].VpcAttachments
}

func main() {
	log.SetFlags(0)
	var send life
	if err := json.Unmarshal(must(os.ReadFile(os.Args[1])), &send); err != nil {
		log.Fatal(err)
	}
	client = ec2.NewFromConfig(must(config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))))

	vpc := must(client.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})).Vpc.VpcId
	available := ec2.NewVpcAvailableWaiter(client, func(o *ec2.VpcAvailableWaiterOptions) { o.MinDelay = interval })
	must(0, available.Wait(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*vpc}}, patience))
	customer := must(client.CreateCustomerGateway(ctx, &send.CustomerGateway)).CustomerGateway
	check(*customer.State == "available" && *customer.BgpAsn == "65010", "customer gateway", *customer.State, *customer.BgpAsn)
	gateway := must(client.CreateVpnGateway(ctx, &send.VpnGateway)).VpnGateway
	check(*gateway.AmazonSideAsn == 64700, "ASN", *gateway.AmazonSideAsn)
	must(client.AttachVpnGateway(ctx, &ec2.AttachVpnGatewayInput{VpcId: vpc, VpnGatewayId: gateway.VpnGatewayId}))
	until("attached", func() bool {
		return attachments(*gateway.VpnGatewayId)[0].State == types.AttachmentStatusAttached
	})

	send.Connection.CustomerGatewayId = customer.CustomerGatewayId
	send.Connection.VpnGatewayId = gateway.VpnGatewayId
	made := must(client.CreateVpnConnection(ctx, &send.Connection)).VpnConnection
	check(made.State == types.VpnStatePending, "state of the new connection", made.State)
	id := *made.VpnConnectionId
	which := &ec2.DescribeVpnConnectionsInput{VpnConnectionIds: []string{id}}
	ready := ec2.NewVpnConnectionAvailableWaiter(client, func(o *ec2.VpnConnectionAvailableWaiterOptions) { o.MinDelay = interval })
	must(0, ready.Wait(ctx, which, patience))

	before := describe(id, send)
	change(id, send, before)
	provoke(id, send)

	must(client.DeleteVpnConnection(ctx, &ec2.DeleteVpnConnectionInput{VpnConnectionId: &id}))
	deleted := ec2.NewVpnConnectionDeletedWaiter(client, func(o *ec2.VpnConnectionDeletedWaiterOptions) { o.MinDelay = interval })
	must(0, deleted.Wait(ctx, which, patience))
	must(client.DetachVpnGateway(ctx, &ec2.DetachVpnGatewayInput{VpcId: vpc, VpnGatewayId: gateway.VpnGatewayId}))
	until("detached", func() bool {
		found := attachments(*gateway.VpnGatewayId)
		return len(found) == 0 || found[0].State == types.AttachmentStatusDetached
	})
	must(client.DeleteVpnGateway(ctx, &ec2.DeleteVpnGatewayInput{VpnGatewayId: gateway.VpnGatewayId}))
	must(client.DeleteCustomerGateway(ctx, &ec2.DeleteCustomerGatewayInput{CustomerGatewayId: customer.CustomerGatewayId}))
	must(client.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: vpc}))
	check(len(must(client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})).Vpcs) == 0, "VPCs are left")
}

// describe compares everything that was asked for with what is shown.
func describe(id string, send life) types.VpnConnection {
	found := connection(id)
	check(found.GatewayAssociationState == types.GatewayAssociationStateAssociated, "association", found.GatewayAssociationState)
	check(reflect.DeepEqual(fields(found.Tags[0]), fields(send.Connection.TagSpecifications[0].Tags[0])), "tags", found.Tags)
	options := fields(send.Connection.Options)
	delete(options, "TunnelOptions")
	hasAll(fields(found.Options), options)
	for number, tunnel := range send.Connection.Options.TunnelOptions {
		hasAll(fields(found.Options.TunnelOptions[number]), fields(tunnel))
	}
	check(len(found.VgwTelemetry) == 2, "telemetry", found.VgwTelemetry)
	for _, tunnel := range found.VgwTelemetry {
		check(tunnel.Status == types.TelemetryStatusDown && time.Since(*tunnel.LastStatusChange) < time.Hour, "telemetry", tunnel)
	}
	return found
}

// change gives tunnel 1 another key and other parameters; tunnel 2 stays as it is.
func change(id string, send life, before types.VpnConnection) {
	first := before.Options.TunnelOptions[0]
	must(client.ModifyVpnTunnelOptions(ctx, &ec2.ModifyVpnTunnelOptionsInput{
		VpnConnectionId: &id, VpnTunnelOutsideIpAddress: first.OutsideIpAddress, TunnelOptions: &send.Change,
	}))
	until("available after the change", func() bool { return connection(id).State == types.VpnStateAvailable })
	after := connection(id)
	wanted := fields(send.Connection.Options.TunnelOptions[0])
	for name, value := range fields(send.Change) {
		wanted[name] = value
	}
	hasAll(fields(after.Options.TunnelOptions[0]), wanted)
	check(*after.Options.TunnelOptions[0].OutsideIpAddress == *first.OutsideIpAddress, "outside address")
	check(reflect.DeepEqual(after.Options.TunnelOptions[1], before.Options.TunnelOptions[1]), "tunnel 2 has changed")
	check(strings.Contains(*after.CustomerGatewayConfiguration, *send.Change.PreSharedKey), "the new key is not in the configuration")
}

// provoke makes requests that are refused, each with the code that AWS has for it.
func provoke(id string, send life) {
	_, err := client.DescribeVpnConnections(ctx, &ec2.DescribeVpnConnectionsInput{VpnConnectionIds: []string{"vpn-0123456789abcdef0"}})
	refused("InvalidVpnConnectionID.NotFound", 400, err)
	_, err = client.CreateVpnConnection(ctx, &ec2.CreateVpnConnectionInput{
		Type: aws.String("ipsec.1"), CustomerGatewayId: aws.String("cgw-0123456789abcdef0"),
	})
	refused("InvalidCustomerGatewayID.NotFound", 400, err)
	wrong := types.VpnTunnelOptionsSpecification{PreSharedKey: aws.String("0starts_with_zero")}
	_, err = client.CreateVpnConnection(ctx, &ec2.CreateVpnConnectionInput{
		Type: aws.String("ipsec.1"), CustomerGatewayId: send.Connection.CustomerGatewayId,
		Options: &types.VpnConnectionOptionsSpecification{TunnelOptions: []types.VpnTunnelOptionsSpecification{wrong}},
	})
	refused("InvalidParameterValue", 400, err)
	_, err = client.DeleteCustomerGateway(ctx, &ec2.DeleteCustomerGatewayInput{CustomerGatewayId: send.Connection.CustomerGatewayId})
	refused("IncorrectState", 400, err)
	_, err = client.DeleteVpnConnection(ctx, &ec2.DeleteVpnConnectionInput{VpnConnectionId: &id, DryRun: aws.Bool(true)})
	refused("DryRunOperation", 412, err)
}
