"""Twinbore: a Site-to-Site VPN service with AWS's EC2 API, real IPsec tunnels, real BGP and a real data plane."""

__version__ = "0.1.0"
