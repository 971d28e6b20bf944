from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.enrich import enriched
from gateway.networks.address import is_public, packed, written
from gateway.networks.asn_csv import compile_list
from gateway.networks.asn_table import AsnTable
from gateway.networks.cities import NOWHERE, Cities, Place
from gateway.networks.data import Networks
from gateway.networks.errors import DataBroken
from gateway.networks.lookups import Lookups
from gateway.networks.manifest import NAME, read_manifest
from gateway.telemetry import Telemetry
from tests.gateway.making import hit, site
from tests.gateway.networks_data import BUILT, FLAT_IPV4, IPV4, IPV6, NESTED, make_data, make_mmdb

HELSINKI = Place("FI", "Uusimaa", "Helsinki")


def networks(folder: Path) -> tuple[Networks, list[str]]:
    said: list[str] = []
    found = Networks(folder, said.append)
    found.refresh()
    return found, said


def table(tmp_path: Path, ipv4: str = IPV4, ipv6: str = IPV6) -> AsnTable:
    path = tmp_path / "asn.table"
    compile_list(ipv4.splitlines(), ipv6.splitlines(), BUILT, path, lambda _: None)
    return AsnTable(path)


def number_of(found: AsnTable, address: str) -> int:
    record = found.find(packed(address) or b"")
    return found.network(record).number if record else 0


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "public"),
    [("8.8.8.8", True), ("10.1.2.3", False), ("127.0.0.1", False), ("100.64.0.1", False), ("172.15.255.255", True),
     ("172.16.0.0", False), ("172.32.0.0", True), ("192.168.1.1", False), ("224.0.0.1", False), ("0.0.0.0", False),  # noqa: S104 - looked up, not bound
     ("255.255.255.255", False), ("169.254.169.254", False), ("::1", False), ("fe80::1", False), ("fc00::1", False),
     ("2001:db8::1", False), ("2a00:1450:4026::1", True), ("::ffff:10.0.0.1", False), ("::ffff:8.8.8.8", True)],
)  # fmt: skip
def test_only_addresses_of_the_internet_are_looked_up(text: str, public: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_public(packed(text) or b"") is public


@given(st.ip_addresses().map(str))
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    address = packed(text)
    assert address is not None
    assert packed(written(address)) == address


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3", "1.2.3.4.5", "1.2.3.4\0", "::g", "1" * 200, "1.2.3.4/8", " 1.2.3.4"]
)
def test_any_other_text_is_no_address(text: str) -> None:
    assert packed(text) is None


# -- the compiled list of systems ------------------------------------------------------------------------------------


def test_every_range_is_found_from_its_first_to_its_last_address(tmp_path: Path) -> None:
    found = table(tmp_path)
    for line in (IPV4 + IPV6).splitlines():
        first, last, number, _ = line.split(",", 3)
        assert number_of(found, first) == number_of(found, last) == int(number)
    assert found.built == BUILT
    assert len(found) == len({line.split(",")[2] for line in (IPV4 + IPV6).splitlines()})


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "1.0.1.0", "0.255.255.255", "255.255.255.255", "10.0.0.1", "::", "2001:14b7:ffff::", "2001:14c0::",  # noqa: S104 - looked up, not bound
     "2a00:1450:5000:1:8000::", "2a00:1450:5000:0:ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
)  # fmt: skip
def test_what_nobody_announces_is_nobodys(tmp_path: Path, address: str) -> None:
    assert number_of(table(tmp_path), address) == 0


def test_sizes_and_names_are_kept(tmp_path: Path) -> None:
    found = table(tmp_path)
    network = found.network(found.find(packed("143.97.0.1") or b""))
    assert network == (42175, "EQUINOR-AS Equinor ASA", 131072)
    assert {large.number for large in found.larger_than(1 << 16)} == {3301, 3320, 17676, 200656, 42175}


def test_a_range_to_the_very_end_and_ranges_that_overlap_are_clipped(tmp_path: Path) -> None:
    good = "".join(f"1.0.{n}.0,1.0.{n}.255,{n + 1},Name {n}\n" for n in range(200))
    found = table(tmp_path, good + "1.0.199.128,1.1.0.255,900,Overlaps\n240.0.0.0,255.255.255.255,901,The end\n")
    assert [number_of(found, a) for a in ("1.0.199.200", "1.0.200.0", "1.1.0.255")] == [200, 900, 900]
    assert number_of(found, "255.255.255.255") == 901


