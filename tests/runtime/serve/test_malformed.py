"""Damaged requests, some hundred of those that benchmarks/serve_fuzz.py sends by the ten thousand."""

from support.http_mutations import damaged
from support.serving import file_of, survive


def test_each_gets_one_of_our_answers_or_none(serving, capsys):
    ask = serving()
    picture = file_of(1)
    expected = ask.model.classify(picture).to_dict()["top"]
    codes = set()
    for seed in range(400):
        each = damaged(seed, picture)
        codes.update(survive(ask.address, each.pieces, reset=each.reset))
        if seed % 100 == 99:
            assert ask("POST", "/", picture)[1]["top"] == expected
    assert {200, 400, 403, 404, 405, 411, 413, 414, 415, 431, 501, 505} <= codes
    assert ask.metric('edgevit_requests_total{code="500"}') == 0
    assert ask.metric("edgevit_connections") == 1
    assert capsys.readouterr().err == ""
