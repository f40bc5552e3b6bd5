"""Cipher suites of the child SA, in the words of either end's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twinbore.model.options import TunnelOptions

IKE_PROPOSAL: Final = "aes128gcm16-prfsha256-ecp256"
"""Of the stock ends. Twinbore's offer has it among others."""


@dataclass(frozen=True, slots=True)
class Suite:
    """`encryption` and `integrity` are AWS's words, `proposal` is strongSwan's for the same."""

    name: str
    encryption: str
    integrity: str
    proposal: str

    @property
    def options(self) -> TunnelOptions:
        """Tunnel options that allow nothing else."""
        return TunnelOptions(
            ike_versions=("ikev2",),
            phase1_encryption_algorithms=("AES128-GCM-16",),
            phase2_encryption_algorithms=(self.encryption,),
            phase2_integrity_algorithms=(self.integrity,),
        )


GCM_128: Final = Suite("AES-128-GCM", "AES128-GCM-16", "SHA2-256", "aes128gcm16")
GCM_256: Final = Suite("AES-256-GCM", "AES256-GCM-16", "SHA2-256", "aes256gcm16")
CBC_128: Final = Suite("AES-128-CBC+SHA2-256", "AES128", "SHA2-256", "aes128-sha256")
