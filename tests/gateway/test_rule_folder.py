"""What a rule folder may hold besides rules: pipes, links, what cannot be read, names, too much. Each is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.reload import read_rules, stamp_of
from personalize.errors import RulesError
from personalize.loader import load
from personalize.yaml_nodes import MAX_BYTES


def pipe(folder: Path) -> None:
    os.mkfifo(folder.parent / "pipe")
    (folder / "b.yaml").symlink_to(folder.parent / "pipe")


def circle(folder: Path) -> None:
    (folder / "b").symlink_to("b")


UNREADABLE: list[tuple[Callable[[Path], object], str]] = [
    (pipe, r"b\.yaml in the folder .*: it is no regular file"),
    (circle, r"b in the folder .*: Too many levels of symbolic links"),
    (lambda f: (f / "b.yaml").symlink_to("/dev/zero"), r"b\.yaml in the folder .*: it is no regular file"),
    (lambda f: (f / "tests").symlink_to(f.parent / "gone"), "tests in the folder .*: it is gone, or a link to nothing"),
    (lambda f: (f / "b.yaml").symlink_to("gone.yaml"), r"b\.yaml in the folder .*: it is gone, or a link to nothing"),
    (lambda f: Path(os.fsdecode(bytes(f) + b"/\xe4.yaml")).touch(), r"the file name '\\udce4\.yaml' cannot be printed"),
    (lambda f: (f / "a\nERROR b.yaml").touch(), r"the file name 'a\\nERROR b\.yaml' cannot be printed"),
]


@pytest.mark.parametrize(("spoil", "sentence"), UNREADABLE)
def test_what_cannot_be_read_is_an_error_and_not_rules_less(
    tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").touch()
    before = stamp_of(folder)
    spoil(folder)
    assert stamp_of(folder) != before
    with pytest.raises(RulesError, match=sentence):
        read_rules(folder)


def test_a_folder_inside_that_may_not_be_entered_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "a.yaml").touch()
    scandir = os.scandir

    def refusing(path: Path) -> object:
        # Whoever may do everything, as in a container, is refused nothing by the real one.
        if Path(path).name == "tests":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    before = stamp_of(tmp_path)
    monkeypatch.setattr(os, "scandir", refusing)
    assert stamp_of(tmp_path) != before
    with pytest.raises(RulesError, match=r"tests in the folder .* cannot be read: Permission denied"):
        read_rules(tmp_path)


def test_hidden_links_to_nothing_are_left_out_as_editors_make_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / ".#a.yaml").symlink_to("somebody@host.123:456")
    assert list(read_rules(tmp_path)) == ["a.yaml"]


def test_no_more_is_read_than_rules_may_hold_and_the_loader_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("#" * 600_000)
    (tmp_path / "b.yaml").write_text("#" * (MAX_BYTES - 600_000))
    files = read_rules(tmp_path)
    assert sum(map(len, files.values())) == MAX_BYTES
    with (tmp_path / "b.yaml").open("ab") as file:
        file.truncate(1 << 40)  # a terabyte of nothing: reading it would not come back
    with pytest.raises(RulesError) as refused:
        read_rules(tmp_path)
    assert str(refused.value) == str(load({**files, "b.yaml": files["b.yaml"] + b"#"})[1][0])


def test_of_two_ways_to_one_folder_the_first_counts_and_each_file_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/1.yaml", "b/2.yaml", "3.yaml", "4.txt"):
        (tmp_path / name).touch()
    (tmp_path / "a").symlink_to("b")
    assert list(read_rules(tmp_path)) == ["3.yaml", "a/1.yaml", "a/2.yaml"]
    looked: list[str] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path: looked.append(str(path)) or stat(path))
    assert len(stamp_of(tmp_path)) == 3
    assert len(looked) == 3  # the folder itself, and both ways to the one inside
