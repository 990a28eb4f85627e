"""The same curve through ssh as without: DeiT-Tiny int8 on this machine, by itself and behind ssh.

There it is one of tests/support/ssh_servers.py: this machine behind a real OpenSSH server, with an account of its own,
the system's Python, and the wheels that `edgevit deploy` puts there. So what ssh and the deployment cost or change
would show. In turns, as in phone.py.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from phone import in_turns
from record import write
from support.ssh_servers import Server


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "pi")
        os.environ["PATH"] = f"{server.bin}:{os.environ['PATH']}"
        try:
            write("devices", in_turns(server.name, "ssh"))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
