"""Who may ask: a page of another site must not, whatever address its name leads to.

A browser sends what any page tells it to, also to this machine. So a POST comes from no other site's page (Origin,
Sec-Fetch-Site), and a request names a host that is ours: a site can let its own name lead to 127.0.0.1 (DNS rebinding),
and its pages would then count as this server's own. Addresses cannot be turned that way, so any of them is right.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from edgevit_runtime.serve.request import Request, host_name
from edgevit_runtime.serve.response import RequestError


class Visitors:
    """host: what the server listens on. allowed: further names that lead here, such as a proxy's."""

    def __init__(self, host: str, allowed: Iterable[str] = ()) -> None:
        own = socket.gethostname().lower().rstrip(".")
        short = own.partition(".")[0]
        self._allowed = {host_name(each) for each in allowed} - {""}
        self._names = {"localhost", host.lower(), own, short, f"{short}.local", *self._allowed} - {""}

    def check(self, request: Request) -> None:
        """Raises `RequestError`."""
        name = host_name(request.host)
        if not self._is_ours(name) and (name or "host" in request.fields):  # HTTP/1.0 need not name any; browsers do
            raise RequestError(403, f"this server is not called {name!r}; if it is: --allow-host {name or 'NAME'}")
        if request.method == "POST":
            self._check_origin(request)

    def _is_ours(self, name: str) -> bool:
        if name in self._names or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _check_origin(self, request: Request) -> None:
        site, origin = request.fields.get("sec-fetch-site"), request.fields.get("origin")
        known = False
        if origin is not None:
            found = re.fullmatch(r"https?://([^/]+)", origin.lower())
            known = found is not None and host_name(found[1]) in self._allowed
            if not known and (found is None or _port_left_out(found[1]) != _port_left_out(request.host.lower())):
                raise RequestError(403, f"a page of another site ({origin[:100]}) may not ask")
        if site not in (None, "same-origin", "none") and not known:
            raise RequestError(403, "a page of another site may not ask (Sec-Fetch-Site)")


def _port_left_out(authority: str) -> str:
    """Browsers leave the usual port out of an Origin, and may be asked with it."""
    return re.sub(r":(?:80|443|)$", "", authority)
