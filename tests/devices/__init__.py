"""Tests of device configurations by other means than the templates': interpreters of vendors' syntax."""
