"""What columns are taken for and what a row says: names as CRMs write them, values that are not spoilt."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.crm.columns import About, columns_of
from gateway.crm.errors import ImportRefused, Problem
from gateway.crm.importing import Import
from gateway.crm.progress import Progress, load
from gateway.crm.values import BadValue, kind_of, moment, value_of
from gateway.envelope import Envelope
from gateway.wire.segment import decode_event
from tests.gateway.making import NOW, hit


def fields(*header: str, path: str = "file.csv", maps: Any = (), about: About | None = None) -> dict[str, str]:
    _, columns = columns_of(path, header, list(maps), about)
    return {column.name: column.field for column in columns}


def imported(
    folder: Path, text: str, name: str = "people.csv", **options: Any
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the events of a table and its problems."""
    path = folder / name
    path.write_text(text, "utf-8", newline="", errors="surrogatepass")
    problems: list[Problem] = []
    given = {"name": name, "about": None, "maps": [], "now": NOW, "on_problem": problems.append} | options
    return [event for _, events in Import(path, **given).events() for event in events], problems


def traits(folder: Path, header: str, *rows: str) -> list[dict[str, Any]]:
    events, problems = imported(folder, "\n".join([header, *rows]))
    assert problems == []
    return [event["traits"] for event in events if event["type"] == "identify"]


def messages(folder: Path, header: str, *rows: str) -> list[str]:
    _, problems = imported(folder, "\n".join([header, *rows]))
    return [f"{p.line}:{p.column}: {p.message}" for p in problems]


@pytest.mark.parametrize("name", ["user id", "User ID", "userId", "user_id", "ID", "Contact-ID"])
def test_the_user_id_is_known_by_its_usual_names(name: str) -> None:
    assert fields(name, "plan") == {name: "user id", "plan": "trait.plan"}


def test_columns_have_the_names_that_crms_give_them() -> None:
    assert fields("id", "user id", "First Name", "E-mail Address", "Lifecycle Stage", "Plan", "Owned products") == {
        "id": "trait.id", "user id": "user id", "First Name": "trait.first_name",
        "E-mail Address": "trait.email", "Lifecycle Stage": "trait.lifecycle_stage", "Plan": "trait.Plan",
        "Owned products": "owns",
    }  # fmt: skip
    assert fields("user id", "Company ID", "Company", "companyEmployees", "company size") == {
        "user id": "user id", "Company ID": "company id", "Company": "company.name",
        "companyEmployees": "company.employees", "company size": "company.size",
    }  # fmt: skip
    assert fields("user id", "Company")["Company"] == "trait.Company"


@pytest.mark.parametrize(
    ("header", "path", "about"),
    [
        (["id", "name"], "companies.csv", "companies"),
        (["id", "name"], "people.csv", "people"),
        (["company id", "name"], "x.csv", "companies"),
        (["company id", "user id"], "companies.csv", "people"),
    ],
)
def test_columns_or_the_files_name_tell_people_from_companies(header: list[str], path: str, about: str) -> None:
    assert columns_of(path, header, [], None)[0] == about


def test_map_goes_before_what_a_name_means_and_may_give_two_meanings() -> None:
    maps = [("e-mail", "user id"), ("e-mail", "trait.email"), ("id", "ignore"), ("Plan", "trait.plan")]
    assert columns_of("f", ["E-mail", "id", "Plan"], maps, None)[1][0].field == "trait.email"
    assert [c.field for c in columns_of("f", ["E-mail", "id", "Plan"], maps, None)[1]] == [
        "trait.email", "user id", "trait.plan",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "maps", "message"),
    [
        (["email"], [], "no column names the user id"),
        (["id", "Plan", "plan"], [], "two columns are named"),
        (["id", "First name", "first_name"], [], "are both trait.first_name"),
        (["company id", "name", "company name", "Kundennummer"], [], "if the rows are people, say which column"),
        (["id", "__proto__"], [], "cannot be the name"),
        (["id", "x" * 101], [], "cannot be the name"),
        (["id", *(f"t{n}" for n in range(101))], [], "over 100 columns"),
        (["id", "purchased at"], [], "no column"),
        (["id", "plan"], [("plam", "ignore")], 'did you mean "plan"'),
        (["id", "plan"], [("plan", "trait")], 'there is no field "trait"'),
        (["id", "plan"], [("plan", "company.plan")], "none is the company id"),
        (["company id", "plan"], [("plan", "owns")], "no company has"),
    ],
)
def test_columns_that_cannot_be_right_are_refused(header: list[str], maps: Any, message: str) -> None:
    with pytest.raises(ImportRefused, match=message):
        columns_of("file.csv", header, maps, None)


