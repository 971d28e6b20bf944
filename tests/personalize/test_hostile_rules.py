"""Whatever the files hold, loading ends soon and never raises."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalize.loader import load
from personalize.words import MAX_PROBLEMS

ROOT = Path(__file__).parents[1] / "vectors" / "rules-example"
FILES = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(ROOT.rglob("*.yaml"))}

HOSTILE = {
    "lists in lists": "a: " + "[" * 100_000,
    "maps in maps": "a: " + "{a: " * 100_000,
    "deep lines": "\n".join(" " * depth + "a:" for depth in range(1000)),
    "deep items": "- " * 100_000,
    "an alias bomb": "a: &a [x]\n" + "\n".join(f"b{n}: &b{n} [*a, *a]" for n in range(10_000)),
    "a long text": 'segments: "' + "x" * 990_000 + '"',
    "a long key": "x" * 990_000 + ": 1",
    "many short texts": "segments: [" + "x," * 100_000 + "]",
    "many keys": "\n".join(f"k{n}: 1" for n in range(30_000)),
    "many keys on one line": "{" + ",".join(f"k{n}: 1" for n in range(30_000)) + "}",
    "too large": "x" * 2_000_000,
    "empty lines": "\n" * 900_000,
    "an open quote": 'a: "' + "\n" * 900_000,
    "a long number": "segments: [{segment: a, when: [{visits: " + "9" * 400_000 + "}]}]",
    "a long phrase": "segments: [{segment: a, when: [{last visit: 'more than " + "1 " * 400_000 + "ago'}]}]",
    "open templates": "placements: [{placement: a, blocks: [{block: b, content: {t: '" + "{{ " * 300_000 + "'}}]}]",
    "unknown names": "segments:\n" + "".join(f"- {{segment: x{n}, when: [{{stage: y{n}}}]}}\n" for n in range(2_000)),
    "a long chain": "segments:\n"
    + "".join(f"- {{segment: x{n}, when: [{{in segment: x{n + 1}}}]}}\n" for n in range(2_000)),
    "one large circle": "segments:\n"
    + "".join(f"- {{segment: x{n}, when: [{{in segment: x{(n + 1) % 2_000}}}]}}\n" for n in range(2_000)),
    "many circles": "segments:\n"
    + "".join(f"- {{segment: x{n}, when: [{{in segment: x{n ^ 1}}}]}}\n" for n in range(2_000)),
    "tests like tests": "tests:\n"
    + "".join(f"- {{test: x{n}, like: x{n + 1}, expect: {{a: b}}}}\n" for n in range(2_000)),
    "NUL": "a: b\0",
    "other encodings": "segments: []".encode("utf-16"),
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_soon(source: str | bytes) -> None:
    begun = time.perf_counter()
    _, problems = load({**FILES, "hostile.yaml": source})
    assert time.perf_counter() - begun < 20  # seconds; each takes less than two alone on a slow machine
    assert len(problems) <= MAX_PROBLEMS + 1


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["a.yaml", "tests/a.yaml"]), st.text() | st.binary()))
def test_any_text_gives_problems_and_no_exception(files: dict[str, str | bytes]) -> None:
    rules, problems = load(files)
    assert rules is not None or problems


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_of_the_reference_rules_gives_problems_and_no_exception(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(FILES)))
    source = FILES[file]
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(start + 30, len(source))))
    signs = st.sampled_from(" \n\t-:,[]{}'\"#&*!|>%@`?\\äx1") | st.characters()
    put = data.draw(st.text(signs, max_size=8)).encode(errors="surrogatepass")
    rules, problems = load({**FILES, file: source[:start] + put + source[end:]})
    assert rules is not None or any(problem.level == "error" for problem in problems)
    lines = {name: len(text.splitlines()) + 2 + put.count(b"\n") + put.count(b"\r") for name, text in FILES.items()}
    assert all(1 <= problem.line <= lines[problem.file] and problem.column >= 1 for problem in problems)
