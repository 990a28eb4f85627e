"""What goes to a phone: the packages as Debian signed them, archives that are equal when their parts are."""

import http.server
import socket
import struct
import tarfile
import threading
import time
from typing import ClassVar

import pytest

from edgevit.devices.adb import bundle, debian_packages
from edgevit.devices.archives import write_archive
from edgevit.devices.wheels import runtime_files
from edgevit.errors import DeviceError

ZLIB = next(name for name in debian_packages.PACKAGES if name.startswith("z/zlib/"))


@pytest.fixture
def mirror(monkeypatch):
    """A mirror on this machine that answers all with the same bytes: zlib's package, or what a test puts there."""

    class Handler(http.server.BaseHTTPRequestHandler):
        content = b"<html>please log in</html>"
        asked: ClassVar[list[str]] = []

        def do_GET(self):
            self.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DEBIAN_MIRROR", f"http://127.0.0.1:{server.server_port}/debian/")
        yield Handler
        server.shutdown()


def test_another_package_is_refused(mirror, tmp_path):
    with pytest.raises(DeviceError, match=r"zlib1g_.*_arm64\.deb is not the package that edgevit knows: its SHA-256"):
        debian_packages.fetch(ZLIB, "arm64", tmp_path)
    assert mirror.asked == [f"/debian/pool/main/{ZLIB}_arm64.deb"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:9/debian", r"cannot fetch http://127\.0\.0\.1:9/.*: .*refused; is this machine online\?"),
        ("file:///etc", r"\$DEBIAN_MIRROR is 'file:///etc': it must begin with https:// or http://"),
    ],
)
def test_no_mirror(monkeypatch, tmp_path, url, told):
    monkeypatch.setenv("DEBIAN_MIRROR", url)
    with pytest.raises(DeviceError, match=told):
        debian_packages.fetch(ZLIB, "arm64", tmp_path)


@pytest.mark.parametrize(
    ("linger", "told"),
    [
        (None, r"IncompleteRead\(4 bytes read, 96 more expected\)"),
        (struct.pack("ii", 1, 0), "Connection reset by peer"),
    ],
    ids=["ended", "reset"],
)
def test_a_package_cut_short(monkeypatch, tmp_path, linger, told):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection = server.accept()[0]
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
            if linger:  # what a close sends then is a reset
                time.sleep(0.2)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()

        monkeypatch.setenv("DEBIAN_MIRROR", f"http://127.0.0.1:{server.getsockname()[1]}")
        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(DeviceError, match=rf"cannot fetch http://.*: .*{told}; is this machine online\?"):
            debian_packages.fetch(ZLIB, "arm64", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_package(tmp_path):
    file = tmp_path / "x.deb"
    file.write_bytes(b"!<arch>\n" + b"debian-binary   0           0     0     100644  4         `\n2.0\n")
    with pytest.raises(DeviceError, match=r"has no data\.tar\.xz"):
        list(debian_packages.members(file))


def test_every_package_for_every_abi():
    assert all(
        set(digests) == {abi.debian for abi in bundle.ABIS.values()} for digests in debian_packages.PACKAGES.values()
    )


def test_equal_parts_make_equal_archives(tmp_path):
    entries = [("b/x", b"1"), ("a", b"\x7fELF"), ("b/link", "x")]
    first, again = (
        write_archive(tmp_path / each, "name", order) for each, order in (("1", entries), ("2", entries[::-1]))
    )
    assert first.name == again.name
    assert first.file.read_bytes() == again.file.read_bytes()
    assert write_archive(tmp_path / "3", "name", [*entries[:2], ("b/link", "y")]).name != first.name
    with tarfile.open(first.file) as tree:
        modes = {each.name: (each.mode, each.mtime, each.uid, each.linkname) for each in tree}
    assert modes == {"a": (0o755, 0, 0, ""), "b/x": (0o644, 0, 0, ""), "b/link": (0o644, 0, 0, "x")}
    assert [each.name for each in (tmp_path / "1").iterdir()] == [first.file.name]


def test_runtime_layer_is_what_is_installed():
    import edgevit_runtime

    names = {path for path, _ in runtime_files()}
    assert {"edgevit_runtime/__main__.py", "edgevit_runtime/cli/main.py"} <= names
    assert all(path.startswith(f"{edgevit_runtime.__name__}/") for path in names)


@pytest.mark.adb
def test_arm64_archives(request, monkeypatch):
    """Debian's and PyPI's real files: for aarch64 and pages of 16 KB, and nothing points out of its archive."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("bundles")))
    libraries, programs = set(), 0
    archives = bundle.bundle(bundle.ABIS["arm64-v8a"])
    for archive in archives:
        with tarfile.open(archive.file) as tree:
            for member in tree:
                assert not member.name.startswith(("/", ".."))
                assert not member.issym() or "/" not in member.linkname
                libraries.add(member.name.rpartition("/")[2])
                content = tree.extractfile(member).read() if member.isreg() else b""
                if content[:4] == b"\x7fELF":
                    programs += 1
                    assert struct.unpack_from("<H", content, 18) == (183,)  # EM_AARCH64
                    assert all(align % 16384 == 0 for align in load_alignments(content)), member.name
    assert programs > 100
    assert {"ld-linux-aarch64.so.1", "libc.so.6", "libstdc++.so.6", "libLiteRt.so", "python3.11"} <= libraries
    assert bundle.bundle(bundle.ABIS["arm64-v8a"]) == archives


def load_alignments(content):
    """p_align of each PT_LOAD (elf(5)), 64 bits, little-endian."""
    (start,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for index in range(count):
        kind, *_, align = struct.unpack_from("<IIQQQQQQ", content, start + index * size)
        if kind == 1:
            yield align
