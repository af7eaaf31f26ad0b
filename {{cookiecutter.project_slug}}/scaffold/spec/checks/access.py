"""Checks the rules of access, and finds the way from each row to its owner."""

from collections.abc import Mapping

from scaffold.spec.drafts import Draft, EntityDraft, FieldDraft, FileDraft
from scaffold.spec.json.parsing import Object
from scaffold.spec.model import Access, Reference
from scaffold.spec.problems import Problems, Suggestion, listing, quote
from scaffold.spec.relations import Placed, Resolved
from scaffold.spec.vocabulary import keys

_OF_ENTITY = ("access", "owner", "actors")
_OF_FIELD = ("read_access", "write_access")


def check(file: FileDraft, problems: Problems) -> None:
    """Check the rules of all entities; those of the top level become theirs."""
    if "auth" in file.bad:
        return
    if not file.flag("auth"):
        _refuse_without_auth(file, problems)
        return
    for draft in file.entities:
        if "access" not in draft.node:
            draft.access = file.access
            if "access" not in file.node:
                message = "no rule says who may read, create, update and delete rows"
                fix = 'add "access" to it, or to the top level for all entities'
                problems.rule(draft.at("name"), draft.label, f"{message}; {fix}")
        if draft.owner is None and "owner" not in draft.bad:
            _refuse_rules_of_owners(draft, problems)
        for field in draft.fields:
            _check_required(draft, field, problems)


def _refuse_without_auth(file: FileDraft, problems: Problems) -> None:
    def refuse(draft: Draft, path: str, names: tuple[str, ...]) -> None:
        for name in names:
            if name in draft.node and draft.node[name] is not False:
                message = 'needs "auth": true at the top level, or remove it'
                at = draft.node.keys_at[name]
                problems.rule(at, f"{path}{name}", message)

    refuse(file, "", ("access",))
    for entity in file.entities:
        refuse(entity, f"{entity.label}.", _OF_ENTITY)
        for field in entity.fields:
            refuse(field, f"{field.path}.", _OF_FIELD)


def _refuse_rules_of_owners(draft: EntityDraft, problems: Problems) -> None:
    """Report where an entity whose rows have no owner has the rule for owners."""
    missing = f'the rule "owner" needs an owner, which {draft.label} does not have'
    fix = 'set "owner" on it, to true or the name of a required to-one relation'
    if draft.access and keys.OWNER in draft.access.rules:
        own = "" if "access" in draft.node else ', or give it an "access" of its own'
        for place, at in _places_of_owners(draft, draft.access).items():
            problems.rule(at, place, f"{missing}; {fix}{own}")
    for field in draft.fields:
        for key in _OF_FIELD:
            if field.field and keys.OWNER in getattr(field.field, key):
                problems.rule(field.at(key), f"{field.path}.{key}", f"{missing}; {fix}")


def _places_of_owners(draft: EntityDraft, access: Access) -> Mapping[str, int]:
    """Return the paths and places of the rule for owners in the access of an entity."""
    if "access" not in draft.node:
        return {draft.label: draft.at("name")}  # it is that of the top level
    if not isinstance(draft.node["access"], Object):
        return {f"{draft.label}.access": draft.at("access")}
    return {
        f"{draft.label}.access.{key}": draft.at_inner("access", key)
        for key in keys.ACCESS
        if keys.OWNER in getattr(access, key)
    }


def _check_required(draft: EntityDraft, item: FieldDraft, problems: Problems) -> None:
    """Refuse a required field that someone who may create rows may not set."""
    field, access = item.field, draft.access
    if field is None or access is None or "create" not in draft.operations:
        return
    if not field.required or not field.write_access:
        return
    left = [
        rule
        for rule in access.create
        if not _is_covered(rule, field.write_access, owns=draft.owner is True)
    ]
    if left:
        who = listing(map(quote, left))
        message = f"required, but write_access does not allow all who may create: {who}"
        fix = "remove required, so that they can leave it out, or allow them"
        path = f"{draft.label}.{field.name}"
        problems.rule(item.at("write_access"), path, f"{message}; {fix}")


