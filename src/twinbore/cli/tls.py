"""TLS of the API: the certificate and its key are checked before anything starts, and taken up anew when they change.

What cannot work is refused at the start, in words that say what to do: a file that is not there, a key of another
certificate, a key with a passphrase. A key that others can read is refused too, by PostgreSQL's rule: mode 0600, or
0640 where root owns it, which is how Debian lets a group of daemons read keys. An expired certificate is served, with a
warning: some clients are told not to look at it, and refusing would take the API away from them.

Decision: the server's own context holds no certificate. Its SNI callback, which OpenSSL calls in every handshake, puts
the newest context in its place. So a renewal is a new context, loaded and checked as a whole, and one assignment:
nobody is ever served the new certificate with the old key, and what cannot be used changes nothing. Open connections
go on as they are.

Decision: the two files are looked at every `LOOK_SECONDS`, by their status alone. That needs no word from whatever
renews them, and it finds a replaced file, a rewritten one and a symbolic link that leads elsewhere.

Decision: at the end, connections are not waited for longer than `PARTING_SECONDS` after their last answer. A close in
TLS asks the other end to say good-bye too; a client that keeps an idle connection does not listen, and asyncio would
wait half a minute for it: so long would the API be away in a restart.

References: RFC 8446 and RFC 5246 (TLS 1.3, 1.2), RFC 8996 (1.0 and 1.1 must not be used), RFC 7468 (PEM);
PostgreSQL 17 manual, "Secure TCP/IP Connections with SSL" (who may read the key).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOOK_SECONDS: Final = 5.0
"""How often the files are looked at."""

PARTING_SECONDS: Final = 1.0
"""How long the other end may take to answer a close when the service ends."""

_BEGIN_KEY: Final = b"PRIVATE KEY-----"


class TlsError(click.ClickException):
    """The certificate or the key cannot be used; the message says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a certificate holds, and the names and addresses it is for."""

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def complaint(self, now: datetime) -> str:
        """Why clients refuse the certificate at this time, or nothing."""
        if now > self.not_after:
            return (
                f"the certificate expired on {self.not_after:%Y-%m-%d %H:%M} UTC: clients refuse it until it is renewed"
            )
        if now < self.not_before:
            return (
                f"the certificate is valid from {self.not_before:%Y-%m-%d %H:%M} UTC on: clients refuse it until then"
            )
        return ""


def load(certificate: Path, key: Path) -> tuple[ssl.SSLContext, Validity]:
    """A context for servers, TLS 1.2 and above, with this certificate chain and key. Raises `TlsError`."""
    chain = _chain(certificate)
    _check_key(key, certificate, chain)
    context = _context()
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"OpenSSL does not take {certificate} with {key}: {error}") from error
    return context, _validity(chain[0])


class Certificate:
    """The certificate that is served, which follows its files."""

    def __init__(self, certificate: Path, key: Path, clock: Callable[[], datetime]) -> None:
        """`clock` gives the time of day in UTC. Raises `TlsError`."""
        self._certificate = certificate
        self._key = key
        self._clock = clock
        self._log = structlog.get_logger("tls")
        self._seen = self._look()
        self._take(*load(certificate, key))
        self.context = _context()
        """For the server's sockets."""
        self.context.sni_callback = self._present

    @property
    def serving(self) -> dict[str, Any]:
        """uvicorn's options for a server with this certificate."""
        return {"ssl_context_factory": lambda _config, _default: self.context, "http": Protocol}

    def renew(self) -> bool:
        """Take up the files if they have changed; says whether another certificate is served now."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self._take(*load(self._certificate, self._key))
        except TlsError as error:
            self._log.warning("the changed certificate cannot be used; the one before is served on", reason=str(error))
            return False
        return True

    async def follow(self, stop: asyncio.Event) -> None:
        """Renew when the files change, until `stop` is set."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
            self.renew()

    def _present(self, tls: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        tls.context = self._current

    def _take(self, context: ssl.SSLContext, validity: Validity) -> None:
        self._current = context
        self._log.info("certificate", names=", ".join(validity.names), not_after=f"{validity.not_after:%Y-%m-%d}")
        if complaint := validity.complaint(self._clock()):
            self._log.warning(complaint, file=str(self._certificate))

    def _look(self) -> tuple[object, ...]:
        return tuple(_status(path) for path in (self._certificate, self._key))


class Protocol(HttpToolsProtocol):
    """HTTP over TLS that does not wait for silent clients when the server ends."""

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(PARTING_SECONDS, self.transport.abort)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def _status(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise TlsError(
            f"{path} does not exist: name the {what} as a PEM file, or leave out both tls_cert and tls_key for plain "
            "HTTP on a loopback address"
        ) from None
    except OSError as error:
        raise TlsError(
            f"cannot read the {what} {path}: {error.strerror}; name a PEM file that this user can read"
        ) from error


def _chain(path: Path) -> list[x509.Certificate]:
    text = _read(path, "certificate")
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        hint = "it holds a key; are tls_cert and tls_key exchanged?" if _BEGIN_KEY in text else "is it PEM?"
        raise TlsError(f"{path} has no certificate that can be read ({error}): {hint}") from error


def _check_key(path: Path, certificate: Path, chain: list[x509.Certificate]) -> None:
    text = _read(path, "key")
    status = path.stat()
    open_to = status.st_mode & (0o037 if status.st_uid == 0 else 0o077)
    if open_to:
        raise TlsError(
            f"the key {path} can be read or written by others (mode {status.st_mode & 0o777:04o}): chmod 600 {path}"
        )
    try:
        key = load_pem_private_key(text, password=None)
    except TypeError as error:
        raise TlsError(
            f"the key {path} has a passphrase, and nobody is there to type it: write it without one, "
            f"openssl pkey -in {path} -out NEW-FILE"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = (
            "it holds a certificate; are tls_cert and tls_key exchanged?" if b"CERTIFICATE--" in text else "is it PEM?"
        )
        raise TlsError(f"{path} has no private key that can be read ({error}): {hint}") from error
    ours = _octets(key.public_key())
    matching = [number for number, each in enumerate(chain) if _octets(each.public_key()) == ours]
    if not matching:
        raise TlsError(
            f"the key {path} does not belong to the certificate {certificate}: name the pair that was issued together"
        )
    if matching[0] != 0:
        raise TlsError(
            f"{certificate} must begin with the server's own certificate; the key's is number {matching[0] + 1}"
        )


def _octets(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _validity(certificate: x509.Certificate) -> Validity:
    return Validity(tuple(_names(certificate)), certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _names(certificate: x509.Certificate) -> Iterable[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [certificate.subject.rfc4514_string()]
    return [str(name.value) for name in names]
