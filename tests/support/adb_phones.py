"""Phones for tests: real adbd processes in a network of their own, and the real adb server that sees them.

Each phone is a folder of `tools/adbd-root.sh` in a sandbox of Linux namespaces, where it is root and alone: the port
that adbd opens is no port of this machine. The adb server lives in there too, and answers here through a socket file
($ADB_SERVER_SOCKET), so what is tested runs the system's adb as a user would. An arm64 phone's programs go through
qemu, by a binfmt_misc of the sandbox's own (Linux 6.7 and later).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAGIC = r":arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:"
PIXEL = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
"""What a Cortex-A76 says of itself in /proc/cpuinfo; qemu would show this PC's."""


def missing() -> str | None:
    """Why there can be no phone here, or None."""
    for tool in ("adb", "mmdebstrap", "unshare"):
        if shutil.which(tool) is None:
            return f"no {tool} (apt install adb mmdebstrap)"
    tried = subprocess.run([*_SANDBOX, "true"], capture_output=True, text=True)
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else None


def missing_arm64() -> str | None:
    """Why there can be no arm64 phone here, or None."""
    if shutil.which("qemu-aarch64-static") is None:
        return "no qemu-aarch64-static (apt install qemu-user-static)"
    mounted = subprocess.run(
        [*_SANDBOX, "mount", "-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc"], capture_output=True
    )
    return "no binfmt_misc for a sandbox (Linux 6.7 and later have it)" if mounted.returncode else None


_SANDBOX = (
    *("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--ipc", "--fork"),
    *("--kill-child", "--mount-proc"),
)


@dataclass
class Network:
    """The sandbox with the adb server. `phone()` plugs a phone in; `close()` ends all of it."""

    folder: Path
    server: subprocess.Popen[bytes] = field(init=False)
    phones: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {"ADB_SERVER_SOCKET": f"localfilesystem:{self.folder}/adb", "HOME": str(self.folder)}
        self._inside = [sys.executable, "-P", __file__]
        (self.folder / "adb").unlink(missing_ok=True)
        with (self.folder / "server.log").open("wb") as log:
            self.server = subprocess.Popen([*_SANDBOX, *self._inside, "server", str(self.folder)], stderr=log)
        self._wait(self._answers, "server.log", self.server)

    def adb(self, *args: str) -> str:
        """What the real adb prints."""
        # Only while the server is there: adb would start another one, outside of the sandbox.
        assert self.server.poll() is None
        done = subprocess.run(["adb", *args], capture_output=True, text=True, env=os.environ | self.environment)
        return done.stdout

    def phone(
        self, root: Path, port: int, *, size: str = "", state: str | None = None, filtered: bool = False
    ) -> Phone:
        """Plugs a phone in. `size`: /data is a file system of its own, so large (`64m`). `state`: not adbd but the
        first words of its protocol, as a phone says them that is in recovery, or does not know this PC. `filtered`: a
        seccomp filter ends what calls `rseq` (x86-64)."""
        inside = ["nsenter", "--preserve-credentials", "--user", "--net", "--target", str(self._pid())]
        command = [*inside, "unshare", "--mount", "--pid", "--fork", "--kill-child", *self._inside]
        if state is None:
            command += ["adbd", str(root), str(port), size, "filtered" if filtered else ""]
        else:
            command += ["state", state, str(port)]
        with (self.folder / f"phone-{port}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.phones.append(process)
        return self._connected(Phone(self, root, f"127.0.0.1:{port}", process))

    def relayed(self, phone: Phone, port: int) -> Phone:
        """The same phone by a way of its own, which can be cut."""
        inside = ["nsenter", "--preserve-credentials", "--user", "--net", "--target", str(self._pid())]
        words = [*inside, *self._inside, "relay", str(self.folder), str(port), phone.serial.rpartition(":")[2]]
        with (self.folder / f"phone-{port}.log").open("wb") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
        self.phones.append(process)
        return self._connected(Phone(self, phone.root, f"127.0.0.1:{port}", process))

    def _connected(self, phone: Phone) -> Phone:
        self.adb("disconnect", phone.serial)
        log = f"phone-{phone.serial.rpartition(':')[2]}.log"
        self._wait(lambda: "connected to" in self.adb("connect", phone.serial), log, phone.process)
        return phone

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(f"{self.folder}/adb") == 0

    def _wait(self, ready: Callable[[], bool], log: str, process: subprocess.Popen[bytes]) -> None:
        from support.waiting import until  # not at the top: in the sandbox this file is a program

        try:
            until(ready, alive=lambda: process.poll() is None)
        except AssertionError as error:
            raise TimeoutError((self.folder / log).read_text()) from error

    def _pid(self) -> int:
        """The process in the sandbox, seen from here: unshare's child."""
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        return int(children[0])

    def close(self) -> None:
        for process in [*self.phones, self.server]:
            process.kill()
            process.wait()


@dataclass
class Phone:
    network: Network
    root: Path
    serial: str
    process: subprocess.Popen[bytes]

    @property
    def name(self) -> str:
        return f"adb://{self.serial}"

    @property
    def tmp(self) -> Path:
        """/data/local/tmp, seen from here (not where /data is a file system of its own)."""
        return self.root / "data" / "local" / "tmp"

    def unplug(self) -> None:
        """Ends adbd and all that runs under it, as a pulled cable and a dead phone do."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cut(self) -> None:
        """Ends this PC's side of the connection to a `relayed` phone, which hears nothing of that, as where a network
        drops out; the next one goes through again."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.network.folder}/cut-{self.serial.rpartition(':')[2]}")
            client.recv(1)  # until it is done


