"""Recognition: a browser that came by a contact's e-mail link, and what that lends to its decisions.

A browser keeps its own profile. For a decision alone, in memory, it is shown nothing that the contact owns, dismissed,
clicked or converted on: products are united, rests the stricter. Traits, company, scores, visits and caps stay the
browser's own, and nothing of the union is ever stored.
"""

from __future__ import annotations

from personalize.plan import Plan
from personalize.profiles import Profile
from personalize.view import View, without_request


def contact_of(profile: Profile | None, at: int) -> str:
    """Return the id of the contact as whom a browser is recognized at that time (ms), "" for nobody."""
    if profile is None or not profile.contact:
        return ""
    since, contact, until = profile.contact
    return contact if since <= at < until else ""


def deciding(plan: Plan, profile: Profile, contact: Profile | None, now: int) -> tuple[Profile, bool]:
    """Return the profile that decides for a browser, and whether its visitor is known.

    Without the contact's profile, which may not have come in time, it is the browser's own, and still known.
    """
    if not contact_of(profile, now):
        return profile, False
    if contact is None:
        return profile, True
    return (united(plan, profile, contact, now), True) if lends(profile, contact) else (profile, False)


def lends(profile: Profile, contact: Profile) -> bool:
    """Tell whether what the contact has may be looked at for this browser.

    Not after the contact was erased, by a link from before that (its click is not taken, so nothing but the tombstone
    is there), and not against the contact's own choice.
    """
    if contact.erased and (contact.erased >= profile.contact[0] or not contact.floor):
        return False
    return not contact.consent or "personalization" in contact.consent[1]


def united(plan: Plan, profile: Profile, contact: Profile, now: int) -> Profile:
    """Return the browser's profile with the products that the contact owns and the reactions that make blocks rest."""
    p = profile.copy()
    p.owns = {**dict.fromkeys(contact.owned(), 0), **profile.owns}
    p.blocks = dict(profile.blocks)
    for name, history in contact.blocks.items():
        _add(p, name, history[1:])
    if plan.converting:
        view = View(plan, contact, without_request(contact, known=True), now)
        for name, converted in plan.converting.items():
            _add(p, name, [0, 0, converted(view)])
    return p


def _add(p: Profile, name: str, reactions: list[int]) -> None:
    """Let the later of two reactions of each kind stand."""
    if any(reactions):
        own = p.blocks.get(name) or [[0], 0, 0, 0]
        p.blocks[name] = [own[0], *map(max, own[1:], reactions)]