def test_a_row_is_a_person_a_company_and_purchases(tmp_path: Path) -> None:
    events, _ = imported(
        tmp_path,
        "user id,plan,owns,company id,company name,purchased,purchased at,consent,updated at\n"
        "aino,pro,Base; Pro,acme,Acme Oy,Base;Pro,2025-01-02;2025-03-04,email,2026-01-01T10:00:00+02:00\n",
    )
    ids = {event.pop("messageId") for event in events}
    assert len(ids) == 4
    at = "2026-01-01T08:00:00.000Z"
    assert events == [
        {"type": "identify", "userId": "aino", "timestamp": at,
         "traits": {"plan": "pro", "owns": ["Base", "Pro"], "consent": ["email"]}},
        {"type": "group", "userId": "aino", "groupId": "acme", "timestamp": at, "traits": {"name": "Acme Oy"}},
        {"type": "track", "event": "Order Completed", "userId": "aino", "timestamp": "2025-01-02T12:00:00.000Z",
         "properties": {"products": [{"name": "Base"}]}},
        {"type": "track", "event": "Order Completed", "userId": "aino", "timestamp": "2025-03-04T12:00:00.000Z",
         "properties": {"products": [{"name": "Pro"}]}},
    ]  # fmt: skip


def test_a_companys_row_is_a_group_call_that_names_nobody(tmp_path: Path) -> None:
    (event,), _ = imported(tmp_path, "id,Name,Employees,CRM ID\nacme,Acme Oy,250,007\n", "companies.csv")
    assert event["traits"] == {"name": "Acme Oy", "employees": 250, "crm_id": "007"}
    assert (event["type"], event["groupId"], "userId" in event) == ("group", "acme", False)


def test_values_keep_what_they_are(tmp_path: Path) -> None:
    rows = ("1,5,2.5,00100,TRUE,1e5,1234567890123456", "2,7,3,33100,no,5,1")
    assert traits(tmp_path, "id,n,f,zip,b,code,big", *rows) == [
        {"n": 5, "f": 2.5, "zip": "00100", "b": "TRUE", "code": "1e5", "big": "1234567890123456"},
        {"n": 7, "f": 3, "zip": "33100", "b": "no", "code": "5", "big": "1"},
    ]  # fmt: skip


