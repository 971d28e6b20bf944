"""`tuttu import people.csv|companies.csv`: bring a CRM's table to a running gateway.

Exit codes: 0 everything went in, 1 a row was left out or the import stopped, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.app import clock
from gateway.crm import report
from gateway.crm.errors import ImportRefused
from gateway.crm.importing import Import
from gateway.crm.sending import PATIENCE_S, Gateway
from gateway.errors import StartupError
from gateway.secrets import secret_key_of

GOOD, FINDINGS, USAGE = 0, 1, 2

MOST_ROWS = 2_000
_SAMPLE = 3

Tell = Callable[[int, int, str], None]
"""Told the line that is done, the rows that are done, and why the gateway is being asked again, if it is."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its flags."""
    parser = commands.add_parser(
        "import",
        help="bring people or companies from a CSV file to a running gateway",
        description="Send the rows of a CSV file to a running gateway, see docs/crm.md. The secret key comes from the "
        "gateway's data folder, or from TUTTU_SECRET_KEY.",
    )
    parser.add_argument("file", metavar="FILE.csv", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the gateway is (http://127.0.0.1:8080)")
    parser.add_argument("--site", metavar="KEY", default="", help="the site (the only one)")
    parser.add_argument("--data", metavar="DIR", help="the gateway's data folder, which has its secrets (data)")
    parser.add_argument("--kind", choices=("people", "companies"), help="what the rows are (told by the columns)")
    parser.add_argument(
        "--map", metavar="COLUMN=FIELD", action="append", default=[], type=_map, help="what a column is; repeatable"
    )
    parser.add_argument("--name", help="the import's name; rows sent under it before are duplicates for 48 h (FILE)")
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, send nothing")
    parser.add_argument("--resume", action="store_true", help="go on where an import of this file stopped")
    parser.add_argument("--batch", metavar="ROWS", type=int, default=500, help="rows in a request (500)")
    parser.add_argument("--errors", metavar="FILE", type=Path, help="where every problem goes (FILE.errors.csv)")
    parser.add_argument(
        "--patience", metavar="S", type=float, default=PATIENCE_S, help="seconds to wait for a gateway that is away"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Import one file."""
    if not 1 <= args.batch <= MOST_ROWS:
        return _say(f"tuttu import: --batch is between 1 and {MOST_ROWS} rows", code=USAGE)
    errors = args.errors or args.file.with_name(f"{args.file.stem}.errors.csv")
    try:
        with report.Problems(errors) as problems:
            work = Import(
                args.file,
                name=args.name or args.file.name,
                about=args.kind,
                maps=args.map,
                now=clock(),
                on_problem=problems.add,
                resume=args.resume,
            )
            done = _dry_run(work) if args.dry_run else _send(args, work)
            _write(*report.problem_lines(str(args.file), problems, errors))
    except (ImportRefused, StartupError) as err:
        return _say(f"tuttu import: {err}", code=USAGE if isinstance(err, StartupError) else FINDINGS)
    except KeyboardInterrupt:
        return _say("\ntuttu import: interrupted; go on with --resume", code=FINDINGS)
    rejected = work.progress.events["rejected"]
    return GOOD if done and not work.checked.refused and not rejected else FINDINGS


def _dry_run(work: Import) -> bool:
    """Say what would be sent."""
    _write(*report.reading_lines(work.about, work.columns, work.mapping.kinds))
    events = good = 0
    sample: list[str] = []
    for row, made in work.events():
        good, events = good + 1, events + len(made)
        if good <= _SAMPLE:
            sample += report.sample_lines(work.mapping.key(row), made)
    rows = report.counted(work.checked.rows, "row")
    _write("", f"{rows}, {good:,} good: {report.counted(events, 'event')} would be sent", *sample)
    return True


def _send(args: argparse.Namespace, work: Import) -> bool:
    """Send everything that is not done."""
    key = os.environ.get("TUTTU_SECRET_KEY", "")
    if not key:
        data = Path(args.data or os.environ.get("TUTTU_DATA") or "data")
        _, key = secret_key_of(data, args.site)
    gateway = Gateway(args.url, key)
    if gateway.in_clear:
        _say(f"tuttu import: the secret key goes to {args.url} unencrypted; use https:// outside of your own network")
    if work.stopped and not args.resume:
        _say("tuttu import: an earlier import of this file did not end; this one begins anew (--resume goes on)")
    if args.resume:
        _say(f"going on after row {work.progress.done:,}" if work.stopped else "nothing was stopped; this begins anew")
    with _bar(work.source.lines) as tell:
        work.run(gateway, batch=args.batch, patience_s=args.patience, on_progress=tell)
    checked = work.checked
    _write(*report.summary_lines(work.about, work.progress, checked.rows, checked.refused))
    return True


@contextmanager
def _bar(lines: int) -> Iterator[Tell]:
    """Show how far it is when a person watches; else only say when the gateway does not answer, and when it does."""
    if not sys.stderr.isatty():
        said = [""]

        def tell(_line: int, rows: int, trouble: str) -> None:
            if bool(trouble) != bool(said[0]):
                _say(f"row {rows:,}: {trouble}; trying again" if trouble else f"row {rows:,}: it answers again")
            said[0] = trouble

        yield tell
        return
    # Only here: rich takes 0.13 s to import, and every command would pay for it.
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.markup import escape  # noqa: PLC0415 - same
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - same

    columns = (TextColumn("{task.fields[rows]}"), BarColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[trouble]}"), console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=lines, rows="0 rows", rate="", trouble="")

        def show(line: int, rows: int, trouble: str) -> None:
            speed = bars.tasks[0].speed
            bars.update(
                task,
                completed=min(line, lines),
                rows=f"{rows:,} rows",
                rate=f"{speed:,.0f} rows/s" if speed else "",
                trouble=escape(trouble[:60]),
            )

        yield show


def _map(text: str) -> tuple[str, str]:
    name, equals, field = text.rpartition("=")
    if not equals or not name.strip() or not field.strip():
        raise argparse.ArgumentTypeError(f'"{text}" is not COLUMN=FIELD, such as "Customer No=user id"')
    return name.strip(), field.strip()


def _say(line: str, code: int = GOOD) -> int:
    sys.stderr.write(f"{line}\n")
    return code


def _write(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
