"""`twinbore up` with a certificate, as a process: AWS's clients over HTTPS, renewals, where it refuses to listen."""

from __future__ import annotations

import configparser
import http.client
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import structlog
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, SSLError
from click.testing import CliRunner
from starlette.types import Receive, Scope, Send

from tests.unit.certificates import Pair, authority, issued
from twinbore.cli.main import main
from twinbore.cli.tls import Certificate

MAIN = "from twinbore.cli.main import main; main()"
LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """The running service, its authority, and the directory that `cert.pem` and `key.pem` are in."""

    port: int
    ca: Pair
    bundle: Path
    directory: Path

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.directory / "state" / "credentials"),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"https://localhost:{self.port}",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def client(self, scheme: str = "https", host: str = "localhost", **changes: Any) -> Any:
        credentials = configparser.ConfigParser()
        credentials.read(self.directory / "state" / "credentials")
        options: dict[str, Any] = {
            "endpoint_url": f"{scheme}://{host}:{self.port}",
            "region_name": "us-east-1",
            "config": Config(retries={"total_max_attempts": 1}),
            "verify": str(self.bundle),
        }
        return boto3.client("ec2", **(dict(credentials["default"]) | options | changes))

    def aws(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("aws")), *words]
        return subprocess.run(
            command, env=self.environment() | environment, capture_output=True, text=True, timeout=60, check=False
        )

    def shown(self, context: ssl.SSLContext) -> bytes:
        """The certificate that a client is shown."""
        with (
            socket.create_connection(("127.0.0.1", self.port), 10) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
        assert shown is not None
        return shown

    def log(self) -> str:
        return (self.directory / "log").read_text()


@contextmanager
def running(directory: Path, listen: str, *words: str | Path) -> Iterator[None]:
    """`twinbore up` with `directory` as its working directory, answering; what it says is in the file `log` there."""
    host, _, port = listen.rpartition(":")
    options = ["up", "--engines", "fake", "--state", directory / "state", "--listen", listen, *words]
    with (directory / "log").open("wb") as log:
        command = [sys.executable, "-c", MAIN, *map(str, options)]
        process = subprocess.Popen(command, cwd=directory, stderr=log, stdout=log)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            assert process.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    break
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("tls")
    ca = authority()
    certificate, key = issued(ca).write(directory)
    bundle = directory / "ca.pem"
    bundle.write_bytes(ca.pem)
    port = free_port()
    with running(directory, f"127.0.0.1:{port}", "--tls-cert", certificate.name, "--tls-key", key):
        yield Server(port, ca, bundle, directory)


def test_the_log_names_the_endpoint_and_the_certificate(server: Server) -> None:
    assert f"https://127.0.0.1:{server.port}" in server.log()
    assert "localhost, 127.0.0.1" in server.log()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_boto3_with_a_bundle(server: Server, host: str) -> None:
    ec2 = server.client(host=host)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.0.0.0/16"
    ec2.delete_vpc(VpcId=vpc)


def test_boto3_without_the_bundle_trusts_nobody(server: Server) -> None:
    with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        server.client(verify=True).describe_vpcs()


def test_boto3_with_another_authority(server: Server, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(authority("Other CA").pem)
    with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        server.client(verify=str(tmp_path / "other.pem")).describe_vpcs()


def test_the_aws_cli_with_a_bundle(server: Server) -> None:
    by_option = server.aws("ec2", "describe-regions", "--ca-bundle", str(server.bundle), "--output", "text")
    assert (by_option.returncode, by_option.stderr) == (0, "")
    assert f"127.0.0.1:{server.port}" in by_option.stdout
    by_variable = server.aws("sts", "get-caller-identity", AWS_CA_BUNDLE=str(server.bundle))
    assert by_variable.returncode == 0, by_variable.stderr
    refused = server.aws("ec2", "describe-regions")
    assert refused.returncode != 0
    assert "SSL validation failed" in refused.stderr


def test_plain_http_gets_no_answer_and_harms_nobody(server: Server) -> None:
    with pytest.raises((ConnectionError, HTTPClientError)):
        server.client("http").describe_vpcs()
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/" not in connection.recv(100)
    assert server.client().describe_vpcs()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_wrong_access_key_is_refused_as_without_tls(server: Server) -> None:
    with pytest.raises(ClientError) as caught:
        server.client(aws_access_key_id="AKIAAAAAAAAAAAAAAAAA").describe_vpcs()
    assert caught.value.response["Error"]["Code"] == "AuthFailure"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_spoken(server: Server, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cadata=server.ca.pem.decode())
    context.minimum_version = context.maximum_version = version
    assert server.shown(context)


def test_a_renewed_certificate_is_served_without_a_restart(server: Server) -> None:
    context = ssl.create_default_context(cadata=server.ca.pem.decode())
    ec2 = server.client()
    ec2.describe_vpcs()  # a connection that stays open
    renewed = issued(server.ca)
    before = server.shown(context)
    renewed.write(server.directory)
    deadline = time.monotonic() + LIMIT_SECONDS
    while (shown := server.shown(context)) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ssl.DER_cert_to_PEM_cert(shown).encode() == renewed.pem
    assert ec2.describe_vpcs()["ResponseMetadata"]["HTTPStatusCode"] == 200


async def _no_content(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def test_a_client_that_does_not_listen_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 3600.0)
    ca = authority()
    certificate = Certificate(*issued(ca).write(tmp_path), lambda: datetime.now(UTC))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(_no_content, log_config=None, lifespan="off", **certificate.serving)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        connection = http.client.HTTPSConnection(
            "127.0.0.1",
            listener.getsockname()[1],
            timeout=LIMIT_SECONDS,
            context=ssl.create_default_context(cadata=ca.pem.decode()),
        )
        connection.request("GET", "/")
        assert connection.getresponse().status == 204  # and the connection stays open
        server.should_exit = True
        thread.join(LIMIT_SECONDS)
        connection.close()
    assert not thread.is_alive()


def up(state: Path, *words: str | Path) -> str:
    """What `twinbore up` says when it does not start; nothing is made."""
    logging = structlog.get_config()  # this process has other tests, too
    try:
        result = CliRunner().invoke(main, ["up", "--engines", "fake", "--state", str(state), *map(str, words)])
    finally:
        structlog.configure(**logging)
    assert result.exit_code == 1, result.output
    assert not state.exists()
    return result.output


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "[::]", "[::ffff:192.0.2.1]", "gateway.example"])
def test_without_tls_only_the_loopback_is_listened_on(tmp_path: Path, address: str) -> None:
    said = up(tmp_path / "state", "--listen", f"{address}:4566")
    assert f"listen = '{address}:4566' is not a loopback address" in said
    for way in ("--tls-cert", "127.0.0.1", "--insecure-listen"):
        assert way in said


