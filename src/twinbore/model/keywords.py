"""AWS's names of algorithms and key exchange groups → the keywords of strongSwan's proposals.

One table for both ends that speak it: the gateway's charon and the configurations for customer devices with
strongSwan. A pseudo-random function's keyword is `prf` and the integrity algorithm's.

References: strongSwan documentation, "IKEv2 Cipher Suites"; RFC 3526, 5114, 5903 (groups).
"""

from __future__ import annotations

from typing import Final

AEAD: Final = {"AES256-GCM-16": "aes256gcm16", "AES128-GCM-16": "aes128gcm16"}
CIPHERS: Final = {"AES256": "aes256", "AES128": "aes128"}
ENCRYPTION: Final = AEAD | CIPHERS
INTEGRITY: Final = {"SHA2-512": "sha512", "SHA2-384": "sha384", "SHA2-256": "sha256", "SHA1": "sha1"}
GROUPS: Final = {
    20: "ecp384",
    21: "ecp521",
    19: "ecp256",
    16: "modp4096",
    15: "modp3072",
    14: "modp2048",
    17: "modp6144",
    18: "modp8192",
    24: "modp2048s256",
    23: "modp2048s224",
    5: "modp1536",
    22: "modp1024s160",
    2: "modp1024",
}
"""All in the order in which the gateway prefers them: strongest first, elliptic curves before large MODP groups, which
cost 10 to 100 times the time for no more strength."""
