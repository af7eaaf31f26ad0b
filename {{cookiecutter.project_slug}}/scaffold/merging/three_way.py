"""Merges three versions of a text: the lines as git does, Python's imports as sets."""

import difflib
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaffold.merging import definitions, imports, python_source
from scaffold.merging.imports import Parts
from scaffold.processes import Unfinished, environment, find

YOURS, BEFORE = "yours", "written by the last run"
_MARKER = re.compile(r"^(?:<{7}|\|{7}|>{7}) ", re.MULTILINE)


@dataclass(frozen=True)
class Merged:
    """A text, and how many conflicts are shown in it."""

    text: str
    conflicts: int = 0


@dataclass(frozen=True)
class Hunk:
    """A place that both sides changed, each in its own way."""

    raw: str
    yours: str
    before: str
    new: str


def has_markers(text: str) -> bool:
    """Whether a conflict is still shown in a text, or a part of one."""
    return bool(_MARKER.search(text))


def merge(path: str, yours: str, before: str, new: str, label: str) -> Merged:
    """Bring the changes from `before` to `new` into a person's text.

    In Python, lines that only meet are no conflict: one side's beside a line that the
    other changed, or both sides' at one place where their order cannot matter. What is
    still open is shown as git shows it.
    """
    if not path.endswith(".py") or not before:
        return _joined(_merge_lines(yours, before, new, label))
    if not all(map(python_source.is_valid, (yours, before, new))):
        return _joined(_merge_lines(yours, before, new, label))  # in the middle of work
    mine, old, theirs = imports.split_all(yours, before, new)
    if not all(python_source.is_valid(part.rest) for part in (mine, old, theirs)):
        return _joined(_merge_lines(yours, before, new, label))
    merged = _merge_modules(mine, old, theirs, label, _package(path))
    if not merged.conflicts and not python_source.is_valid(merged.text):
        return _whole(yours, before, new, label)
    return merged


def _package(path: str) -> str:
    return ".".join(path.split("/")[:-1])


def _merge_modules(
    yours: Parts, before: Parts, new: Parts, label: str, package: str
) -> Merged:
    top = _merge_python(yours.top, before.top, new.top, label)
    rest = _merge_definitions(yours.rest, before.rest, new.rest, label)
    is_whole = not rest.conflicts and python_source.is_valid(rest.text)
    rests = [rest.text] if is_whole else [yours.rest, new.rest]
    found = imports.merge_imports(yours, before, new, rests, package)
    conflicts = top.conflicts + rest.conflicts
    if found is not None:
        above = top.text
        if python_source.is_valid(above):
            above, found = imports.future_first(above, found)
        return Merged(imports.joined(above, found, rest.text), conflicts)
    shown = _whole(yours.imports, before.imports, new.imports, label)
    return Merged(imports.joined(top.text, shown.text, rest.text), conflicts + 1)


def _merge_definitions(yours: str, before: str, new: str, label: str) -> Merged:
    """Merge two modules without their imports, and define each name once.

    What both sides have added under one name is taken from the new text, or shown there
    as a conflict.
    """
    both = definitions.added_by_both(yours, before, new)
    cut = definitions.without(yours, [mine for mine, _ in both])
    is_clear = len({theirs.first for _, theirs in both}) == len(both)
    if not both or not is_clear or not python_source.is_valid(cut):
        merged = _merge_python(yours, before, new, label)
    else:
        pairs = [(a, b) for a, b in both if a.text.strip() != b.text.strip()]
        tagged = definitions.tagged(new, [theirs for _, theirs in pairs])
        merged = _merge_python(cut, before, tagged, label)
        for mine, theirs in pairs:
            merged = _with_conflict(merged, mine.text, theirs.tags, label)
        if any(tag in merged.text for _, theirs in pairs for tag in theirs.tags):
            return _whole(yours, before, new, label)
    if merged.conflicts or not python_source.is_valid(merged.text):
        return merged
    if definitions.defined_twice(merged.text, yours, new):
        return _whole(yours, before, new, label)
    return merged