@pytest.mark.parametrize(
    "lines", ["", "<html>\n", "1.0.0.0,1.0.0.255,1,A\nnonsense\n", "2.0.0.0,1.0.0.0,1,A\n", "1.0.0.0,1.0.0.255,0,A\n"]
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(DataBroken, match="bad rows"):
        table(tmp_path, lines)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=60, unique=True), st.integers(0, 2**32 - 1))
def test_bisection_finds_what_a_walk_finds(
    tmp_path_factory: pytest.TempPathFactory, edges: list[int], asked: int
) -> None:
    edges = sorted(edges)[: len(edges) // 2 * 2]
    ranges = [(edges[n], edges[n + 1], n + 1) for n in range(0, len(edges), 2)]
    lines = "".join(f"{written(a.to_bytes(4, 'big'))},{written(b.to_bytes(4, 'big'))},{n},N\n" for a, b, n in ranges)
    found = table(tmp_path_factory.mktemp("t"), lines)
    for number in (asked, *edges):
        walked = next((n for a, b, n in ranges if a <= number <= b), 0)
        assert number_of(found, written(number.to_bytes(4, "big"))) == walked


# -- city lists ------------------------------------------------------------------------------------------------------


def test_flat_records_give_country_region_and_city(tmp_path: Path) -> None:
    cities = Cities(make_mmdb(tmp_path / "a.mmdb", FLAT_IPV4))
    assert cities.of(packed("85.76.3.4") or b"") == HELSINKI
    assert cities.of(packed("9.9.9.9") or b"") == NOWHERE
    assert cities.of(packed("2a00::1") or b"") == NOWHERE  # this file has IPv4 only


@pytest.mark.parametrize("kind", ["GeoLite2-City", "GeoIP2-City", "GeoIP2-Enterprise"])
def test_maxminds_records_give_the_same(tmp_path: Path, kind: str) -> None:
    cities = Cities(make_mmdb(tmp_path / "a.mmdb", NESTED, kind))
    assert cities.of(packed("2.125.160.217") or b"") == Place("GB", "England", "Boxford")


@pytest.mark.parametrize(
    "row",
    [{"country_code": "Finland", "city": 5, "state1": []}, {"country_code": "ZZ"}, {}, {"city": {"names": "x"}}],
)  # fmt: skip
def test_odd_records_give_nothing(tmp_path: Path, row: dict[str, object]) -> None:
    assert Cities(make_mmdb(tmp_path / "a.mmdb", {"9.0.0.0/8": row})).of(b"\x09\0\0\1") == NOWHERE


def test_a_record_of_another_shape_is_counted_and_finds_nothing(tmp_path: Path) -> None:
    cities = Cities(make_mmdb(tmp_path / "a.mmdb", {"9.0.0.0/8": {"country": "Finland"}}, "GeoLite2-City"))
    assert cities.of(b"\x09\0\0\1") == NOWHERE
    assert cities.damaged == 1


def test_broken_files_are_refused_and_never_crash(tmp_path: Path) -> None:
    good = make_mmdb(tmp_path / "good.mmdb", FLAT_IPV4).read_bytes()
    marker = good.rindex(b"\xab\xcd\xefMaxMind.com")
    path = tmp_path / "broken.mmdb"
    for content in (b"", b"\0" * 100, good[:50], good[:marker], good[: marker + 14], b"<html>no</html>"):
        path.write_bytes(content)
        with pytest.raises(DataBroken, match="no city list"):
            Cities(path)
    with pytest.raises(DataBroken):
        Cities(tmp_path / "none.mmdb")
    dice = random.Random(1)  # noqa: S311 - the same damage in every run
    for _ in range(300):  # flipped bits: refused, or opened and then without a crash
        content = bytearray(good)
        for _ in range(dice.randint(1, 8)):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content)
        try:
            cities = Cities(path)
        except DataBroken:
            continue
        assert isinstance(cities.of(packed("85.76.0.1") or b""), Place)
        del cities


# -- the data in use -------------------------------------------------------------------------------------------------


