"""Engines: what makes a host's desired state true and reports what is. Each package has the real thing and a fake."""
