"""Fair shares as a state machine: slots acquired and released in any order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parlour.operations.fair_shares import FairShares, Share

PLACES = 12
ACCOUNT_PLACES = 9
HOST_PLACES = 4
HOST_GREED = 3

NAMES = st.tuples(st.sampled_from("ABC"), st.sampled_from("hi"), st.sampled_from("xyz"))


def is_under_limits(leaf: Share) -> bool:
    """Return whether each node of a leaf's path has room by its limit and its parent's rule."""
    path = list(leaf.path())
    fits = all(node.in_use < node.limit for node in path)
    return fits and all(
        node.in_use < parent.greed * (parent.limit - parent.in_use)
        for node, parent in pairwise(path)
    )


class Sharing(RuleBasedStateMachine):
    """Accounts, hosts and URLs that share a few slots, and a model that compares all leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.root = FairShares(PLACES)
        self.wanting: dict[tuple[str, ...], Share] = {}
        self.taken: list[Share] = []

    def leaf(self, name: tuple[str, str, str]) -> Share:
        account = self.root.child(name[0], ACCOUNT_PLACES)
        return account.child(name[1], HOST_PLACES, HOST_GREED).child(name[2])

    def ready(self) -> list[Share]:
        return [leaf for leaf in self.wanting.values() if is_under_limits(leaf)]

    @rule(name=NAMES)
    def want(self, name: tuple[str, str, str]) -> None:
        self.wanting[name] = self.leaf(name)
        self.wanting[name].want(True)

    @precondition(lambda self: self.wanting)
    @rule(data=st.data())
    def want_no_more(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.wanting)))
        leaf = self.wanting.pop(name)
        leaf.want(False)
        leaf.discard()

    @rule(may=st.sets(st.sampled_from("ABC"), min_size=1))
    def take(self, may: set[str]) -> None:
        ready = [each for each in self.ready() if list(each.path())[-2].key in may]
        in_use = {node: node.in_use for each in ready for node in each.path()}
        leaf = self.root.take(None if len(may) == len("ABC") else may.__contains__)
        if leaf is None:
            assert not ready, "a place that could be taken was not given"
            return
        assert leaf in ready
        for node in leaf.path():
            siblings = {n for each in ready for n in each.path() if n.parent is node.parent}
            assert in_use[node] == min(in_use[each] for each in siblings)
        self.taken.append(leaf)

    @rule(name=NAMES, count=st.integers(1, 5))
    def occupy(self, name: tuple[str, str, str], count: int) -> None:
        leaf = self.leaf(name)
        room = max(leaf.room, 0)
        for number in range(min(count, room + 1)):
            assert is_under_limits(leaf) is (number < room)
            if number < room:
                leaf.occupy()
                self.taken.append(leaf)
        leaf.discard()

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.taken) - 1))
        leaf = self.taken.pop(place)
        leaf.release()
        leaf.discard()

    @rule(name=NAMES, limit=st.integers(1, HOST_PLACES))
    def set_limit(self, name: tuple[str, str, str], limit: int) -> None:
        leaf = self.leaf(name)
        assert leaf.parent is not None
        leaf.parent.set_limit(limit)
        leaf.discard()

    @rule(name=NAMES)
    def pass_turn(self, name: tuple[str, str, str]) -> None:
        if name in self.wanting:
            self.wanting[name].pass_turn()

    @invariant()
    def counts_add_up(self) -> None:
        assert self.root.in_use == len(self.taken) <= PLACES
        nodes: list[Share] = [self.root]
        while nodes:
            node = nodes.pop()
            children = node.children.values()
            if children:
                assert node.in_use == sum(each.in_use for each in children)
            assert node is self.root or children or node.in_use or node in self.wanting.values()
            nodes.extend(children)

    @invariant()
    def new_account_gets_a_free_slot(self) -> None:
        leaf = self.root.child("new").child("h").child("x")
        assert (leaf.room > 0) is (self.root.in_use < PLACES)
        leaf.discard()


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


def test_greedy_accounts_leave_slots_for_new_ones() -> None:
    """Each new account gets at least half of the slots of the one before."""
    root = FairShares(512)
    found = []
    for number in range(9):
        leaf = root.child(number).child("u")
        leaf.want(True)
        while root.take() is not None:
            pass
        found.append(leaf.in_use)
    assert found == [256, 128, 64, 32, 16, 8, 4, 2, 1]


def test_shares_become_equal_as_slots_are_released() -> None:
    root = FairShares(512)
    leaves = [root.child(number).child("u") for number in range(3)]
    held: list[Share] = []
    for leaf in leaves:
        leaf.want(True)
        while (taken := root.take()) is not None:
            held.append(taken)
    for _ in range(2000):
        held.pop(0).release()
        while (taken := root.take()) is not None:
            held.append(taken)
    assert {leaf.in_use for leaf in leaves} == {128}
    assert root.in_use == 384


def test_equal_shares_alternate() -> None:
    root = FairShares(8)
    leaves = [root.child("A").child(url) for url in "xyz"]
    for leaf in leaves:
        leaf.want(True)
    order = []
    for _ in range(6):
        taken = root.take()
        assert taken is not None
        order.append(taken.key)
        taken.release()
    assert order == ["x", "y", "z"] * 2


def test_turn_without_a_slot_passes_to_the_next() -> None:
    root = FairShares(8)
    for account, url in (("A", "x"), ("A", "y"), ("B", "z")):
        root.child(account).child(url).want(True)
    order = []
    for _ in range(4):
        leaf = root.next()
        assert leaf is not None
        order.append(leaf.key)
        leaf.pass_turn()
    assert order == ["x", "z", "y", "z"]
