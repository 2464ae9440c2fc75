"""Max-min fair shares of a number of places, over a tree: accounts, hosts, URLs.

Places are requests in flight, threads, rows in memory: anything that is taken and given back and
cannot be taken away in between. A leaf of the tree *wants* places; `FairShares.take` gives the next
one. On the way down from the root it goes to the child with the fewest places in use, and among
equals to the one that has waited longest. That is max-min fairness by progressive filling.

What is in use cannot be taken back, so a party that took everything while it was alone would make
all others wait until it is finished. Therefore a node leaves some of its places free: a child may
have at most ``greed`` times as many places as the node has free (the dynamic threshold of shared
memory switches: Choudhury and Hahne, 1998). With ``greed`` 1 a single busy account gets half of all
places, two get a third each, n get one part in n + 1. A newcomer finds free places at once.
The rule wastes one part in n + 1 of the places, and nothing else: a leaf that wants a place and is
under the limits of its path is never passed over.

States of a leaf, where *under its limits* means that each node on its path, itself included, has
room by its limit and by its parent's rule:

| state   | wants | under its limits | leaves by                              |
|---------|-------|------------------|----------------------------------------|
| idle    | no    | any              | ``want(True)``, ``discard``            |
| ready   | yes   | yes              | ``want(False)``, ``take``, ``occupy``: |
|         |       |                  | ready or blocked afterwards            |
| blocked | yes   | no               | ``want(False)``; on its path a         |
|         |       |                  | ``release`` or ``set_limit``           |

Every operation costs time in proportion to the depth of the tree and to the number of different
counts among siblings, not to the number of siblings. Nothing here waits or knows a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

UNLIMITED: Final = 1 << 40
# Never written to.
_NO_CHILDREN: Final[dict[Hashable, Share]] = {}
_NONE_READY: Final[dict[int, dict[Share, None]]] = {}


class Share:
    """A node of the tree: one party that shares its parent's places with its siblings."""

    __slots__ = (
        "bucket",
        "children",
        "greed",
        "in_use",
        "key",
        "limit",
        "parent",
        "ready",
        "wants",
    )

    def __init__(
        self, key: Hashable, parent: Share | None, limit: int = UNLIMITED, greed: int = UNLIMITED
    ) -> None:
        """``limit``: places at most; ``greed``: see above, by default none of them stay free."""
        self.key = key
        self.parent = parent
        self.limit = limit
        self.greed = greed
        self.in_use = 0
        # Both are made at the first need: leaves are many, and have neither.
        self.children: dict[Hashable, Share] = _NO_CHILDREN
        # Children that could take a place, by the number of places that they have.
        self.ready: dict[int, dict[Share, None]] = _NONE_READY
        # The key in the parent's dictionary, or -1.
        self.bucket = -1
        self.wants = False

    def child(self, key: Hashable, limit: int = UNLIMITED, greed: int = UNLIMITED) -> Share:
        """The child with this key; it is made with these bounds if there is none."""
        found = self.children.get(key)
        if found is None:
            if not self.children:
                self.children = {}
            found = self.children[key] = Share(key, self, limit, greed)
        return found

    def want(self, wants: bool) -> None:
        """Say whether this leaf wants a place, or one more."""
        assert not self.children
        if self.wants != wants:
            self.wants = wants
            self._update()

    def occupy(self) -> None:
        """Take a place for this leaf, whether or not it is its turn."""
        node: Share | None = self
        while node is not None:
            node.in_use += 1
            node = node.parent
        self._update(is_whole_path=True)

    def release(self) -> None:
        """Give a place of this leaf back."""
        assert self.in_use > 0
        node: Share | None = self
        while node is not None:
            node.in_use -= 1
            node = node.parent
        self._update(is_whole_path=True)

    @property
    def room(self) -> int:
        """How many places this leaf could take now; none, or less, if it has to wait."""
        node, room = self, UNLIMITED
        while (parent := node.parent) is not None:
            free = parent.limit - parent.in_use
            # Each place that is taken makes the node larger, and what is free smaller.
            by_rule = -(-(parent.greed * free - node.in_use) // (1 + parent.greed))
            room = min(room, node.limit - node.in_use, by_rule)
            node = parent
        return min(room, node.limit - node.in_use)

    def pass_turn(self) -> None:
        """Let all siblings with as many places go first, at each level of the path."""
        node = self
        while (parent := node.parent) is not None:
            if node.bucket >= 0:
                parent.move(node, node.bucket)
            node = parent

    def set_limit(self, limit: int) -> None:
        """Change how many places this node may have; what is above it now is not taken away."""
        if self.limit != limit:
            self.limit = limit
            self._update()

    def discard(self) -> None:
        """Leave the tree if this node and everything below it is idle; then the parent, too."""
        node = self
        while node.parent is not None:
            if node.children or node.in_use or node.wants:
                return
            assert node.bucket < 0
            if node.parent.children.get(node.key) is node:
                del node.parent.children[node.key]
            node = node.parent

    @property
    def is_ready(self) -> bool:
        """Whether a place could be taken here, as far as this node and those below it say."""
        if self.in_use >= self.limit:
            return False
        return self.wants or self.best() is not None

    def path(self) -> Iterator[Share]:
        """This node and those above it, up to the root."""
        node: Share | None = self
        while node is not None:
            yield node
            node = node.parent

    def best(self, may: Callable[[Hashable], bool] | None = None) -> Share | None:
        """The child whose turn it is, of those that ``may`` lets pass."""
        if not self.ready:
            return None
        free = self.limit - self.in_use
        if may is None:
            lowest = min(self.ready)
            return next(iter(self.ready[lowest])) if lowest < self.greed * free else None
        for count in sorted(self.ready):
            if count >= self.greed * free:
                return None
            for child in self.ready[count]:
                if may(child.key):
                    return child
        return None

    def _update(self, *, is_whole_path: bool = False) -> None:
        """Put this node where it belongs among its siblings now, and so on upwards."""
        node = self
        while (parent := node.parent) is not None:
            bucket = node.in_use if node.is_ready else -1
            if bucket != node.bucket:
                parent.move(node, bucket)
            elif not is_whole_path:
                return
            node = parent

    def move(self, child: Share, bucket: int) -> None:
        """Put a child behind all others that have as many places."""
        old = child.bucket
        if old >= 0:
            siblings = self.ready[old]
            del siblings[child]
            if not siblings:
                del self.ready[old]
        child.bucket = bucket
        if bucket >= 0:
            if not self.ready:
                self.ready = {}
            self.ready.setdefault(bucket, {})[child] = None


class FairShares(Share):
    """The root: all the places there are."""

    __slots__ = ()

    def __init__(self, limit: int, greed: int = 1) -> None:
        """Share ``limit`` places; ``greed`` says how many of them stay free."""
        super().__init__("", None, limit, greed)

    def next(self, may: Callable[[Hashable], bool] | None = None) -> Share | None:
        """The leaf that the next place goes to, if one wants it and is under its limits.

        ``may``: which children of the root may have one now, by their keys.
        """
        if self.in_use >= self.limit:
            return None
        node = self.best(may)
        while node is not None and not node.wants:
            node = node.best()
        return node

    def take(self, may: Callable[[Hashable], bool] | None = None) -> Share | None:
        """Give the next place to the leaf whose turn it is; see ``next``."""
        leaf = self.next(may)
        if leaf is not None:
            leaf.occupy()
        return leaf
