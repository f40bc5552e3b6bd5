"""Certificates: what is refused at the start, in which words, what is only warned of, and how renewals are taken up."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from tests.unit.certificates import Pair, authority, issued
from twinbore.cli.tls import Certificate, TlsError, load


@pytest.fixture(scope="module")
def ca() -> Pair:
    return authority()


@pytest.fixture(scope="module")
def pair(ca: Pair) -> Pair:
    return issued(ca)


def now() -> datetime:
    return datetime.now(UTC)


def test_a_pair_that_fits(pair: Pair, tmp_path: Path) -> None:
    context, validity = load(*pair.write(tmp_path))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert validity.names == ("localhost", "127.0.0.1")
    assert not validity.complaint(now())


def _unlink(certificate: Path, key: Path, other: Pair) -> None:
    certificate.unlink()


def _no_key(certificate: Path, key: Path, other: Pair) -> None:
    key.unlink()


def _directory(certificate: Path, key: Path, other: Pair) -> None:
    certificate.unlink()
    certificate.mkdir()


def _other_key(certificate: Path, key: Path, other: Pair) -> None:
    key.write_bytes(other.key_pem())


def _passphrase(certificate: Path, key: Path, other: Pair) -> None:
    key.write_bytes(other.key_pem(b"secret words"))


def _exchanged(certificate: Path, key: Path, other: Pair) -> None:
    certificate.write_bytes(key.read_bytes())


def _certificate_as_key(certificate: Path, key: Path, other: Pair) -> None:
    key.write_bytes(certificate.read_bytes())


def _text(certificate: Path, key: Path, other: Pair) -> None:
    certificate.write_text("a certificate")


def _text_as_key(certificate: Path, key: Path, other: Pair) -> None:
    key.write_text("a key")


def _wrong_order(certificate: Path, key: Path, other: Pair) -> None:
    certificate.write_bytes(other.pem + certificate.read_bytes())


def _open_to_all(certificate: Path, key: Path, other: Pair) -> None:
    key.chmod(0o644)


def _open_for_writing(certificate: Path, key: Path, other: Pair) -> None:
    key.chmod(0o620)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_unlink, r"cert\.pem does not exist: name the certificate as a PEM file"),
        (_no_key, r"key\.pem does not exist: name the key as a PEM file"),
        (_directory, r"cannot read the certificate .*cert\.pem: Is a directory"),
        (_other_key, r"key\.pem does not belong to the certificate .*cert\.pem"),
        (_passphrase, r"has a passphrase.*openssl pkey -in"),
        (_exchanged, r"cert\.pem has no certificate.*are tls_cert and tls_key exchanged\?"),
        (_certificate_as_key, r"key\.pem has no private key.*are tls_cert and tls_key exchanged\?"),
        (_text, r"cert\.pem has no certificate.*is it PEM\?"),
        (_text_as_key, r"key\.pem has no private key.*is it PEM\?"),
        (_wrong_order, r"must begin with the server's own certificate; the key's is number 2"),
        (_open_to_all, r"by others \(mode 0644\): chmod 600 .*key\.pem"),
        (_open_for_writing, r"by others \(mode 0620\)"),
    ],
)
def test_what_cannot_be_used_is_refused(
    ca: Pair, pair: Pair, tmp_path: Path, spoil: Callable[[Path, Path, Pair], None], words: str
) -> None:
    certificate, key = pair.write(tmp_path)
    spoil(certificate, key, issued(ca, "other"))
    with pytest.raises(TlsError, match=words):
        load(certificate, key)


def test_a_group_may_read_the_key_where_root_owns_it(pair: Pair, tmp_path: Path) -> None:
    certificate, key = pair.write(tmp_path)
    key.chmod(0o640)
    if key.stat().st_uid == 0:
        load(certificate, key)
        os.chown(key, 65534, -1)
    with pytest.raises(TlsError, match="mode 0640"):
        load(certificate, key)


def test_a_time_outside_the_validity_is_warned_of(ca: Pair, tmp_path: Path) -> None:
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    files = issued(ca, not_before=begin, days=5).write(tmp_path)
    with capture_logs() as lines:
        Certificate(*files, now)
    (warning,) = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert warning.startswith("the certificate expired on 2020-01-06 00:00 UTC")
    _, validity = load(*files)
    assert "valid from 2020-01-01 00:00 UTC on" in validity.complaint(begin - timedelta(seconds=1))
    assert not validity.complaint(begin)
    assert not validity.complaint(begin + timedelta(days=5))


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> bytes:
    """A handshake with both ends in memory; the certificate that the client is shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    left = [near, far]
    while left:
        for end in list(left):
            try:
                end.do_handshake()
                left.remove(end)
            except ssl.SSLWantReadError:
                pass
    shown = near.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def served(certificate: Certificate, ca: Pair) -> x509.Certificate:
    client = ssl.create_default_context(cadata=ca.pem.decode())
    return x509.load_der_x509_certificate(shake_hands(client, certificate.context))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_whole_chain_is_shown(ca: Pair, tmp_path: Path, version: ssl.TLSVersion) -> None:
    between = authority("Intermediate CA", ca)
    pair = issued(between)
    path, key = pair.write(tmp_path)
    path.write_bytes(pair.pem + between.pem)
    client = ssl.create_default_context(cadata=ca.pem.decode())
    client.minimum_version = client.maximum_version = version
    assert shake_hands(client, Certificate(path, key, now).context) == pair.certificate.public_bytes(Encoding.DER)
    path.write_bytes(pair.pem)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        shake_hands(client, Certificate(path, key, now).context)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_1_1_is_not_spoken(ca: Pair, pair: Pair, tmp_path: Path) -> None:
    client = ssl.create_default_context(cadata=ca.pem.decode())
    client.set_ciphers("ALL:@SECLEVEL=0")  # else this end refuses by itself
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    certificate = Certificate(*pair.write(tmp_path), now)
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        shake_hands(client, certificate.context)