def test_without_data_everything_is_unknown(tmp_path: Path) -> None:
    found, said = networks(tmp_path / "none")
    assert Lookups(found).of("85.76.0.1") == (NOWHERE, {})
    assert said == []
    assert not found.changed()


def test_new_data_is_taken_and_remembered_answers_are_forgotten(tmp_path: Path) -> None:
    found, said = networks(tmp_path)
    lookups = Lookups(found)
    assert lookups.of("85.76.0.1").place == NOWHERE
    make_data(tmp_path)
    assert found.changed()
    found.refresh()
    assert lookups.of("85.76.0.1").place == HELSINKI
    assert lookups.of("::ffff:85.76.0.1").place == HELSINKI
    assert lookups.of("2001:14b8::1").place.city == "Raisio"
    assert len(said) == 2
    assert not found.changed()


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "manifest", "empty"])
def test_broken_data_is_refused_said_once_and_what_was_in_use_stays(tmp_path: Path, damage: str) -> None:
    make_data(tmp_path)
    found, said = networks(tmp_path)
    make_data(tmp_path, version="2")
    for name in ("asn-2.table", "ipv4-2.mmdb"):
        path = tmp_path / name
        content = path.read_bytes()
        path.unlink()
        if damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "flip":
            path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
        elif damage == "empty":
            path.write_bytes(b"")
    if damage == "manifest":
        (tmp_path / NAME).write_text("{", "utf-8")
    said.clear()
    assert found.changed()
    found.refresh()
    assert Lookups(found).of("143.97.0.1").company["name"] == "Equinor"
    assert Lookups(found).of("85.76.0.1").place == HELSINKI
    assert len(said) == (1 if damage == "manifest" else 2)
    assert all("refused" in line for line in said)
    assert not found.changed()
    telemetry = Telemetry()
    found.report(telemetry)
    assert telemetry.counters["network_data_loads", "refused"] == len(said)
    assert telemetry.gauges["network_data"] == 2


def test_one_broken_part_does_not_hold_up_the_other(tmp_path: Path) -> None:
    make_data(tmp_path)
    (tmp_path / "ipv4-1.mmdb").write_bytes(b"broken")
    found, said = networks(tmp_path)
    assert Lookups(found).of("143.97.0.1") == (NOWHERE, Lookups(found).of("143.97.0.1").company)
    assert found.current.systems is not None
    assert "ipv4-1.mmdb" in said[1] + said[0]


def test_data_that_was_removed_is_no_longer_used(tmp_path: Path) -> None:
    make_data(tmp_path / "networks")
    found, _ = networks(tmp_path / "networks")
    shutil.rmtree(tmp_path / "networks")
    found.refresh()
    assert Lookups(found).of("85.76.0.1") == (NOWHERE, {})


@pytest.mark.parametrize("content", [b"TUTTUASN" + b"\0" * 32, b"TUTTUASN", b"WRONGMAG" + b"\0" * 100])
def test_a_compiled_list_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "asn.table"
    path.write_bytes(content)
    with pytest.raises(DataBroken):
        AsnTable(path)


def test_a_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"format": 2, "sets": {}}', "utf-8")
    with pytest.raises(DataBroken, match="remove it"):
        read_manifest(tmp_path)


# -- in the hit's path -----------------------------------------------------------------------------------------------


def test_a_browser_is_where_its_address_is_whatever_it_says(tmp_path: Path) -> None:
    lookups = Lookups(networks(make_data(tmp_path))[0])
    asked = hit(site=site(lookups=lookups), address="85.76.0.1")
    facts = enriched(asked, {"ip": "8.8.8.8"}, {})
    assert (facts.country, facts.region, facts.city) == HELSINKI


def test_a_server_speaks_of_its_visitors_address_and_its_own_tells_nothing(tmp_path: Path) -> None:
    lookups = Lookups(networks(make_data(tmp_path))[0])
    asked = hit(site=site(lookups=lookups), address="85.76.0.1", secret=True)
    assert enriched(asked, {"ip": "143.97.0.1"}, {}).country == "NO"
    for context in ({}, {"ip": ""}, {"ip": 5}, {"ip": "x" * 5000}, {"ip": "10.0.0.1"}, {"ip": ["8.8.8.8"]}):
        facts = enriched(asked, context, {})
        assert (facts.country, facts.company) == ("", {})