def test_an_operator_may_insist_and_is_warned(tmp_path: Path) -> None:
    port = free_port()
    listen = f"127.1:{port}"  # a loopback address, but not in a form that is known to be one
    assert "is not a loopback address" in up(tmp_path / "state", "--listen", listen)
    with running(tmp_path, listen, "--insecure-listen"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()
    assert "no TLS, as asked for" in (tmp_path / "log").read_text()


def test_the_same_in_a_configuration_file(tmp_path: Path) -> None:
    config = tmp_path / "twinbore.toml"
    config.write_text('listen = "0.0.0.0:4566"\n')
    assert "is not a loopback address" in up(tmp_path / "state", "--config", config)


def test_a_certificate_without_its_key(server: Server, tmp_path: Path) -> None:
    said = up(tmp_path / "state", "--tls-cert", server.directory / "cert.pem")
    assert "tls_cert is set and tls_key is not" in said
    config = tmp_path / "twinbore.toml"
    config.write_text(f'tls_key = "{server.directory / "key.pem"}"\n')
    assert "tls_key is set and tls_cert is not" in up(tmp_path / "state", "--config", config)


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    ca = authority()
    certificate, key = issued(ca).write(tmp_path)
    key.write_bytes(issued(ca).key_pem())
    said = up(tmp_path / "state", "--tls-cert", certificate, "--tls-key", key)
    assert f"the key {key} does not belong to the certificate {certificate}" in said