def _with_conflict(
    merged: Merged, yours: str, tags: tuple[str, str], label: str
) -> Merged:
    """The text with both sides in place of what is tagged, unless it is in a conflict."""
    parts = list(_parts(merged.text, label))
    start, end = tags
    for n, part in enumerate(parts):
        if isinstance(part, str) and start in part and end in part:
            above, _, rest = part.partition(start)
            new, _, below = rest.partition(end)
            shown = _whole(_whole_lines(yours), "", _whole_lines(new), label).text
            parts[n] = above + shown + below
            return Merged(_joined(parts).text, merged.conflicts + 1)
    return merged


def _whole_lines(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _merge_python(yours: str, before: str, new: str, label: str) -> Merged:
    parts = _merge_lines(yours, before, new, label)
    texts = [
        _settled(part) or part.yours if isinstance(part, Hunk) else part
        for part in parts
    ]
    if not python_source.is_valid("".join(texts)):
        return _joined(parts)
    settled = {n for n, part in enumerate(parts) if texts[n] is not part}
    astray = python_source.astray(texts, settled, yours, before, new)
    swapped = [
        _swapped(part, text) if n in astray else text
        for n, (part, text) in enumerate(zip(parts, texts, strict=True))
    ]
    if swapped != texts and python_source.is_valid("".join(swapped)):
        texts = swapped
        astray = python_source.astray(texts, settled, yours, before, new)
    for n, part in enumerate(parts):
        if not isinstance(part, Hunk) or _settled(part) is None or n in astray:
            continue
        if (
            part.before
            or texts[n] == part.yours
            or python_source.may_stand_side_by_side(texts, n)
        ):
            parts[n] = texts[n]
    merged = _joined(parts)
    if astray and not merged.conflicts:
        return _whole(yours, before, new, label)
    return merged


def _swapped(part: str | Hunk, text: str) -> str:
    """The other order of two additions: no class comes before lines of an earlier one."""
    if not isinstance(part, Hunk) or part.before:
        return text
    return python_source.union(part.yours, part.new)


def _settled(hunk: Hunk) -> str | None:
    """What becomes of a hunk where the two sides only meet, as far as lines tell.

    Git calls it a conflict when one side changes a line and the other adds some right
    beside it. Where both add some, what is generated comes first, unless it stands
    there already.
    """
    before, new = hunk.before, hunk.new
    only_adds = new.strip() and (new.startswith(before) or new.endswith(before))
    if only_adds and (hunk.yours.startswith(new) or hunk.yours.endswith(new)):
        return hunk.yours
    if not before:
        return python_source.union(*_in_order(new, hunk.yours))
    for adds, changes in ((hunk.yours, new), (new, hunk.yours)):
        if adds.startswith(before):
            return changes + adds.removeprefix(before)
        if adds.endswith(before):
            return adds.removesuffix(before) + changes
    return None


def _in_order(new: str, yours: str) -> tuple[str, str]:
    """Two additions: what is generated comes first, but after imports."""
    imports_first = re.search(r"^(from|import) ", yours, re.MULTILINE)
    return (yours, new) if imports_first else (new, yours)


def _joined(parts: list[str | Hunk]) -> Merged:
    texts = [part.raw if isinstance(part, Hunk) else part for part in parts]
    return Merged("".join(texts), sum(isinstance(part, Hunk) for part in parts))


def _whole(yours: str, before: str, new: str, label: str) -> Merged:
    """Lines that fit beside each other, and yet make no program: a person decides."""
    sides = (f"<<<<<<< {YOURS}\n", yours, f"||||||| {BEFORE}\n", before)
    return Merged("".join((*sides, "=======\n", new, f">>>>>>> {label}\n")), 1)


def _merge_lines(yours: str, before: str, new: str, label: str) -> list[str | Hunk]:
    """What `git merge-file` makes of it: texts, and hunks where it found no answer."""
    if yours == before or new in (before, yours):
        return [new if yours == before else yours]
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, text in (("yours", yours), ("before", before), ("new", new)):
            path = Path(folder) / name
            path.write_bytes(encoded(text))
            paths.append(str(path))
        labels = [word for name in (YOURS, BEFORE, label) for word in ("-L", name)]
        done = subprocess.run(
            [find("git"), "merge-file", "-p", "--diff3", *labels, *paths],
            cwd=folder,
            env=environment(),
            capture_output=True,
            timeout=60,
        )
    if done.returncode > 127:  # else the number of conflicts
        raise Unfinished(f"git cannot merge: {done.stderr.decode(errors='replace')}")
    return list(_parts(decoded(done.stdout), label))


def merged_lines(yours: bytes, before: bytes, new: bytes) -> list[bytes]:
    """Return what git makes of two changes of a text; nothing if they conflict."""
    parts = _merge_lines(decoded(yours), decoded(before), decoded(new), "")
    merged = _joined(parts)
    return [] if merged.conflicts else [encoded(merged.text)]


def _parts(text: str, label: str) -> Iterator[str | Hunk]:
    sides = ("yours", "before", "new")
    starts = (f"<<<<<<< {YOURS}", f"||||||| {BEFORE}", "=======", f">>>>>>> {label}")
    plain: list[str] = []
    raw: list[str] = []
    found: dict[str, list[str]] = {}
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        expected = starts[len(found)] if raw else starts[0]
        if line.rstrip("\r\n") == expected:
            raw.append(line)
            if len(found) == len(sides):
                yield "".join(plain)
                yield Hunk("".join(raw), *("".join(found[side]) for side in sides))
                plain, raw, found = [], [], {}
            else:
                found[sides[len(found)]] = []
        elif raw:
            raw.append(line)
            found[sides[len(found) - 1]].append(line)
        else:
            plain.append(line)
    yield "".join(plain + raw)


def common_lines(current: bytes, new: bytes) -> bytes:
    """Return the lines that a file and its new rendering share.

    A merge from them removes nothing: it is the base if no other is known.
    """
    yours, theirs = (
        text.replace(b"\r\n", b"\n").splitlines(keepends=True)
        for text in (current, new)
    )
    matcher = difflib.SequenceMatcher(None, yours, theirs, autojunk=False)
    blocks = matcher.get_matching_blocks()
    return b"".join(line for one in blocks for line in yours[one.a : one.a + one.size])


def nearest_base(current: bytes, oldest: bytes, others: Sequence[bytes]) -> bytes:
    """Choose the base of a file that was put together from several branches.

    `oldest` is what all branches started from, `others` what was generated on them.
    The result is the text that the file differs least from; of those with the same
    lines, the one whose order is most alike. Lines that the file lacks have to be in
    `oldest` as well, because only those were deleted by a person: the others were lost
    when the branches were put together.
    """
    yours, known = Counter(_lines(current)), Counter(_lines(oldest))
    fitting = [text for text in others if Counter(_lines(text)) - yours <= known]
    distances = {text: _distance(_lines(text), yours) for text in [*fitting, oldest]}
    least = min(distances.values())
    nearest = [text for text, distance in distances.items() if distance == least]
    if len(nearest) == 1:
        return nearest[0]
    return max(nearest, key=lambda text: _likeness(text, current))


def without_lost_imports(path: str, base: bytes, current: bytes) -> bytes:
    """Return the base of a file without imports that it lacks and whose names it uses.

    A merge of branches has lost them, for example.
    """
    before, yours = decoded(base), decoded(current.replace(b"\r\n", b"\n"))
    texts = before, yours
    if not path.endswith(".py") or not all(map(python_source.is_valid, texts)):
        return base
    return encoded(imports.without_lost(before, yours, _package(path)))


def _likeness(text: bytes, current: bytes) -> float:
    lines = _lines(text), _lines(current)
    return difflib.SequenceMatcher(None, *lines, autojunk=False).ratio()


def _distance(lines: list[bytes], yours: Counter[bytes]) -> int:
    found = Counter(lines)
    return (found - yours).total() + (yours - found).total()


def _lines(text: bytes) -> list[bytes]:
    return text.replace(b"\r\n", b"\n").split(b"\n")


def decoded(data: bytes) -> str:
    """Bytes as text, whatever they are; `encoded` gives back the same ones."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
