"""Why ssh cannot connect, and what to do about it: by what it says, and by what its configuration makes of a name."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence

__all__ = ["advice"]

# What ssh says, as OpenSSH 8 to 10 word it, and what to do about it. The first that fits counts: ssh says several.
_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .* has changed",
        "its host key is not the one that this machine knows: if it was set up anew, `{forget}` and "
        "connect once by hand; if not, something else answers at its address",
    ),
    (
        r"Host key verification failed|No \S+ host key is known",
        "this machine does not know its host key yet: connect once by hand (`{ssh}`) and compare the fingerprint",
    ),
    (
        r"Permission denied|Too many authentication failures|No supported authentication methods",
        "it takes none of this user's keys: `{copy_id}` puts one there, or name one in ~/.ssh/config (IdentityFile); "
        "a key with a passphrase has to be in the agent (ssh-add); nothing here asks for a password",
    ),
    (
        r"Could not resolve hostname",
        "no such name on this network: {names}its address, or a Host of ~/.ssh/config",
    ),
    (
        r"Connection refused",
        "nothing listens there: is its ssh server on (on a Raspberry Pi: `sudo raspi-config`, Interface Options, SSH), "
        "and the port right?",
    ),
    (
        r"(kex|ssh)_exchange_identification|banner exchange",
        "something answers there and hangs up before any key is asked for: is that the port of its ssh server? If it "
        "is, the server refuses this machine or is overrun: `journalctl -u ssh` there says why",
    ),
    (
        r"Connection timed out|Operation timed out|No route to host|Network is unreachable|Host is down",
        "it cannot be reached: is it on, in this network, and the address right?",
    ),
    (
        r"no matching (host key type|cipher|MAC|key exchange)|Bad owner or permissions|[Bb]ad configuration option"
        r"|terminating, \d+ bad|command-line line|UNPROTECTED PRIVATE KEY",
        "mend that in ssh's configuration; `{ssh}` shows the same",
    ),
    (
        r"This account is currently not available|account has expired|requires a TTY",
        "that account cannot run commands: take another one",
    ),
)


def advice(stderr: str, where: Sequence[str]) -> str | None:
    """What to do about a connection that cannot be made; None where ssh does not say that it cannot.

    stderr: what ssh said. where: the words that name the machine to ssh, such as `-p 2222 me@pi`.
    """
    for pattern, what in _REASONS:
        if re.search(pattern, stderr):
            settings = _settings(where)
            return what.format(
                ssh=shlex.join(["ssh", *where]),
                copy_id=shlex.join(["ssh-copy-id", *where]),
                forget=_forget(stderr, settings),
                names=_names(settings.get("hostname", "")),
            )
    return None


def _settings(where: Sequence[str]) -> dict[str, str]:
    """ssh's configuration for a machine, by ssh_config(5)'s names in small letters; empty where ssh refuses it."""
    done = subprocess.run(["ssh", "-G", *where], stdin=subprocess.DEVNULL, capture_output=True)
    rows = (line.partition(" ") for line in done.stdout.decode("utf-8", "replace").splitlines())
    return {key: value for key, _, value in rows}


def _forget(stderr: str, settings: dict[str, str]) -> str:
    """What makes ssh forget a host key: under the name and in the file where it looked for it."""
    host, port = settings.get("hostname", "HOST"), settings.get("port", "22")
    known = settings.get("hostkeyalias") or (host if port == "22" else f"[{host}]:{port}")
    told = re.search(r"Offending \S+ key in (.+):\d+", stderr)
    file = told[1] if told else settings.get("userknownhostsfile", "").partition(" ")[0]
    return shlex.join(["ssh-keygen", *(["-f", file] if file else []), "-R", known])


def _names(host: str) -> str:
    """What else to call a machine whose name nobody knows."""
    if host.endswith(".local"):
        return "is it on, and does this machine know .local names (mDNS: avahi, libnss-mdns)? Otherwise take "
    return "try " if not host or "." in host or ":" in host else f"try {host}.local, "
