"""Why a configuration cannot be made. The API gives each its error code."""

from __future__ import annotations

from collections.abc import Sequence


class SampleConfigurationError(Exception):
    """A configuration that cannot be made; the message says why and what to ask for instead."""


class UnknownDeviceType(SampleConfigurationError):
    """No device type has this id."""


class IkeVersionNotOffered(SampleConfigurationError):
    """The device does not speak this IKE version, or a tunnel of the connection does not allow it."""


class SampleTypeNotOffered(SampleConfigurationError):
    """The sample type is unknown, or not to be had with this IKE version."""


class DeviceCannot(SampleConfigurationError):
    """The device cannot do what the connection asks for. `changes` are all that would have to be changed, in words."""

    def __init__(self, device: str, changes: Sequence[str]) -> None:
        self.device = device
        self.changes = tuple(changes)
        super().__init__(f"{device} cannot do what this connection asks for. Change: " + "; ".join(self.changes))
