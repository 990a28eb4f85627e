"""A machine for tests that is reached over ssh: a real OpenSSH server on loopback, with an account that has nothing.

The server runs as whoever runs the tests, with a host key, a configuration and authorized keys of its own. Its
account is a folder: each command goes through a gate (ForceCommand) that sets HOME and PATH as a fresh account's are,
notes the command, and kills the connection's server process where a test asks for that. This user's ssh is the system's
own, given a configuration file as ~/.ssh/config would be.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.adb_phones import MAGIC, MASK, PIXEL
from support.waiting import free_port, until

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

_GATE = """\
#!/bin/sh
# The one program that the server starts. SSH_ORIGINAL_COMMAND is what was asked for.
folder={folder}
echo "$(printf %s "$SSH_ORIGINAL_COMMAND" | tr '\\n' ' ')" >> "$folder/commands"
path=/usr/local/bin:/usr/bin:/bin
. "$folder/limits"
run() {{
	cd "$folder/home" && exec env -i HOME="$folder/home" PATH="$path" LANG=C \\
		{through} "$SSH_ORIGINAL_COMMAND"
}}
for each in "$folder"/kills/*; do
	[ -e "$each" ] && read -r number place pattern < "$each" || continue
	case $SSH_ORIGINAL_COMMAND in *"$pattern"*)
		[ "$number" -gt 1 ] && echo "$((number - 1)) $place $pattern" > "$each" || rm "$each"
		(run) <&0 &
		sleep 0.05
		while [ ! -e "$place" ]; do sleep 0.02; done
		server=$PPID
		[ "$(cat /proc/$server/comm)" = sh ] && server=$(awk '/^PPid/ {{ print $2 }}' /proc/$server/status)
		kill -9 "$server"
		wait
		exit 1 ;;
	esac
done
run
"""


def missing() -> str | None:
    """Why there can be no server here, or None."""
    if SSHD is None:
        return "no sshd (apt install openssh-server)"
    return None if shutil.which("ssh") else "no ssh (apt install openssh-client)"


@dataclass
class Server:
    """An sshd and its account's folder. `through`: what runs a command line there, in place of `sh -c`."""

    folder: Path
    through: str = "/bin/sh -c"
    port: int = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.bin.mkdir()
        (self.folder / "limits").touch()
        for name in ("host", "user", "stranger"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        gate = self.folder / "gate"
        gate.write_text(_GATE.format(folder=shlex.quote(str(self.folder)), through=self.through))
        gate.chmod(0o755)
        self.port = free_port()
        # What a user would have in ~/.ssh/config; ssh looks for that in passwd's home folder, whatever HOME says.
        real = shutil.which("ssh")
        (self.bin / "ssh").write_text(f'#!/bin/sh\nexec {real} -F {shlex.quote(str(self.folder / "client"))} "$@"\n')
        (self.bin / "ssh").chmod(0o755)
        self.configure()
        self.trust()
        self.start()

    @property
    def name(self) -> str:
        return "ssh://pi"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def bin(self) -> Path:
        """To be put before PATH: this user's ssh."""
        return self.folder / "bin"

    @property
    def top(self) -> Path:
        """edgevit's folder there."""
        return self.home / ".local" / "share" / "edgevit"

    def configure(self, key: str = "user", port: int | None = None) -> None:
        """This user's configuration."""
        lines = ["Host pi", "HostName 127.0.0.1", f"Port {port or self.port}", f"User {getpass.getuser()}"]
        lines += [f"IdentityFile {self.folder / key}", "IdentitiesOnly yes", "IdentityAgent none"]
        lines += [f"UserKnownHostsFile {self.folder / 'known'}", "GlobalKnownHostsFile /dev/null"]
        (self.folder / "client").write_text("\n".join(lines) + "\n")

    def trust(self, key: str = "host") -> None:
        """What this user knows of its host key."""
        public = (self.folder / f"{key}.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {public}")

    def start(self) -> None:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        lines = [f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {self.folder / 'host'}"]
        lines += [f"AuthorizedKeysFile {self.folder / 'authorized'}", "PasswordAuthentication no", "UsePAM no"]
        lines += ["KbdInteractiveAuthentication no", "StrictModes no", "PermitRootLogin yes", "PidFile none"]
        # The gate is started by the shell of whoever runs the tests: bash would read their ~/.bashrc at each command.
        lines += [f"ForceCommand {self.folder / 'gate'}", f"SetEnv HOME={self.home}"]
        lines += ["MaxStartups 100", "LogLevel VERBOSE"]
        (self.folder / "server").write_text("\n".join(lines) + "\n")
        with (self.folder / "server.log").open("ab") as log:
            command = [str(SSHD), "-D", "-e", "-f", str(self.folder / "server")]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        process = self.process
        try:
            until(self._listens, alive=lambda: process.poll() is None)
        except AssertionError as error:
            raise TimeoutError((self.folder / "server.log").read_text()) from error

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self, pattern: str, times: int = 1000, place: Path = Path("/")) -> None:
        """Kills the server process of the connection whose command has `pattern` in it, while that runs, as soon as
        there is a `place` (which has no space in it)."""
        kills = self.folder / "kills"
        kills.mkdir(exist_ok=True)
        (kills / str(len(list(kills.iterdir())))).write_text(f"{times} {place} {pattern}\n")

    def spare(self) -> None:
        shutil.rmtree(self.folder / "kills", ignore_errors=True)

    def limit(self, line: str) -> None:
        """A line of shell before each command, such as `ulimit -f 100`, or `path=…` for the account's PATH."""
        (self.folder / "limits").write_text(line + "\n")

    @property
    def commands(self) -> list[str]:
        """What was run there, ever."""
        return (self.folder / "commands").read_text().splitlines()

    def stop(self) -> None:
        """The server and its connections, and all that runs for them; returns when none has its port any more."""
        if self.process is not None:
            killed = [self.process.pid, *_descendants(self.process.pid)]
            for each in killed:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            self.process.wait()
            self.process = None
            until(lambda: not any(map(_runs, killed)))


def _runs(process: int) -> bool:
    """Whether it has not ended. One that nobody waited for (state Z, proc(5)) has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _descendants(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [each for child in children for each in (int(child), *_descendants(int(child)))]


def arm64_root(folder: Path) -> None:
    """Makes `folder` a small Debian for arm64: what a Raspberry Pi has as it comes, with Python, without pip.

    Packages are unpacked, not configured. Needs mmdebstrap and a Debian mirror ($DEBIAN_MIRROR).
    """
    packages = "dash,coreutils,grep,tar,gzip,libc-bin,base-files,python3-minimal,python3.11,libstdc++6,libgomp1"
    partial = folder.with_name(f"{folder.name}.partial")
    mode = "root" if os.getuid() == 0 else "unshare"
    command = ["mmdebstrap", "--quiet", f"--mode={mode}", "--variant=extract", "--architectures=arm64"]
    command += [f"--include={packages}", "--format=tar", "bookworm", "-"]
    made = subprocess.run(
        [*command, os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")], check=True, capture_output=True
    )
    partial.mkdir(parents=True)
    unpack = ["tar", "-x", "--no-same-owner", "--exclude=./dev/*", "--exclude=./usr/share", "-C", str(partial)]
    subprocess.run(unpack, input=made.stdout, check=True)
    for name in ("dev", "proc", "sys", "home/pi"):
        (partial / name).mkdir(parents=True, exist_ok=True)
    if not (partial / "bin" / "sh").exists():  # made when dash is configured
        (partial / "bin" / "sh").symlink_to("dash")
    core = f"Features\t: {PIXEL}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0b\n\n"
    (partial / "cpuinfo").write_text("".join(f"processor\t: {number}\n{core}" for number in range(4)))
    partial.rename(folder)


def arm64_through(folder: Path, root: Path, home: Path) -> str:
    """What runs a command line in that Debian, in namespaces of its own where qemu is the kernel's way to run arm64
    programs; `home` is the account's folder there."""
    script = folder / "through"
    qemu = shutil.which("qemu-aarch64-static")
    folder.mkdir(parents=True, exist_ok=True)
    script.write_text(f"""\
#!/bin/sh
if [ -z "$inside" ]; then
	inside=1 exec unshare --user --map-root-user --mount --fork --kill-child "$0" "$1"
fi
set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' '{MAGIC}{MASK}{qemu}:F' > /proc/sys/fs/binfmt_misc/register
cd {shlex.quote(str(root))}
mount --bind {shlex.quote(str(home))} home/pi
mount --rbind /dev dev
mount --rbind /proc proc
mount --rbind /sys sys
mount --bind cpuinfo proc/cpuinfo
unset inside
HOME=/home/pi QEMU_CPU=cortex-a76 exec /usr/sbin/chroot . /bin/sh -c 'cd; eval "$1"' sh "$1"
""")
    script.chmod(0o755)
    return shlex.quote(str(script))
