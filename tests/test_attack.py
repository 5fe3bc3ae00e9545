"""A few rounds of each attack; `python -m tests.attack` runs more of them."""

import pytest

from tests import attack


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("top") / "attacked"
    attack.prepare(folder)
    return folder


def test_mutated_recipes_are_read_or_told(folder):
    ends, faults = attack.attack((attack.attack_recipe,), range(60), 5, folder)
    assert faults == [] and ends["read"] > 5 and ends["told"] > 5


def test_mutated_files_of_other_kinds_are_read_or_told(folder):
    attack.build_pack(folder)
    ends, faults = attack.attack(attack.OTHERS, range(100), 5, folder)
    assert faults == [] and ends["read"] > 10 and ends["told"] > 30
