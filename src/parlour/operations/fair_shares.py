"""Max-min fair shares of slots, over a tree such as accounts, hosts, URLs.

Slots are requests in flight, threads, rows in memory: any resource that is acquired and released
and cannot be revoked. A leaf of the tree requests slots; `FairShares.take` assigns the next one. It
descends from the root to the child with the fewest slots in use, and among equals to the one that
has waited longest. This is max-min fairness by progressive filling.

A slot in use cannot be revoked, so a party that took all of them while it was alone would make all
others wait. Therefore a node reserves free slots: a child may have at most ``greed`` times as many
slots as the node has free (the dynamic threshold of shared-memory switches: Choudhury and Hahne,
1998). With ``greed`` 1 a single busy account gets half of all slots, two get a third each, n get
one part in n + 1. A new party finds free slots immediately. The cost of the rule is one part in
n + 1 of the slots: a leaf that requests a slot within the limits of its path is never skipped.

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
counts among siblings, not to the number of siblings. Pure: no clock, no waiting.
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
    """A node of the tree: one party that shares its parent's slots with its siblings."""

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
        """``limit``: maximum of slots; ``greed``: see above, by default none are reserved."""
        self.key = key
        self.parent = parent
        self.limit = limit
        self.greed = greed
        self.in_use = 0
        # Both are created lazily: most nodes are leaves and have neither.
        self.children: dict[Hashable, Share] = _NO_CHILDREN
        # Children that could take a slot, by the number of slots in use.
        self.ready: dict[int, dict[Share, None]] = _NONE_READY
        # The key in the parent's ``ready``, or -1.
        self.bucket = -1
        self.wants = False

    def child(self, key: Hashable, limit: int = UNLIMITED, greed: int = UNLIMITED) -> Share:
        """Return the child with this key; create it with these limits if it does not exist."""
        found = self.children.get(key)
        if found is None:
            if not self.children:
                self.children = {}
            found = self.children[key] = Share(key, self, limit, greed)
        return found

    def want(self, wants: bool) -> None:
        """Set whether this leaf requests a slot, or another one."""
        assert not self.children
        if self.wants != wants:
            self.wants = wants
            self._update()

    def occupy(self) -> None:
        """Take a slot for this leaf, regardless of the order."""
        node: Share | None = self
        while node is not None:
            node.in_use += 1
            node = node.parent
        self._update(is_whole_path=True)

    def release(self) -> None:
        """Release a slot of this leaf."""
        assert self.in_use > 0
        node: Share | None = self
        while node is not None:
            node.in_use -= 1
            node = node.parent
        self._update(is_whole_path=True)

    @property
    def room(self) -> int:
        """The number of slots that this leaf could take now; 0 or less if it has to wait."""
        node, room = self, UNLIMITED
        while (parent := node.parent) is not None:
            free = parent.limit - parent.in_use
            # Each slot taken increases the node's count and decreases the free slots.
            by_rule = -(-(parent.greed * free - node.in_use) // (1 + parent.greed))
            room = min(room, node.limit - node.in_use, by_rule)
            node = parent
        return min(room, node.limit - node.in_use)

    def pass_turn(self) -> None:
        """Queue behind all siblings with as many slots, at each level of the path."""
        node = self
        while (parent := node.parent) is not None:
            if node.bucket >= 0:
                parent.move(node, node.bucket)
            node = parent

    def set_limit(self, limit: int) -> None:
        """Change the maximum of slots; slots in use above it are not revoked."""
        if self.limit != limit:
            self.limit = limit
            self._update()

    def discard(self) -> None:
        """Remove this node if its subtree is idle; then its parent likewise."""
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
        """Whether a slot could be taken here within the limits of this subtree."""
        if self.in_use >= self.limit:
            return False
        return self.wants or self.best() is not None

    def path(self) -> Iterator[Share]:
        """Yield this node and its ancestors, up to the root."""
        node: Share | None = self
        while node is not None:
            yield node
            node = node.parent

    def best(self, may: Callable[[Hashable], bool] | None = None) -> Share | None:
        """Return the next child in order, among those that ``may`` accepts."""
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
        """Move this node and its ancestors to their current buckets."""
        node = self
        while (parent := node.parent) is not None:
            bucket = node.in_use if node.is_ready else -1
            if bucket != node.bucket:
                parent.move(node, bucket)
            elif not is_whole_path:
                return
            node = parent

    def move(self, child: Share, bucket: int) -> None:
        """Move a child to the end of a bucket; -1: out of all buckets."""
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
    """The root of the tree, with all slots."""

    __slots__ = ()

    def __init__(self, limit: int, greed: int = 1) -> None:
        """Share ``limit`` slots; ``greed`` determines how many are reserved."""
        super().__init__("", None, limit, greed)

    def next(self, may: Callable[[Hashable], bool] | None = None) -> Share | None:
        """Return the leaf that gets the next slot; None if no leaf is ready.

        ``may``: a filter on the keys of the root's children.
        """
        if self.in_use >= self.limit:
            return None
        node = self.best(may)
        while node is not None and not node.wants:
            node = node.best()
        return node

    def take(self, may: Callable[[Hashable], bool] | None = None) -> Share | None:
        """Assign the next slot and return its leaf; see ``next``."""
        leaf = self.next(may)
        if leaf is not None:
            leaf.occupy()
        return leaf
