"""The file system that a container would see: layers laid over each other, without their contents.

A tree of directories, so that a whiteout or a replaced directory costs one step however much it hides, and files with
equal attributes share one value: two million entries stay at some hundred bytes each. Paths are taken literally, as both
scanners do; symbolic links are resolved only for the gate's own look-ups.
Refuses what readers in use take differently: a path twice in a layer (runtimes keep the last, Trivy looks at both), a file and
its whiteout, entries below a file or link of the same layer (runtimes follow, the scanners take names literally), malformed
whiteouts, hard links that no runtime can make (attacks L04, L05, L06). A layer may leave directories out. Where one of those
is a link in a lower layer, containerd writes through the link and Docker and Podman put a directory over it: refused where
the two give a path other contents, else read as the scanners and Docker do.
Specification: OCI image-spec 1.1 `layer.md`; checks reference 7.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from gate.errors import ImageError
from gate.layers.entry import Entry, EntryKind
from gate.layers.faults import malformed, shown

MAX_LINK_STEPS: Final = 40
_WHITEOUT: Final = b".wh."
_OPAQUE: Final = b".wh..wh..opq"
_SET_ID_BITS: Final = 0o6000


@dataclass(frozen=True, slots=True)
class Node:
    """A path of the merged view: which layer wrote it last, what it is, and its owner and rights."""

    layer: int
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    capabilities: bool = False
    is_hardlink: bool = False
    link: bytes = b""
    device: str = ""
    # Of a hard link: layer and path of the entry whose bytes it shares, which stay its bytes whatever becomes of that path.
    origin: tuple[int, bytes] | None = None

    def body_of(self, path: bytes) -> tuple[int, bytes]:
        """Return layer and path of the entry that brought the bytes of this file, which stands at `path`."""
        return self.origin if self.origin is not None else (self.layer, path)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a path leads after symbolic links: the last path, what is there, and whether a link was on the way."""

    path: bytes
    node: Node
    via_link: bool


class _Directory:
    __slots__ = ("children", "node", "touched")

    def __init__(self, node: Node, touched: int) -> None:
        self.children: dict[bytes, _Directory | Node] | None = None
        self.node = node
        # The last layer that wrote the directory or something below it.
        self.touched = touched


_NOT_WRITTEN: Final = -1