def test_a_client_that_sends_no_name_is_served(ca: Pair, pair: Pair, tmp_path: Path) -> None:
    client = ssl.create_default_context(cadata=ca.pem.decode())
    client.check_hostname = False
    certificate = Certificate(*pair.write(tmp_path), now)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near, far = client.wrap_bio(to_client, to_server), certificate.context.wrap_bio(to_server, to_client, True)
    for _ in range(2):
        for end in (near, far):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert near.getpeercert(binary_form=True) == pair.certificate.public_bytes(Encoding.DER)


def test_a_renewed_pair_is_taken_up(ca: Pair, pair: Pair, tmp_path: Path) -> None:
    certificate = Certificate(*pair.write(tmp_path), now)
    assert served(certificate, ca) == pair.certificate
    assert not certificate.renew()
    renewed = issued(ca)
    renewed.write(tmp_path)
    assert certificate.renew()
    assert served(certificate, ca) == renewed.certificate


def test_half_a_renewal_changes_nothing_and_is_said_once(ca: Pair, pair: Pair, tmp_path: Path) -> None:
    _, key = pair.write(tmp_path)
    certificate = Certificate(tmp_path / "cert.pem", key, now)
    renewed = issued(ca)
    (tmp_path / "cert.pem").write_bytes(renewed.pem)
    with capture_logs() as lines:
        assert not certificate.renew()
        assert not certificate.renew()
    (line,) = lines
    assert "does not belong" in line["reason"]
    assert served(certificate, ca) == pair.certificate
    key.write_bytes(renewed.key_pem())
    assert certificate.renew()
    assert served(certificate, ca) == renewed.certificate


def test_a_link_that_leads_elsewhere_is_a_renewal(ca: Pair, tmp_path: Path) -> None:
    first, second = issued(ca), issued(ca)
    for name, each in (("1", first), ("2", second)):
        (tmp_path / name).mkdir()
        each.write(tmp_path / name)
    live = tmp_path / "live"
    live.symlink_to("1")
    certificate = Certificate(live / "cert.pem", live / "key.pem", now)
    live.unlink()
    assert not certificate.renew()  # for a moment there is nothing
    live.symlink_to("2")
    assert certificate.renew()
    assert served(certificate, ca) == second.certificate
