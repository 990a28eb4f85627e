"""The timing loop, on a clock of its own."""

import itertools
import subprocess
import sys

import pytest

from edgevit_runtime.measure.timing import MIN_ROUNDS, MIN_RUNS, measure


class Clock:
    """Time that passes only when a call says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def call(self, durations):
        endless = itertools.cycle(durations)

        def run():
            self.now += next(endless)

        return run


def test_steady_calls_stop_early_and_exactly():
    clock = Clock()
    latency = measure({64: clock.call([0.005])}, seconds=60, clock=clock)[64]
    assert latency.median_ms == pytest.approx(5.0)
    assert latency.p10_ms == pytest.approx(5.0)
    assert latency.stable
    assert MIN_RUNS <= latency.runs < 200
    assert clock.now >= MIN_ROUNDS * 0.04  # not one moment's burst


def test_unsteady_calls_run_to_the_limit():
    clock = Clock()
    drifting = [0.001 * (1 + step / 100) for step in range(10_000)]
    latency = measure({64: clock.call(drifting)}, seconds=2, clock=clock)[64]
    assert not latency.stable
    assert 2 <= clock.now < 4


def test_outliers_do_not_move_the_median():
    clock = Clock()
    latency = measure({64: clock.call([0.002] * 9 + [0.2])}, seconds=60, clock=clock)[64]
    assert latency.median_ms == pytest.approx(2.0)


def test_resolutions_take_turns():
    """A slow minute falls on both."""
    order = []
    clock = Clock()

    def call(name):
        def run():
            order.append(name)
            clock.now += 0.01

        return run

    measure({32: call("a"), 64: call("b")}, seconds=1, clock=clock)
    turns = [name for name, _ in itertools.groupby(order)]
    assert len(turns) > 4
    assert turns[:4] == ["a", "b", "a", "b"]


def test_progress_reaches_one():
    clock = Clock()
    seen = []
    measure({64: clock.call([0.01])}, seconds=1, clock=clock, on_round=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_peak_memory_sees_an_allocation():
    """In a process of its own: in one that is gigabytes large, what others give back hides it."""
    program = (
        "from edgevit_runtime.measure.process_memory import peak_rss_bytes, reset_peak_rss\n"
        "reset_peak_rss()\n"
        "before = peak_rss_bytes()\n"
        "block = bytearray(80_000_000)\n"
        "block[::4096] = b'x' * len(block[::4096])\n"
        "print(peak_rss_bytes() - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert int(run.stdout) > 60_000_000, run.stderr


def test_all_stay_until_the_last_is_done():
    """Heat falls on all alike: what is settled early goes on with the others."""
    clock = Clock()
    calls = {
        32: clock.call([0.01]),
        64: clock.call([0.01 * (1 + step / 100) for step in range(10_000)]),
    }
    found = measure(calls, seconds=4, clock=clock)
    assert found[32].stable
    assert not found[64].stable
    bursts = found[32].runs / 4  # of 0.04 s
    assert bursts > 2 * MIN_ROUNDS
    assert found[64].runs / 4 == bursts


def test_what_is_far_too_slow_leaves_early():
    clock = Clock()
    found = measure({32: clock.call([0.01]), 64: clock.call([5.0])}, seconds=3, clock=clock)
    assert found[64].runs == 1
    assert found[32].runs >= MIN_ROUNDS * 4
    assert found[32].stable


def test_total_time():
    clock = Clock()
    drifting = [0.001 * (1 + step / 100) for step in range(10_000)]
    measure({32: clock.call(drifting), 64: clock.call(drifting)}, seconds=60, total_seconds=3, clock=clock)
    assert 3 <= clock.now < 4
