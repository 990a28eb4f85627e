"""What is printed to be opened in a browser leads to the server, from wherever it is opened."""

import socket

import pytest

from edgevit_runtime.serve import own_address
from edgevit_runtime.serve.own_address import url_host
from edgevit_runtime.serve.request import host_name
from edgevit_runtime.serve.visitors import Visitors


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]"), ("pi.local", "pi.local")],
)
def test_an_address_is_shown_as_it_was_given(host, shown):
    assert url_host(host) == shown


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
@pytest.mark.parametrize(
    ("own", "shown"), [("192.168.1.7", "192.168.1.7"), ("fd00::7", "[fd00::7]"), (None, "raspberrypi")]
)
def test_all_addresses_are_shown_as_one_that_others_can_open(monkeypatch, host, own, shown):
    monkeypatch.setattr(own_address, "_own_address", lambda: own)
    monkeypatch.setattr(socket, "gethostname", lambda: "raspberrypi")
    assert url_host(host) == shown
    assert Visitors(host)._is_ours(host_name(shown))  # who asks by it is let in


def test_its_own_address_is_one_of_this_machine():
    """Also where there is no network: then it has none."""
    found = own_address._own_address()
    if found is not None:
        with socket.socket(socket.AF_INET6 if ":" in found else socket.AF_INET) as listener:
            listener.bind((found, 0))
