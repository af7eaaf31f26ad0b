"""The runs that led to a state: whether state and code belong together.

`.devmatrix/runs` has a line for each run: its id, a digest of the state that it left,
and the ids of the runs that it followed. Git merges the file by its `union` driver, so
after any merge, rebase or squash it has the lines of both sides: then two runs follow
the same one, and neither side's state is what the code was generated from.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FILE = ".devmatrix/runs"
_LINE = re.compile(r"([0-9a-f]{16}) ([0-9a-f]{16}) (-|[0-9a-f]{16}(?:,[0-9a-f]{16})*)")


@dataclass(frozen=True)
class Run:
    """One line; `state` is what `digest` makes of the state that the run left."""

    id: str
    state: str
    parents: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.id} {self.state} {','.join(self.parents) or '-'}"


@dataclass(frozen=True)
class History:
    """All runs, in the order of the file."""

    runs: Sequence[Run]

    @property
    def heads(self) -> list[Run]:
        """The runs that no other run followed: more than one after a merge."""
        followed = {parent for run in self.runs for parent in run.parents}
        return [run for run in self.runs if run.id not in followed]

    def ends_in(self, state: str) -> bool:
        """Whether all runs led to this state; an empty history contradicts none."""
        return not self.runs or [run.state for run in self.heads] == [state]

    def common_states(self) -> Iterator[str]:
        """Yield the states that all heads come from, the latest one first."""
        shared = set.intersection(*(self._ancestors(head) for head in self.heads))
        yield from (run.state for run in reversed(self.runs) if run.id in shared)

    def _ancestors(self, head: Run) -> set[str]:
        by_id = {run.id: run for run in self.runs}
        found: set[str] = set()
        waiting = [head.id]
        while waiting:
            name = waiting.pop()
            if name in by_id and name not in found:
                found.add(name)
                waiting += by_id[name].parents
        return found

    def branched_from(self, known: "History") -> bool:
        """Whether there is a run that `known` lacks and that did not follow its end.

        A reverted run followed it. Another one is of a branch whose lines somebody took
        out when the branches were merged.
        """
        names = {run.id for run in known.runs}
        ends = {run.id for run in known.heads}
        return any(
            run.id not in names and not ends & self._ancestors(run) for run in self.runs
        )

    def after(self, state: str) -> "History":
        """The history with a run that led to this state, unless it ends there."""
        if self.runs and self.ends_in(state):
            return self
        parents = tuple(run.id for run in self.heads)
        run = Run(digest(state.encode(), *map(str.encode, parents)), state, parents)
        return History([*self.runs, run])

    def __str__(self) -> str:
        return "".join(f"{run}\n" for run in self.runs)


def parse(text: str) -> History:
    """Read the file; lines of another form, such as conflict markers, do not count."""
    runs: dict[str, Run] = {}
    for line in text.splitlines():
        if found := _LINE.fullmatch(line):
            parents = () if found[3] == "-" else tuple(found[3].split(","))
            runs.setdefault(found[1], Run(found[1], found[2], parents))
    return History(list(runs.values()))


def digest(*parts: bytes) -> str:
    """Return 16 hexadecimal digits that stand for these bytes."""
    found = hashlib.sha256()
    for part in parts:
        found.update(b"%d:" % len(part) + part)
    return found.hexdigest()[:16]
