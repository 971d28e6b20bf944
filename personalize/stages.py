"""Stages that move forward only: the furthest stage of a visitor is noted on the profile and kept from then on.

A stage is worked out when it is read, so what was reached must be noted while it holds: after each event, as of the
event's own time, as the tests beside the rules do it; and after each hit, as of now. It is noted by name, since ladders
change: a name that the ladder lacks (any more) counts for nothing, and stands again when it comes back. Of two notes
the further one holds, then the earlier one, so their order does not matter. What can differ with the order of arrival
is whether a stage was ever reached: events that come late may complete what held only for a while, and an event from
before something that is known already is not looked at as of its time. A stage that comes by time alone (`last visit:
more than …`) is noted with the next event.
"""

from __future__ import annotations

from personalize.model import Context
from personalize.plan import Plan
from personalize.profiles import Profile
from personalize.view import View


def with_stage(plan: Plan, profile: Profile, context: Context, now: int) -> Profile:
    """Return the profile with the visitor's stage noted, where stages move forward only and it is a further one."""
    if not plan.stages.forward_only:
        return profile
    stage = plan.stages.name(View(plan, profile, context, now))
    if not stage or (profile.furthest and profile.furthest[0].lower() == stage.lower()):
        return profile
    noted = profile.copy()
    noted.furthest = [stage, now]
    return noted


def nothing_later(plan: Plan, profile: Profile, at: int) -> bool:
    """Tell whether nothing is known of the visitor from after a moment (ms), so that it can be read as of then."""
    day = plan.calendar.day(at)
    visited = profile.visits[-1] if profile.visits else 0
    return visited <= at // 1000 and all(len(row) == 1 or row[1] <= day for row in profile.matchers.values())
