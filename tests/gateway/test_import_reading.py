"""Reading tables: whatever bytes come, every good row is read once, every bad one is told with its place."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.crm.errors import ImportRefused, Problem
from gateway.crm.reading import MAX_CELL, MAX_LINE, Row, Table, examine, place
from gateway.crm.seen import SeenIds


def table(path: Path, content: bytes | str) -> tuple[list[str], list[Row | Problem]]:
    file = path / "people.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with Table(examine(file)) as found:
        return found.header, list(found.rows())


def cells(path: Path, content: bytes | str) -> list[list[str]]:
    _, rows = table(path, content)
    assert [row for row in rows if isinstance(row, Problem)] == []
    return [row.cells for row in rows if isinstance(row, Row)]


def told(path: Path, content: bytes | str) -> list[str]:
    """Return good rows as their first cell, bad ones as `line:column: message`."""
    _, rows = table(path, content)
    return [f"{x.line}:{x.column}: {x.message}" if isinstance(x, Problem) else x.cells[0] for x in rows]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_a_program_writes_is_read(tmp_path: Path, mark: str, delimiter: str, end: str) -> None:
    lines = [["user id", "name"], ["1", "Väinö"], ["2", f'"a{delimiter} ""b"""'], ["3", '"two\nlines"']]
    text = mark + end.join(delimiter.join(line) for line in lines) + end
    assert table(tmp_path, text)[0] == ["user id", "name"]
    assert cells(tmp_path, text) == [["1", "Väinö"], ["2", f'a{delimiter} "b"'], ["3", "two\nlines"]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_a_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    assert cells(tmp_path, "id,name\n1,Päivi 😀\n".encode(encoding)) == [["1", "Päivi 😀"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n \n", "no line that names the columns"),
        ("id,name\n1,x\n".encode("utf-16-le"), "UTF-16 without its mark"),
        ("id,name\n".encode("utf-32"), "UTF-32"),
        (b"PK\x03\x04 and more", "workbook"),
        (b"id,na\xe4me\n1,x\n", "not UTF-8"),
        (b'id,"na\n1,x\n', "a double quote is opened here"),
        (b"id,n\0me\n1,x\n", "NUL"),
    ],
)
def test_what_is_no_table_is_refused_and_says_what_to_do(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ImportRefused, match=message):
        table(tmp_path, content)


def test_a_folder_a_pipe_and_nothing_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", Path("/dev/null")):
        with pytest.raises(ImportRefused, match="file"):
            examine(path)


def test_excels_own_line_names_the_delimiter(tmp_path: Path) -> None:
    assert cells(tmp_path, "sep=;\nid;name\n1;a,b,c,d\n") == [["1", "a,b,c,d"]]


def test_blank_rows_are_none_and_empty_cells_too_many_are_left_out(tmp_path: Path) -> None:
    assert cells(tmp_path, "id,name\n\n,\n1,x,,,\n   \n2,y\n\n") == [["1", "x"], ["2", "y"]]


def test_a_bad_row_costs_that_row_only(tmp_path: Path) -> None:
    assert told(tmp_path, 'id,name\na,x\nb\nc,"open\nd,y\ne,y,z\nf,"x"y\ng,"fine"\n') == [
        "a",
        "3:1: 1 values under 2 names of columns; fill it up",
        "4:3: a double quote is opened here and not closed",
        "d",
        '6:5: 3 values under 2 names of columns; put a value with "," in it in double quotes',
        '7:3: text follows a closing double quote; write "" for a quote inside quotes',
        "g",
    ]


def test_a_quote_that_stays_open_to_the_end_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"{n},x\n" for n in range(5_000))
    found = told(tmp_path, f'id,name\nbad,"open\n{rows}')
    assert found == ["2:5: a double quote is opened here and not closed", *map(str, range(5_000))]


def test_nuls_and_foreign_bytes_are_told_with_their_place(tmp_path: Path) -> None:
    assert told(tmp_path, b"id,name\na,x\0\nb,\xe4\nc,\xc3\xa4\n") == [
        "2:4: there is a NUL",
        "3:3: this is not UTF-8; save the file in that encoding (in Excel: CSV UTF-8)",
        "c",
    ]


def test_a_huge_cell_and_a_huge_line_are_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    found = told(tmp_path, f"id,name\na,{'x' * (MAX_CELL + 1)}\nb,{'y' * 10_000_000}\nc,{'z' * MAX_CELL}\nd,\n")
    assert found[0].startswith("2:3: the value is over 16,384 characters")
    assert found[1].startswith(f"3:1: the line is over {MAX_LINE:,} characters")
    assert found[2:] == ["c", "d"]


def test_a_line_of_exactly_the_limit_hides_no_other(tmp_path: Path) -> None:
    for length in range(MAX_LINE - 3, MAX_LINE + 3):
        found = told(tmp_path, f"id\n{'x' * length}\nlast\n")
        assert found[-1] == "last"
        assert len(found) == 2


def test_the_place_of_a_cell_counts_quoted_lines(tmp_path: Path) -> None:
    _, (row,) = table(tmp_path, 'id,name,plan\n1,"two\nlines, here",pro\n')
    assert isinstance(row, Row)
    assert [place(row, cell, ",") for cell in range(3)] == [(2, 1), (2, 3), (3, 14)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text(alphabet='ab1,;\t"\n\r \0ä€', max_size=80) | st.binary(max_size=80))
def test_no_table_breaks_the_reader_and_every_row_has_its_place(tmp_path: Path, content: str | bytes) -> None:
    try:
        header, rows = table(tmp_path, content)
    except ImportRefused:
        return
    for row in rows:
        assert row.line >= 1
        assert isinstance(row, Problem) or len(row.cells) == len(header)
    assert [row.number for row in rows if isinstance(row, Row)] == sorted(
        {row.number for row in rows if isinstance(row, Row)}
    )


WRITTEN = st.lists(
    st.lists(st.text(alphabet='ab,;\t"\n\r ä😀', max_size=8), min_size=3, max_size=3), min_size=1, max_size=6
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=WRITTEN)
def test_what_a_csv_writer_writes_is_read_back(tmp_path: Path, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([["id", "x", "y"], *rows])
    stripped = [[cell.strip() for cell in row] for row in rows]
    assert [[c.strip() for c in row] for row in cells(tmp_path, text.getvalue())] == [r for r in stripped if any(r)]


def test_an_id_that_came_before_is_known_by_its_line_whatever_the_number() -> None:
    seen = SeenIds(3_000)
    assert [seen.first(f"id {n}", n + 2) for n in range(3_000)] == [0] * 3_000
    assert [seen.first(f"id {n}", 9_999) for n in range(3_000)] == list(range(2, 3_002))