def _is_covered(rule: str, others: tuple[str, ...], *, owns: bool) -> bool:
    """Whether one of the others holds for whoever creates a row by a rule.

    Where callers own what they create, everyone with a token is the owner then.
    """
    if rule == keys.NOBODY or rule in others:
        return True
    everyone = {keys.AUTHENTICATED, keys.OWNER} if owns else {keys.AUTHENTICATED}
    return rule != keys.PUBLIC and not everyone.isdisjoint(others)


def owner_paths(
    drafts: Mapping[str, EntityDraft],
    resolved: Mapping[str, Resolved],
    problems: Problems,
) -> dict[str, tuple[str, ...]]:
    """Return the relations that lead from each entity to the one with its owner."""
    steps: dict[str, Reference] = {}
    for name, draft in drafts.items():
        if isinstance(draft.owner, str):
            step = _step(draft, draft.owner, resolved[name], drafts, problems)
            if step is not None:
                steps[name] = step
    paths: dict[str, tuple[str, ...]] = {}
    in_cycles: set[str] = set()
    for name in drafts:
        passed = {}
        here = name
        while here in steps and here not in passed:
            passed[here] = steps[here].name
            here = steps[here].target
        paths[name] = tuple(passed.values())
        if here == name and passed and name not in in_cycles:
            in_cycles.update(passed)
            _report_cycle(drafts[name], passed, problems)
    return paths


def _step(
    draft: EntityDraft,
    name: str,
    resolved: Resolved,
    drafts: Mapping[str, EntityDraft],
    problems: Problems,
) -> Reference | None:
    """Return the relation that leads to the owner, or None if it cannot."""
    at, path = draft.at("owner"), f"{draft.label}.owner"
    placed = next((one for one in resolved.placed if one.member.name == name), None)
    if placed is None:
        _report_unknown(draft, name, resolved, problems)
        return None
    member = placed.member
    if not isinstance(member, Reference):
        message = f"{quote(name)} is a relation without a column on {draft.label}"
        fix = "use a required many_to_one or one_to_one relation"
        problems.rule(at, path, f"{message}; {fix}")
        return None
    if not member.required:
        fix = 'set "required": true on it'
        if not placed.declared:
            fix = f'declare it on {draft.label} with "required": true'
        message = f"relation {quote(name)} is optional, so a row could have no owner"
        problems.rule(at, path, f"{message}; {fix}")
        return None
    owned = drafts.get(member.target)
    if owned is not None and owned.owner is None and "owner" not in owned.bad:
        message = f"{member.target}, which {quote(name)} refers to, has no owner"
        problems.rule(at, path, f'{message}; add "owner" to {member.target}')
        return None
    return member


def _report_unknown(
    draft: EntityDraft, name: str, resolved: Resolved, problems: Problems
) -> None:
    at, path = draft.at("owner"), f"{draft.label}.owner"
    if any(one.name == name for one in draft.fields):
        message = f"{quote(name)} is a field; use the name of a relation, or true"
        problems.rule(at, path, message)
    elif not any(one.name == name for one in draft.relations):
        known = [one.member.name for one in resolved.placed if _is_required(one)]
        otherwise = "use true, for an owner of its own, or a required to-one relation"
        if known:
            otherwise += f" ({listing(known)})"
        suggestion = Suggestion(name, known, otherwise)
        problems.shape(at, path, f"unknown relation {quote(name)}", suggestion)


def _is_required(placed: Placed) -> bool:
    return isinstance(placed.member, Reference) and placed.member.required


def _report_cycle(
    draft: EntityDraft, passed: Mapping[str, str], problems: Problems
) -> None:
    steps = [f"{entity}.{relation}" for entity, relation in passed.items()]
    if len(steps) > 8:
        steps[7:-1] = ["..."]
    route = " -> ".join([*steps, draft.label])
    message = f"cycle of owner relations ({route}): no row would have an owner"
    fix = 'set "owner": true on one of these entities'
    problems.rule(draft.at("owner"), f"{draft.label}.owner", f"{message}; {fix}")