def test_an_empty_cell_says_nothing_and_null_takes_the_value_away(tmp_path: Path) -> None:
    assert traits(tmp_path, "id,a,b,owns", "1,,null,", "2,null,x,null") == [
        {"b": None},
        {"a": None, "b": "x", "owns": None},
    ]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("user id,plan", ",pro", "2:1: the user id is empty"),
        ("user id,plan", "null,pro", '2:1: "userId" is the placeholder "null", not an id'),
        ("user id,purchased,purchased at", "a,X,2025-13-02", '2:5: "2025-13-02" is not a date such as 2025-12-31'),
        ("user id,purchased,purchased at", "a,X,2031-01-01", '2:5: "2031-01-01" lies in the future'),
        ("user id,purchased,purchased at", "a,X,2019-01-01", '2:5: "2019-01-01" is over five years ago; '),
        ("user id,purchased,purchased at", "a,X;Y;Z,2025-01-01;2025-01-02", "2:9: 2 dates for 3 purchases; "),
        ("user id,purchased,purchased at", "a,X,", "2:5: the date of the purchase is missing"),
        ("user id,consent", "a,mail", '2:3: "mail" is no consent; '),
        ("user id,consent", "a,email;ads", '2:3: "ads" alone would keep nothing; '),
        ("user id,bio", f"a,{'x' * 2_000}", "2:3: the value is over 1,024 bytes"),
        ("user id,owns", f"a,{'x' * 200}", '2:3: the product "xxx'),
        ("user id,owns", f"a,{';'.join('abcd' for _ in range(60))}", "2:3: 60 products; a profile keeps 50"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_with_its_place(tmp_path: Path, header: str, row: str, message: str) -> None:
    (found,) = messages(tmp_path, header, row)
    assert found.startswith(message)


def test_all_that_is_wrong_with_a_row_is_told_at_once_and_the_others_go_in(tmp_path: Path) -> None:
    header = "user id,consent,updated at"
    events, problems = imported(tmp_path, f"{header}\nundefined,x,y\nbo,email,2026-01-01\n")
    assert [(p.line, p.name) for p in problems] == [(2, "user id"), (2, "consent"), (2, "updated at")]
    assert [event["userId"] for event in events] == ["bo"]


def test_a_person_who_comes_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    events, problems = imported(tmp_path, "id,plan\na,1\nb,2\na,3\n")
    assert [event["userId"] for event in events] == ["a", "b"]
    assert [(p.line, p.message) for p in problems] == [
        (4, 'the user id "a" stands in line 2 already; keep one row of them')
    ]


def test_message_ids_are_the_same_for_the_same_rows_and_only_for_these(tmp_path: Path) -> None:
    def ids(text: str, **options: Any) -> list[str]:
        return [event["messageId"] for event in imported(tmp_path, text, **options)[0]]

    text = "id,plan\na,1\nb,2\n"
    assert len(set(ids(text))) == 2
    assert ids(text) == ids(text, now=NOW + 5_000) == ids(text.replace("\n", "\r\n"))
    assert not set(ids(text)) & set(ids(text, name="again"))
    assert not set(ids(text)) & set(ids(text, maps=[("plan", "trait.level")]))
    assert ids(text)[0] == ids("id,plan\na,1\nb,3\n")[0]


@pytest.mark.parametrize(
    ("cell", "ms"),
    [
        ("2026-01-01", 1_767_268_800_000),
        ("2026-01-01T00:00:00", 1_767_225_600_000),
        ("2026-01-01 02:00+02:00", 1_767_225_600_000),
    ],
)
def test_a_bare_date_is_its_noon_and_a_time_without_a_zone_is_utc(cell: str, ms: int) -> None:
    assert moment(cell, NOW) == ms


@given(st.text(max_size=30))
def test_no_cell_breaks_the_values(cell: str) -> None:
    value = value_of(cell, kind_of([cell]))
    assert value is None or isinstance(value, bool | int | float | str)
    with suppress(BadValue):
        assert 0 < moment(cell, NOW) <= NOW


@given(st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,12})?", fullmatch=True))
def test_a_number_is_one_only_when_nothing_is_lost(cell: str) -> None:
    value = value_of(cell, kind_of([cell]))
    if isinstance(value, str):
        assert value == cell
    else:
        assert float(cell) == value
        assert not cell.lstrip("-").startswith("0") or cell.lstrip("-").split(".")[0] == "0"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.text(alphabet=st.characters(exclude_characters='",\n\r'), max_size=12), min_size=8, max_size=8),
        max_size=4,
    )
)
def test_the_gateway_takes_every_event_of_every_row_that_was_found_good(tmp_path: Path, rows: list[list[str]]) -> None:
    header = "user id,plan,owns,company id,company name,purchased,purchased at,consent"
    text = "\n".join([header, *(",".join(row) for row in rows)])
    events, _ = imported(tmp_path, text)
    under_the_secret_key = hit(secret=True)
    for index, event in enumerate(events):
        decoded = decode_event(orjson.loads(orjson.dumps(event)), index, "", under_the_secret_key, walk=True)
        assert isinstance(decoded, Envelope), decoded
        assert not decoded.event.browser
        assert not decoded.clamped


def test_progress_is_read_back_and_rubbish_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.csv.tuttu-progress"
    assert load(path) is None
    progress = Progress("hash", "mapping", NOW)
    progress.add(
        {"accepted": 3, "dropped": 1, "duplicates": 1, "dropped_because": {"no_consent": 1},
         "rejected": [{"index": 1, "code": "bad_event", "message": "no"}]},
        [2, 3, 3],
    )  # fmt: skip
    progress.save(path)
    assert load(path) == progress
    for rubbish in (b"", b"[]", b'{"format": 1}', b'{"format": 99}', b'{"format": 1, "events": 5, "rejected": []}'):
        path.write_bytes(rubbish)
        with pytest.raises(ImportRefused, match="without --resume"):
            load(path)
