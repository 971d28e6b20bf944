"""Stages that move forward only: the furthest stage of a visitor is noted on the profile and kept from then on.

A stage is worked out when it is read, so what was reached must be noted while it holds: after the events of each hit.
It is noted by name, since ladders change: a name that the ladder lacks (any more) counts for nothing, and stands again
when it comes back. Of two notes the further one holds, then the earlier one, so their order does not matter. What can
differ with the order of arrival is whether a stage was ever reached: events that come late may complete what held only
for a while. A stage that comes by time alone (`last visit: more than …`) is noted with the next event.
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
