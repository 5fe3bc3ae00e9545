"""Some rounds of `python -m tests.attack_audition`."""

from tests.attack_audition import RECIPE, attack, attacked


def test_malformed_messages_are_refused_with_reasons_and_nothing_comes_of_them(tmp_path):
    with attacked(tmp_path) as target:
        before = target.files()
        attack(target, range(200), seed=7)
        assert target.faults == []
        assert target.ends["HTTP 422"] > 15 and target.ends["HTTP 400"] > 50 and target.ends["HTTP 403"] > 15
        assert target.ends["messages of web sockets"] == 100
        state = target.state()
        assert (state["version"], state["text"], target.files()) == (0, RECIPE, before)
