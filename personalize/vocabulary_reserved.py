"""The words that are reserved for later, as `vocabulary` has the others, and the words that a file starts with."""

from __future__ import annotations

from collections.abc import Mapping

from personalize import value_schemas as v
from personalize.loader import MOVES
from personalize.syntax import Interest, Placement, Score, Segment, Stage, Temperature
from personalize.syntax_reserved import Action, Arm, Changes, Edge, Experiment, Holdout, Trigger
from personalize.syntax_tests import Case
from personalize.vocabulary import CONDITIONS, CONTENT, ONE_CONDITION, Word, a, list_of, word
from personalize.words import Words

_NOT_YET = "Checked, but without effect yet."

RESERVED: Mapping[type[Words], Mapping[str, Word]] = {
    Experiment: {
        "experiment": word(v.NAME, "Its name; names are given once.", "demo wording 2026-11"),
        "changes": word(
            a(Changes), "The block that the experiment changes.", "{placement: home hero, block: book a demo}"
        ),
        "split": word(v.map_of(v.NUMBER, least=1), "The arms with their weights.", "{control: 50, question: 50}"),
        "include": word(v.PERCENT, "The share of visitors who take part; the rest see control.", "80 percent"),
        "goal": word(ONE_CONDITION, "What counts as success.", "{did: purchase, within: 14 days}"),
    },
    Changes: {
        "placement": word(v.TEXT, "The placement in which the block stands.", "home hero", names="placement"),
        "block": word(v.TEXT, "The block whose content the arms change.", "book a demo", names="block"),
    },
    Arm: {"content": word(CONTENT, "What this arm shows instead.", '{title: "What does reporting cost you now?"}')},
    Holdout: {
        "keep out": word(v.PERCENT, "The share of visitors who see no personalization.", "5 percent"),
        "of": word(v.choice("everything"), "Of what they are kept out.", "everything"),
    },
    Trigger: {
        "trigger": word(v.NAME, "Its name; names are given once.", "pricing nudge"),
        "starts when": word(a(Edge), "The change that starts it; one thing.", "{enters segment: good fit}"),
        "at most": word(v.CAP, "How often it starts for one visitor.", "once per 30 days"),
        "only if": word(CONDITIONS, "It starts only if all of these conditions hold.", "[{visits: at least 5}]"),
        "stops when": word(
            CONDITIONS, "It stops as soon as all of these conditions hold.", "[{did: purchase, within: 30 days}]"
        ),
        "then": word(list_of(Action), "Its steps, one after the other.", "[{wait: 2 days}, {email: pricing-faq}]"),
    },
    Edge: {
        "enters segment": word(v.TEXT, "The visitor comes into this segment.", "good fit", names="segment"),
        "leaves segment": word(v.TEXT, "The visitor drops out of this segment.", "good fit", names="segment"),
        "score": word(v.TEXT, "A score, with rises above or falls below.", "engagement", names="score"),
        "rises above": word(v.NUMBER, "The score rises above so many points.", "25"),
        "falls below": word(v.NUMBER, "The score falls below so many points.", "5"),
        "stage becomes": word(v.TEXT, "The visitor's stage becomes this one.", "customer", names="stage"),
        "temperature becomes": word(v.TEXT, "The visitor's temperature becomes this one.", "hot", names="temperature"),
        "inactive for": word(v.LENGTH, "The visitor was not seen for so long.", "30 days"),
        "did": word(v.TEXTS, "This event happens, or one of these.", "demo requested"),
    },
    Action: {
        "wait": word(v.LENGTH, "Wait so long before the next step.", "2 days"),
        "email": word(v.TEXT, "Send this e-mail.", "pricing-faq"),
        "webhook": word(v.TEXT, "Call this webhook; send says with what.", "crm"),
        "send": word(v.TEXT, "What the webhook is sent.", "lead_hot"),
        "alert": word(v.TEXT, "Alert these people; say says with what words.", "sales"),
        "say": word(
            v.TEXT, "The words of the alert; names in {{ }} are filled in.", '"{{ company.name | Somebody }} is hot"'
        ),
    },
}

TOP: Mapping[str, Word] = {
    "scores": word(
        list_of(Score),
        "Points for what visitors do and who they are, computed when read.",
        "[{score: engagement, half-life: 14 days, points: [{give: 3, for viewed: /products/*}]}]",
    ),
    "interests": word(
        list_of(Interest),
        "What visitors care about: a score for each topic.",
        "[{interest: reporting, half-life: 30 days, grows: [{by: 1, for viewed: /products/reporting*}]}]",
    ),
    "segments": word(
        list_of(Segment),
        "Groups of visitors by name; whoever fulfils the conditions is in.",
        "[{segment: Finnish readers, when: [{country: FI}, {viewed: /articles/*, at least: 5 times}]}]",
    ),
    "stages": word(
        list_of(Stage),
        "Lifecycle stages from top to bottom; the first that fits is the visitor's, the last has no when.",
        "[{stage: customer, when: [{did: purchase}]}, {stage: visitor}]",
    ),
    "temperatures": word(
        list_of(Temperature),
        "Temperatures from top to bottom; the first that fits is the visitor's, the last has no when.",
        "[{temperature: hot, when: [{did: demo requested, within: 7 days}]}, {temperature: cold}]",
    ),
    "stages move": word(
        v.choice(*MOVES),
        "both ways: the stage is what fits now. forward only: a visitor never falls back to an earlier stage.",
        "forward only",
        "both ways",
    ),
    "placements": word(
        list_of(Placement),
        "The slots of your pages, each with its blocks.",
        '[{placement: home hero, blocks: [{block: welcome, content: {title: "Welcome"}}]}]',
    ),
    "experiments": word(
        list_of(Experiment),
        f"Experiments. {_NOT_YET}",
        "[{experiment: wording, changes: {placement: home hero, block: welcome}, split: {control: 50, other: 50}, "
        'goal: {did: purchase}, other: {content: {title: "Good morning"}}}]',
    ),
    "holdout": word(
        a(Holdout),
        f"The visitors who are kept out of personalization. {_NOT_YET}",
        "{keep out: 5 percent, of: everything}",
    ),
    "triggers": word(
        list_of(Trigger),
        f"What happens after a change. {_NOT_YET}",
        "[{trigger: nudge, starts when: {did: purchase}, then: [{wait: 2 days}, {email: thanks}]}]",
    ),
    "tests": word(
        list_of(Case),
        "Given this visitor and these events, expect this. Run them by: tuttu rules test",
        "[{test: everybody is welcome, now: 2026-11-20 10:00, expect: {home hero: welcome}}]",
    ),
}
"""The words that a rule file starts with."""
