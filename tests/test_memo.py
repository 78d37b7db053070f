"""The memo: what is worked out once, for as long as it is asked for and its inputs stay."""

from apimon_node.dashboard.memo import Memo


class Work:
    """Counts how often it was done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, number: int, text: str) -> list[str]:
        self.done += 1
        return [text] * number


def test_the_same_inputs_are_worked_on_once_and_give_the_same_object() -> None:
    memo, work = Memo(), Work()
    first = memo.of("a", work, 2, "x")
    memo.turn()

    assert memo.of("a", work, 2, "x") is first
    assert memo.of("a", work, 2, "x") is first
    assert (first, work.done) == (["x", "x"], 1)


def test_other_inputs_or_another_name_are_work() -> None:
    memo, work = Memo(), Work()

    assert memo.of("a", work, 1, "x") == ["x"]
    assert memo.of("a", work, 2, "x") == ["x", "x"]
    assert memo.of("b", work, 2, "x") == ["x", "x"]
    assert work.done == 3


def test_what_a_turn_did_not_ask_for_is_forgotten() -> None:
    memo, work = Memo(), Work()
    memo.of("a", work, 1, "x")
    memo.turn()
    memo.turn()
    memo.of("a", work, 1, "x")
    memo.clear()
    memo.of("a", work, 1, "x")

    assert work.done == 3
