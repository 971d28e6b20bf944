"""`tuttu links make|show`: a CSV file gets its links row by row, and a link says what it says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.identity.links import Links
from gateway.identity.visitor import hashed
from gateway.secrets import load_secrets

SETTINGS = """
[[site]]
key = "shop"
origins = ["https://www.example.com"]
"""
TARGET = "https://www.example.com/offer"
MAKE = ("links", "make", "--base", "https://www.example.com/t/", "--target", TARGET, "--message", "autumn")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tuttu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command in a folder with a gateway: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    Path("tuttu.toml").write_text(SETTINGS, "utf-8")
    load_secrets(Path("data"), ["shop"])

    def run(*args: str) -> tuple[int, str, str]:
        code = main(args)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def table(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def links() -> Links:
    return Links(load_secrets(Path("data"), ["shop"]).cookie_keys)


def test_each_row_gets_its_link_in_order_and_bad_rows_are_told_with_line_and_column(tuttu: Run) -> None:
    Path("people.csv").write_text(
        'name,User ID,note\n"Ängström, Ann",ann,"two\nlines"\nNobody,,x\n"Guest, the",guest,x\nshort\n\nBob, bob ,\n',
        "utf-8-sig",
    )
    code, out, err = tuttu(*MAKE, "people.csv")
    assert code == 1
    assert err.splitlines() == [
        'people.csv:4:8: "userId" is empty or longer than 512 characters',
        'people.csv:5:14: "userId" is the placeholder "guest", not an id',
        'people.csv:6:6: "userId" is empty or longer than 512 characters',
        "2 links, 3 rows without one",
    ]
    header, *rows = table(out)
    assert header == ["name", "User ID", "note", "link", "pixel"]
    assert [row[0] for row in rows] == ["Ängström, Ann", "Nobody", "Guest, the", "short", "Bob"]
    assert [bool(row[3]) for row in rows] == [bool(row[4]) for row in rows] == [True, False, False, False, True]
    assert rows[4][1] == " bob "
    link = links().read(rows[4][3].removeprefix("https://www.example.com/t/v1/go/"))
    assert link is not None
    assert (link.contact, link.target, link.message) == (hashed("shop", "u", "bob"), TARGET, "autumn")
    assert links().read_pixel(rows[4][4].removeprefix("https://www.example.com/t/v1/open/").removesuffix(".gif"))


def test_semicolons_and_a_named_column(tuttu: Run) -> None:
    Path("people.csv").write_text("email;number\na@example.com;7\n", "utf-8")
    code, out, _ = tuttu(*MAKE, "--column", "Number", "people.csv")
    assert code == 0
    assert table(out, ";")[1][:2] == ["a@example.com", "7"]


def test_a_large_file_shows_how_far_it_is(tuttu: Run) -> None:
    Path("people.csv").write_text("userId,note\n" + "".join(f"u{n},{'x' * 990}\n" for n in range(1_100)), "utf-8")
    code, out, err = tuttu(*MAKE, "people.csv")
    assert code == 0
    assert len(table(out)) == 1_101
    assert err.startswith("links, about 1.1 MB")
    assert err.endswith("1,100 links\n")


def test_one_person_needs_no_file_and_show_says_what_the_link_says(tuttu: Run) -> None:
    code, out, _ = tuttu(*MAKE, "--user", "ann", "--expires", "12h")
    assert code == 0
    link, pixel = (line.split()[1] for line in out.splitlines())
    for address, kind, target in ((link, "link", TARGET), (pixel, "pixel", "none")):
        code, out, _ = tuttu("links", "show", address)
        said = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert code == 0
        assert said["kind"] == kind
        assert said["target"] == target
        assert said["contact"] == f"k:{hashed('shop', 'u', 'ann')}"
        assert (said["message"], said["site"], said["valid"]) == ("autumn", "shop", "yes")


def test_show_says_why_a_link_does_not_hold(tuttu: Run) -> None:
    link = links().read(tuttu(*MAKE, "--user", "ann")[1].split()[1].rpartition("/")[2])
    assert link is not None
    made = links()
    at = {f: getattr(link, f) for f in ("site", "contact", "message", "target", "made", "expires", "id")}
    for change, why in (
        ({"expires": 1_000_000}, "it has expired"),
        ({"target": "https://evil.example/"}, "its target is not below"),
        ({"site": "gone"}, "there is no site"),
    ):
        code, out, _ = tuttu("links", "show", made.link(type(link)(**(at | change))))
        assert code == 1
        assert f"valid   no: {why}" in out
    code, out, _ = tuttu("links", "show", f"{TARGET}?tuttu={made.recognition(link, link.expires - 1000)}")
    assert (code, "recognition" in out) == (0, True)
    for token in (made.link(link)[:-1], "", "{}", Links(["z" * 32]).link(link)):
        code, out, err = tuttu("links", "show", token)
        assert (code, out) == (1, "")
        assert "no key of this gateway has signed" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--user", "ann", "--target", "https://evil.example/"), "is not below one of the site's targets"),
        (("--user", "ann", "--base", "www.example.com"), '"base" is not where browsers find the gateway'),
        (("--user", "ann", "--expires", "500d"), "a link lives from one hour to 400 days"),
        (("--user", "ann", "--site", "shpo"), 'did you mean "shop"?'),
        (("--user", "null"), "placeholder"),
        (("--user", "\udcff"), "not written in UTF-8"),
        ((), "name either a CSV file or one person"),
        (("--user", "ann", "people.csv"), "name either a CSV file or one person"),
    ],
)
def test_what_is_wrong_for_all_is_said_once(tuttu: Run, args: tuple[str, ...], said: str) -> None:
    code, out, err = tuttu(*MAKE, *args)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "people.csv: it cannot be read: No such file or directory"),
        (b"", "people.csv:1:1: the first line is empty"),
        (b"name,mail\n", 'people.csv:1:1: there is no column "userId"'),
        (b"userId\n\xff\n", "people.csv:2:1: this is not UTF-8"),
        (b'userId\nann\n"b\n', "people.csv:3:1: a double quote is not closed"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tuttu: Run, content: bytes | None, said: str) -> None:
    if content is not None:
        Path("people.csv").write_bytes(content)
    code, _, err = tuttu(*MAKE, "people.csv")
    assert code == 1
    assert said in err


def test_without_the_gateways_keys_nothing_is_made(tuttu: Run) -> None:
    code, _, err = tuttu(*MAKE, "--user", "ann", "--data", "elsewhere")
    assert code == 1
    assert "start the gateway once, or name its folder with --data" in err
    assert not Path("elsewhere").exists()
