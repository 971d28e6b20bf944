"""Rule files that somebody might write to make loading slow, large or wrong, each up to a megabyte."""

from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1] / "vectors" / "rules-example"
FILES = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(ROOT.rglob("*.yaml"))}


def lines(word: str, item: Callable[[int], str], number: int) -> str:
    return f"{word}:\n" + "".join(f"- {item(n)}\n" for n in range(number))


def segment(*conditions: str) -> str:
    return f"segments: [{{segment: a, when: [{','.join(conditions)}]}}]"


def block(words: str) -> str:
    return f"placements: [{{placement: a, blocks: [{{block: b, {words}}}]}}]"


def content(text: str) -> str:
    return block(f'content: {{t: "{text}"}}')


def keys(number: int) -> str:
    return ",".join(f"k{n}: 1" for n in range(number))


def needs(name: int, others: Iterable[int]) -> str:
    return f"{{segment: x{name}, when: [{{in segment: [{','.join(f'x{other}' for other in others)}]}}]}}"


def placement(*blocks: str) -> str:
    return f"placements: [{{placement: p, fallback: {{block: z, content: {{}}}}, blocks: [{','.join(blocks)}]}}]"


A_TEST = "now: 2026-01-01, expect: {p: b}"

HOSTILE: dict[str, str | bytes] = {
    # -- depth and references ---------------------------------------------------------------------------------------
    "lists in lists": "a: " + "[" * 100_000,
    "maps in maps": "a: " + "{a: " * 100_000,
    "deep lines": "\n".join(" " * depth + "a:" for depth in range(1000)),
    "deep items": "- " * 100_000,
    "deep conditions": segment("{not: " * 34 + "{bot: x}" + "}" * 34),
    "an alias bomb": "a: &a [x]\n" + "\n".join(f"b{n}: &b{n} [*a, *a]" for n in range(10_000)),
    "many anchors": "a: [" + ",".join(f"&a{n} x" for n in range(80_000)) + "]",
    "many tags": "a: [" + "!!x y," * 80_000 + "]",
    # -- size -------------------------------------------------------------------------------------------------------
    "too large": "x" * 2_000_000,
    "a long text": 'segments: "' + "x" * 990_000 + '"',
    "a long key": "x" * 990_000 + ": 1",
    "a long line of words": segment("{viewed: " + "x " * 490_000 + "}"),
    "a block of lines": "a: |\n" + " x\n" * 300_000,
    "escapes": 'a: "' + "\\x41" * 200_000 + '"',
    "empty lines": "\n" * 900_000,
    "tabs": "\t" * 900_000,
    "spaces": " " * 900_000 + "a",
    "an open quote": 'a: "' + "\n" * 900_000,
    "NUL": "a: b\0",
    "other encodings": "segments: []".encode("utf-16"),
    # -- number -----------------------------------------------------------------------------------------------------
    "many short texts": "segments: [" + "x," * 100_000 + "]",
    "100,000 keys": "\n".join(f"{n:x}: 1" for n in range(100_000)),
    "100,000 keys on one line": "{" + ",".join(f"{n:x}: 1" for n in range(100_000)) + "}",
    "one key 100,000 times": "{" + "k: 1," * 100_000 + "}",
    "many keys in content": block("content: {" + keys(80_000) + "}"),
    "many attributes": segment("{company: {" + keys(80_000) + "}}"),
    "attributes that are nearly right": segment("{company: {" + ",".join(f"n{n}e: 1" for n in range(60_000)) + "}}"),
    "many conditions": segment(*["{bot: x}"] * 80_000),
    "many stages": "stages: [" + ",".join(f"{{stage: a{n}}}" for n in range(60_000)) + "]",
    "many blocks": placement(*(f"{{block: b{n}}}" for n in range(60_000))),
    "many tests": placement("{block: b}") + "\n" + lines("tests", lambda n: f"{{test: t{n}, {A_TEST}}}", 12_000),
    # -- phrases and templates --------------------------------------------------------------------------------------
    "a long number": segment("{visits: " + "9" * 400_000 + "}"),
    "a long phrase": segment("{last visit: 'more than " + "1 " * 400_000 + "ago'}"),
    "spaces in a phrase": segment("{weekday: 'monday" + " " * 400_000 + "friday'}"),
    "spaces in a cap": block("show at most: 'once" + " " * 400_000 + "x'"),
    "spaces in a test": segment("{trait: a, is: 5" + " " * 400_000 + "x}"),
    "many wrong phrases": segment(*["{viewed: x, within: 30 dayz}"] * 30_000),
    "a long glob": segment("{viewed: '" + "*a" * 400_000 + "'}"),
    "open templates": content("{{ " * 300_000),
    "templates that are wrong": content("{{ctiy}} " * 100_000),
    "templates that are right": content("{{city}} " * 100_000),
    "templates of many names": content("".join(f"{{{{score.{n}}}}} " for n in range(50_000))),
    # -- names ------------------------------------------------------------------------------------------------------
    "unknown names": lines("segments", lambda n: f"{{segment: x{n}, when: [{{stage: y{n}}}]}}", 20_000),
    "the same name": lines("segments", lambda _: "{segment: a, when: [{bot: x}]}", 25_000),
    "a long chain": lines("segments", lambda n: needs(n, [n + 1]), 2_900),
    "one large circle": lines("segments", lambda n: needs(n, [(n + 1) % 2_900]), 2_900),
    "circles that share a name": lines("segments", lambda n: needs(n, [0, (n + 1) % 2_500]), 2_500),
    "many circles": lines("segments", lambda n: needs(n, [n ^ 1]), 2_900),
    "everything needs everything": lines("segments", lambda n: needs(n, range(140)), 140),
    "tests like tests": lines("tests", lambda n: f"{{test: x{n}, like: x{n + 1}, expect: {{a: b}}}}", 2_900),
    "tests that are like one another": lines("tests", lambda n: f"{{test: x{n}, like: x{n ^ 1}, {A_TEST}}}", 2_000),
    "a long chain of events": placement("{block: b}\n")
    + "\n"
    + lines(
        "tests",
        lambda n: f"{{test: t{n}, {f'like: t{n - 1}, ' * (n > 0)}also: [{{1 day ago: did x}}], {A_TEST}}}",
        1_700,
    ),
    "many events in many tests": placement("{block: b}")
    + f"\ntests:\n- {{test: t, {A_TEST}, events: [{'{1 day ago: did x},' * 990}]}}\n"
    + "".join(f"- {{test: t{n}, like: t, also: [{{1 day ago: did x}}], {A_TEST}}}\n" for n in range(1_500)),
    # -- what lint compares -----------------------------------------------------------------------------------------
    "blocks on one thing": placement(*(f"{{block: b{n}, when: [{{city: A{n}}}]}}" for n in range(2_900))),
    "blocks that cover others": placement(
        *(f"{{block: b{n}, when: [{{visits: at least {2_900 - n}}}]}}" for n in range(2_900))
    ),
    "a list on one thing": segment(*(f"{{not: {{city: A{n}}}}}" for n in range(5_500))),
    "a list that contradicts itself": segment(*(f"{{not: {{interest: reporting, is: {n}}}}}" for n in range(3_500))),
    "alternatives": placement(
        *(f"{{block: b{n}, when: [{{any of: [{{city: A{n}}}, {{city: B{n}}}]}}]}}" for n in range(1_700))
    ),
    "alternatives of alternatives": placement(
        *(
            f"{{block: b{n}, when: [{'{any of: [{city: x}, ' * 9 + '{city: y}' + ']}' * 9}, {{city: c{n}}}]}}"
            for n in range(420)
        )
    ),
    "best scores": placement(
        *(f"{{block: b{n}, worth: {n + 1}, when: [{{visits: {n}}}]}}" for n in range(2_100))
    ).replace("blocks:", "choose: best score, blocks:"),
}
