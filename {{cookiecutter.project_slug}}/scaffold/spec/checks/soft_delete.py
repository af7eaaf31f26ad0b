"""Checks that what is deleted with a row can be restored with it."""

from collections.abc import Mapping

from scaffold.spec.drafts import EntityDraft
from scaffold.spec.model import Reference
from scaffold.spec.problems import Problems
from scaffold.spec.relations import Resolved


def check(
    named: Mapping[str, EntityDraft],
    resolved: Mapping[str, Resolved],
    problems: Problems,
) -> None:
    """Report entities whose rows would be deleted for good with a row that is not."""
    for name, one in resolved.items():
        for placed in one.placed:
            side = placed.member
            if not isinstance(side, Reference) or side.on_delete != "cascade":
                continue
            if named[side.target].flag("soft_delete") and not _is_marked(named[name]):
                message = (
                    f"on_delete cascade: {side.target} has soft_delete, so {name} needs "
                    f'"soft_delete": true as well; set it, or use restrict or set_null'
                )
                draft = placed.origin.draft
                problems.rule(draft.at("on_delete"), placed.origin.label, message)


def _is_marked(draft: EntityDraft) -> bool:
    """Whether it has soft_delete, or a value for it that could not be read."""
    return draft.flag("soft_delete") or "soft_delete" in draft.bad