def _server(folder: str) -> None:
    """In the sandbox: adb's server, on a socket file."""
    _loopback_up()
    os.execvpe(
        "adb",
        ["adb", "-L", f"localfilesystem:{folder}/adb", "server", "nodaemon"],
        os.environ | {"HOME": folder, "ADB_MDNS_OPENSCREEN": "0"},
    )


def _adbd(root: str, port: str, size: str, filtered: str) -> None:
    """In the sandbox, a mount namespace of its own: adbd, with the phone's folder as /."""
    _mount("--bind", root, root)
    _mount("--rbind", "/dev", f"{root}/dev")
    _mount("--rbind", "/sys", f"{root}/sys")
    _mount("-t", "proc", "proc", f"{root}/proc")
    if size:
        _mount("-t", "tmpfs", "-o", f"size={size},mode=777", "none", f"{root}/data")
        os.makedirs(f"{root}/data/local/tmp")
    environment = {
        "PATH": "/system/bin",
        "LD_LIBRARY_PATH": "/system/lib64",
        "ADBD_PORT": port,
        "HOME": "/",
        "ANDROID_DATA": "/data",
    }
    if Path(root, "system/props/ro.product.cpu.abi").read_text() == "arm64-v8a\n":
        _mount("-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc")
        qemu = shutil.which("qemu-aarch64-static")
        Path("/proc/sys/fs/binfmt_misc/register").write_bytes(f"{MAGIC}{MASK}{qemu}:F".encode())
        # A file beside the phone's own: a line of the kernel's that qemu before 8 does not make up.
        cpuinfo = Path(root, "system/cpuinfo")
        core = (
            f"processor\t: 0\nFeatures\t: {PIXEL}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0b\n\n"
        )
        cpuinfo.write_text(core + core.replace(": 0\n", ": 1\n", 1))
        _mount("--bind", str(cpuinfo), f"{root}/proc/cpuinfo")
        environment["QEMU_CPU"] = "cortex-a76"
    os.chroot(root)
    os.chdir("/")
    if filtered:
        environment["GLIBC_TUNABLES"] = "glibc.pthread.rseq=0"  # for adbd itself
        _end_at(334)
    os.execve("/adbd/ld-linux-x86-64.so.2", ["adbd", "--library-path", "/adbd", "/adbd/adbd"], environment)


def _state(state: str, port: str) -> None:
    """In the sandbox: says what a phone says in `state`, to each that connects, and no more."""
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        held = []
        while True:
            connection, _ = listener.accept()
            held.append(connection)
            while head := connection.recv(24, socket.MSG_WAITALL):
                command, first, _, length, _, _ = struct.unpack("<4s5I", head)
                connection.recv(length, socket.MSG_WAITALL) if length else b""
                if state == "unauthorized" and (command, first) != (b"AUTH", 3):  # until its owner taps on "allow"
                    connection.sendall(_message(b"AUTH", 1, 0, bytes(20)))
                elif state != "unauthorized":
                    connection.sendall(_message(b"CNXN", 0x01000001, 4096, f"{state}::features=shell_v2".encode()))


def _relay(folder: str, port: str, phone: str) -> None:
    """In the sandbox: the way from `port` to the phone's. Whoever connects to the socket file `cut-PORT` cuts it."""
    with socket.create_server(("127.0.0.1", int(port))) as listener, socket.socket(socket.AF_UNIX) as control:
        Path(folder, f"cut-{port}").unlink(missing_ok=True)
        control.bind(f"{folder}/cut-{port}")
        control.listen()
        ways: dict[socket.socket, socket.socket] = {}
        came, held = [], []
        while True:
            for each in select.select([listener, control, *ways], [], [])[0]:
                if each is listener:
                    here, there = listener.accept()[0], socket.create_connection(("127.0.0.1", int(phone)))
                    ways |= {here: there, there: here}
                    came.append(here)
                elif each is control:
                    held += ways.values()  # the phone's side stays open
                    ways.clear()
                    while came:
                        came.pop().close()
                    control.accept()[0].close()
                elif other := ways.get(each):
                    if content := each.recv(1 << 16):
                        other.sendall(content)
                    else:
                        other.shutdown(socket.SHUT_WR)
                        del ways[each]


def _message(command: bytes, first: int, second: int, payload: bytes) -> bytes:
    """A message of adb's protocol (system/core/adb/protocol.txt in AOSP): 24 bytes of head, then the payload."""
    magic = struct.unpack("<I", command)[0] ^ 0xFFFFFFFF
    return struct.pack("<4s5I", command, first, second, len(payload), sum(payload), magic) + payload


def _end_at(number: int) -> None:
    """From here on this process and its children end where they make that system call, as an app of Android's does.

    seccomp(2), with a program of linux/filter.h: load the number; where it is that one, kill the process; else allow.
    """
    rows = ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rows), ctypes.addressof(program)))
    prctl = ctypes.CDLL(None).prctl
    assert prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert prctl(22, 2, head, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def _mount(*args: str) -> None:
    subprocess.run(["mount", *args], check=True)


def _loopback_up() -> None:
    """`ip link set lo up`, without iproute2: SIOCSIFFLAGS (netdevice(7)) with IFF_UP and IFF_RUNNING."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x1 | 0x40))


if __name__ == "__main__":
    {"server": _server, "adbd": _adbd, "state": _state, "relay": _relay}[sys.argv[1]](*sys.argv[2:])
