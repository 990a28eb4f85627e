"""What a browser elsewhere writes for this machine, where the server listens on all of its addresses."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

__all__ = ["url_host"]

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that nobody has (RFC 5737, RFC 3849): nothing is sent there, only the way there is looked up."""


def url_host(host: str) -> str:
    """The host of a URL that leads to a server on `host`; where that is all addresses one of them, or else the name.

    No page opens on `http://0.0.0.0/` but on this machine, and there not in every browser.
    """
    with contextlib.suppress(ValueError):
        if not host or ipaddress.ip_address(host).is_unspecified:
            host = _own_address() or socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _own_address() -> str | None:
    """The address that others see; None where this machine is in no network."""
    for family, elsewhere in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    return None
