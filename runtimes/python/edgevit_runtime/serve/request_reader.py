"""The bytes of one client become requests, one at a time, however they are cut and whatever follows them."""

from __future__ import annotations

from collections.abc import Callable

from edgevit_runtime.serve.request import HEAD_BYTES, Request, find_end, read_head
from edgevit_runtime.serve.response import RequestError


class RequestReader:
    """Knows of no socket and no clock.

    admit: raises `RequestError` for a request that is not wanted, when its head is known and before its body is read.
    """

    def __init__(self, admit: Callable[[Request], None]) -> None:
        self._admit = admit
        self._data = bytearray()
        self._searched = 0
        self._skipped = False
        self._request: Request | None = None
        self.continue_due = False
        """Whether the client waits for `100 Continue` before it sends the body."""

    def __len__(self) -> int:
        """The bytes that are held."""
        return len(self._data)

    @property
    def begun(self) -> bool:
        """Whether a part of a next request is here."""
        return bool(self._data) or self._request is not None

    @property
    def wanted(self) -> int:
        """The most bytes that are worth reading now."""
        if self._request is None:
            return HEAD_BYTES
        return max(1, min(1 << 18, (self._request.length or 0) - len(self._data)))

    def feed(self, data: bytes) -> None:
        self._data += data

    def next(self) -> tuple[Request, bytes] | None:
        """The next request and its body, once both are whole. Raises `RequestError`; nothing can be read after that."""
        if self._request is None:
            self._read_head()
        request = self._request
        if request is None:
            return None
        length = request.length or 0
        if len(self._data) < length:
            self.continue_due = request.expects_continue and not self._data
            return None
        with memoryview(self._data) as held:
            body = bytes(held[:length])
        del self._data[:length]
        self._request, self._searched, self._skipped, self.continue_due = None, 0, False, False
        return request, body

    def _read_head(self) -> None:
        if self._data[:1] == b"\r" and not self._skipped:  # an empty line before a request: some clients end bodies so
            if len(self._data) < 2:
                return
            if self._data[:2] == b"\r\n":
                del self._data[:2]
                self._skipped = True
        if self._data[:1] == b"\r":
            raise RequestError(400, "a request begins with METHOD /path HTTP/1.1")
        end = find_end(self._data, self._searched)
        self._searched = len(self._data)
        if end < 0:
            return
        request = read_head(bytes(self._data[:end]))
        del self._data[: end + 4]
        self._admit(request)
        self._request = request