class MergedView:
    """Call `begin_layer`, `add` for each of its entries in order, and `end_layer`; base first."""

    def __init__(self) -> None:
        self._layer = -1
        self._root = _Directory(Node(_NOT_WRITTEN, EntryKind.DIRECTORY, 0o755, 0, 0), 0)
        self._shared: dict[Node, Node] = {}
        self._whiteouts: dict[bytes, int] = {}
        self._opaques: dict[bytes, int] = {}
        self._parent: tuple[bytes, _Directory] | None = None
        # Directories that nothing wrote and that lie over a link of a lower layer, with where the link led.
        self._over_links: dict[bytes, bytes] = {}

    def begin_layer(self) -> None:
        """Start the next layer."""
        self._layer += 1
        self._shared.clear()
        self._whiteouts.clear()
        self._opaques.clear()
        self._parent = None

    def add(self, entry: Entry) -> None:
        """Lay one entry over what is there.

        Raises:
            ImageError: `IMG_LAYER_MALFORMED`.
        """
        folder, _, name = entry.path.rpartition(b"/")
        if _WHITEOUT in entry.path and self._add_whiteout(entry, folder, name):
            return
        if not entry.path:
            self._root = self._written(self._root, self._node(entry))
            return
        parent = self._parent_of(folder, entry)
        if parent.children is None:
            parent.children = {}
        if self._over_links:
            self._check_over_links(entry.path, entry)
            self._over_links.pop(entry.path, None)
        self._place(parent.children, name, entry)

    def end_layer(self) -> None:
        """Let the layer's whiteouts remove what lower layers hold, wherever in the layer they stood.

        Raises:
            ImageError: `IMG_LAYER_MALFORMED`, the layer holds a path and its whiteout.
        """
        for path, position in self._whiteouts.items():
            self._remove(path, position)
        last: bytes | None = None
        for path in sorted(self._opaques, key=lambda path: path.split(b"/") if path else []):
            if last is None or not (last == b"" or path.startswith(last + b"/")):
                last = path
                found = self._at(path)
                if isinstance(found, _Directory):
                    self._remove_lower(found)

    def find(self, path: bytes) -> Node | None:
        """Return what is at exactly this path, without following links; None where nothing is."""
        found = self._at(path)
        return found.node if isinstance(found, _Directory) else found

    def names(self, path: bytes) -> tuple[bytes, ...]:
        """Return the names in a directory, sorted; empty where there is none."""
        found = self._at(path)
        return tuple(sorted(found.children or ())) if isinstance(found, _Directory) else ()

    def resolve(self, path: bytes) -> Resolved | None:
        """Follow symbolic links inside the root, at most 40 steps; None where they lead nowhere or in a circle."""
        todo = path.split(b"/")[::-1]
        names: list[bytes] = []
        places: list[_Directory] = [self._root]
        steps = 0
        while todo:
            part = todo.pop()
            if part in {b"", b"."}:
                continue
            if part == b"..":
                names[-1:] = []
                places[1:] = places[1:-1]
                continue
            child = (places[-1].children or {}).get(part)
            if isinstance(child, _Directory):
                names.append(part)
                places.append(child)
            elif child is None:
                return None
            elif child.kind is not EntryKind.SYMLINK:
                return None if any(todo) else Resolved(b"/".join([*names, part]), child, via_link=steps > 0)
            else:
                steps += 1
                if steps > MAX_LINK_STEPS:
                    return None
                if child.link.startswith(b"/"):
                    names, places = [], [self._root]
                todo.extend(child.link.split(b"/")[::-1])
        return Resolved(b"/".join(names), places[-1].node, via_link=steps > 0)

    def files(self) -> Iterator[tuple[bytes, bytes, Node]]:
        """Yield folder, name and node of all that is no directory; each name of a hard link, in no certain order."""
        stack = [(b"", self._root)]
        while stack:
            folder, place = stack.pop()
            for name, child in (place.children or {}).items():
                if isinstance(child, _Directory):
                    stack.append((folder + b"/" + name if folder else name, child))
                else:
                    yield folder, name, child

    def directories(self) -> Iterator[tuple[bytes, Node]]:
        """Yield path and node of each directory that an entry wrote, in no certain order."""
        stack = [(b"", self._root)]
        while stack:
            path, place = stack.pop()
            if place.node.layer != _NOT_WRITTEN:
                yield path, place.node
            children = (place.children or {}).items()
            stack += [(path + b"/" + n if path else n, child) for n, child in children if isinstance(child, _Directory)]

    def _at(self, path: bytes) -> _Directory | Node | None:
        place: _Directory | Node | None = self._root
        for part in path.split(b"/") if path else ():
            if not isinstance(place, _Directory) or place.children is None:
                return None
            place = place.children.get(part)
        return place

    def _parent_of(self, folder: bytes, entry: Entry) -> _Directory:
        if self._parent and self._parent[0] == folder:
            return self._parent[1]
        place = self._root
        place.touched = self._layer
        end = -1
        for part in folder.split(b"/") if folder else ():
            end += 1 + len(part)
            self._note_link(place, part, folder[:end])
            place = self._descend(place, part, entry)
        self._parent = (folder, place)
        return place

    def _note_link(self, place: _Directory, part: bytes, path: bytes) -> None:
        child = (place.children or {}).get(part)
        if isinstance(child, Node) and child.kind is EntryKind.SYMLINK and child.layer != self._layer:
            resolved = self.resolve(path)
            if resolved is not None:
                self._over_links[path] = resolved.path

    def _check_over_links(self, written: bytes, entry: Entry) -> None:
        for path, target in self._over_links.items():
            if written.startswith(path + b"/"):
                self._refuse_replaced(target + written[len(path) :], entry)

    def _refuse_replaced(self, path: bytes, entry: Entry) -> None:
        found = self._at(path.removeprefix(b"/"))
        if found is not None and not isinstance(found, _Directory):
            expected = "the directory as an entry of the layer, or the path without the link"
            raise malformed(
                "an entry stands below a link of a lower layer and would replace a file there for some runtimes",
                at=entry.position, expected=expected, seen=shown(entry.path),
            )  # fmt: skip

    def _descend(self, place: _Directory, part: bytes, entry: Entry) -> _Directory:
        if place.children is None:
            place.children = {}
        child = place.children.get(part)
        if isinstance(child, _Directory):
            child.touched = self._layer
            return child
        if child is not None and child.layer == self._layer:
            expected = "a directory above it, or nothing"
            raise malformed(
                "an entry stands below a file or link", at=entry.position, expected=expected, seen=shown(entry.path)
            )
        made = _Directory(self._share(Node(_NOT_WRITTEN, EntryKind.DIRECTORY, 0o755, 0, 0)), self._layer)
        place.children[part] = made
        return made

    def _place(self, siblings: dict[bytes, _Directory | Node], name: bytes, entry: Entry) -> None:
        there = siblings.get(name)
        node = self._node(entry)
        if isinstance(there, _Directory):
            if node.kind is EntryKind.DIRECTORY:
                siblings[name] = self._written(there, node)
                return
            if there.touched == self._layer:
                raise _twice(entry)
        elif there is not None and there.layer == self._layer:
            raise _twice(entry)
        siblings[name] = _Directory(node, self._layer) if node.kind is EntryKind.DIRECTORY else node

    def _written(self, there: _Directory, node: Node) -> _Directory:
        # Builders repeat a directory (rules_pkg for each dependency, with rights of its own): every runtime keeps the last rights
        # and owner, and the scanners look at neither.
        there.node, there.touched = node, self._layer
        return there

    def _node(self, entry: Entry) -> Node:
        if entry.kind is EntryKind.HARDLINK:
            return self._share(self._linked(entry))
        link = entry.link if entry.kind is EntryKind.SYMLINK else b""
        node = Node(
            self._layer,
            entry.kind,
            entry.mode,
            entry.uid,
            entry.gid,
            entry.capabilities,
            link=link,
            device=entry.device,
        )
        return node if link else self._share(node)

    def _linked(self, entry: Entry) -> Node:
        target, path = self._link_target(entry.link)
        if target is None or target.kind is EntryKind.DIRECTORY:
            # Every runtime calls link(2) in the order of the entries, and fails there.
            expected = "an earlier entry of this layer or below that is no directory"
            raise malformed("a hard link has no target", at=entry.position, expected=expected, seen=shown(entry.link))
        # Runtimes set the link's own mode on the shared file, so that its rights count beside the target's.
        mode = target.mode | (entry.mode & _SET_ID_BITS)
        capabilities = target.capabilities or entry.capabilities
        return replace(
            target,
            layer=self._layer,
            mode=mode,
            capabilities=capabilities,
            is_hardlink=True,
            origin=target.body_of(path),
        )

    def _link_target(self, path: bytes) -> tuple[Node | None, bytes]:
        """Return what a hard link names: links in its folder are followed, a link at its end is itself the target."""
        found = self.find(path)
        if found is not None:
            return found, path
        folder, _, name = path.rpartition(b"/")
        resolved = self.resolve(folder)
        if resolved is None:
            return None, path
        real = resolved.path + b"/" + name if resolved.path else name
        return self.find(real), real

    def _share(self, node: Node) -> Node:
        return self._shared.setdefault(node, node)

    def _add_whiteout(self, entry: Entry, folder: bytes, name: bytes) -> bool:
        if folder.startswith(_WHITEOUT) or b"/.wh." in folder:
            expected = "whiteouts without anything below them"
            raise malformed(
                "a directory is named like a whiteout", at=entry.position, expected=expected, seen=shown(entry.path)
            )
        if not name.startswith(_WHITEOUT):
            return False
        hidden = name.removeprefix(_WHITEOUT)
        # `.wh.` alone hides the folder for some runtimes; `.wh..wh.*` are aufs's own, which containerd and Docker pass over and
        # the scanners take for removals (attack L04).
        if name != _OPAQUE and (hidden in {b"", b".", b".."} or hidden.startswith(_WHITEOUT)):
            expected = "the name that it hides, or .wh..wh..opq"
            raise malformed("a whiteout is malformed", at=entry.position, expected=expected, seen=shown(entry.path))
        if entry.kind is not EntryKind.FILE or entry.size:
            # Runtimes go by the name alone, Trivy by regular files.
            raise malformed("a whiteout is no empty file", at=entry.position, expected="an empty regular file")
        seen = self._opaques if name == _OPAQUE else self._whiteouts
        key = folder if name == _OPAQUE or not hidden else (folder + b"/" + hidden if folder else hidden)
        if key in seen:
            raise _twice(entry)
        self._check_over_links(key, entry)
        resolved = self.resolve(folder) if name != _OPAQUE else None
        if resolved is not None and resolved.via_link:
            self._refuse_replaced(resolved.path + b"/" + hidden, entry)
        seen[key] = entry.position
        return True

    def _remove(self, path: bytes, position: int) -> None:
        folder, _, name = path.rpartition(b"/")
        parent = self._at(folder)
        if not isinstance(parent, _Directory) or parent.children is None:
            return
        found = parent.children.get(name)
        if found is None:
            return
        written = found.touched if isinstance(found, _Directory) else found.layer
        if written == self._layer:
            # containerd applies in the order of entries, Podman and the scanners take removals first.
            expected = "a path or its whiteout in one layer, not both"
            raise malformed("a layer writes what it hides", at=position, expected=expected, seen=shown(path))
        del parent.children[name]

    def _remove_lower(self, top: _Directory) -> None:
        stack = [top]
        while stack:
            children = stack.pop().children or {}
            for name, child in list(children.items()):
                if isinstance(child, _Directory) and child.touched == self._layer:
                    stack.append(child)
                elif isinstance(child, _Directory) or child.layer != self._layer:
                    del children[name]


def is_whiteout(path: bytes) -> bool:
    """Say whether the last part of a path marks a removal, so that there is no file of that name."""
    return path.rpartition(b"/")[2].startswith(_WHITEOUT)


def _twice(entry: Entry) -> ImageError:
    expected = "each path once in a layer"
    return malformed("a layer holds a path twice", at=entry.position, expected=expected, seen=shown(entry.path))
