"""The lines of docs/serving.md that are figures."""

from __future__ import annotations

from collections.abc import Iterator

from training_tables import result, table

NAMES = {
    "edgevit-run": "`edgevit-run serve`",
    "http.server": "`http.server`, a thread a connection",
    "waitress": "waitress {waitress}",
    "h11": "h11 {h11}, a parser alone",
}


def peers() -> Iterator[str]:
    found = result("serve_peers")
    odd = {each["server"]: each for each in found["odd_requests"]}
    dawdling = {each["server"]: each for each in found["slow_clients"]}
    rows = []
    for server, name in NAMES.items():
        each, taken = dawdling.get(server), odd[server]
        within = f"{each['answered_within_1_s']:,} of {each['asked']:,}" if each else ""
        longest = "" if not each else f"{each['max_ms']:.0f} ms" if each["max_ms"] is not None else "none came"
        cost = f"{each['threads']}, {each['rss_mb']:.0f} MB" if each else ""
        cases = sum(taken[kind] for kind in ("refused", "no answer", "hangs", "taken"))
        rows.append(
            [
                name.format(**found["versions_of_peers"]),
                within,
                longest,
                cost,
                f"{taken['taken']} of {cases}",
                str(taken["no answer"]) if each else "",
            ]
        )
    head = ["server", "answered within 1 s", "longest", "threads, memory"]
    yield from table([*head, "odd requests taken", "ended without a word"], rows)
    yield ""
    slow, machine = found["slow"], found["machine"]
    honest, every_s = slow["honest clients"], slow["a byte every s"]
    yield (
        f"Answers: {honest} clients for {slow['seconds']:g} s, each picture by a new connection, "
        f"while {slow['clients']} others send a byte every {every_s:g} s. {machine['cores']} cores of an "
        f"{machine['cpu']}, {found['date']}: benchmarks/serve_peers.py."
    )
    alike = found["read_as_h11_does"]
    yield ""
    yield (
        f"Of {alike['damaged']:,} damaged requests (some are several, one behind the other) {alike['taken']:,} are "
        f"taken; h11 reads {alike['alike']:,} of them alike, and refuses "
        f"{alike['of the rest, behind an empty line']} for the empty line before them, which RFC 9112 allows."
    )


def malformed() -> Iterator[str]:
    found = result("serve_fuzz")
    codes = ", ".join(f"{code} {count:,} times" for code, count in found["answers_by_code"].items())
    memory_mb = found["rss_mb_at_the_end"]
    yield (
        f"{found['requests']:,} damaged requests: {sum(found['faults'].values())} crashes, hangs or answers not of "
        f"ours, {found['counted_500']} times 500; the longest took {found['longest_s']:.2f} s. Each of the "
        f"{found['right_pictures_between']} right pictures between them got its right answer within "
        f"{found['right_pictures_longest_s']:.2f} s; {memory_mb:.0f} MB at the end. Answered: {codes}. "
        f"{found['date']}: benchmarks/serve_fuzz.py."
    )


SECTIONS = {"peers": peers, "malformed": malformed}
