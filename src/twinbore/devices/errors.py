"""Why a sample configuration cannot be made. The API gives each its error code."""

from __future__ import annotations


class SampleConfigurationError(Exception):
    """A sample configuration that cannot be made; the message says why and what to ask for instead."""


class UnknownDeviceType(SampleConfigurationError):
    """No device type has this id."""


class IkeVersionNotOffered(SampleConfigurationError):
    """The device does not speak this IKE version, or a tunnel of the connection does not allow it."""


class SampleTypeNotOffered(SampleConfigurationError):
    """The sample type is unknown, or not to be had with this IKE version."""
