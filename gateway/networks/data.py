"""The data that a worker has open, and how it takes new data while it serves.

`changed` is one stat and belongs into a timer; `refresh` opens what is new beside what is in use, so it may run in a
thread: the swap is one assignment. A part that is broken is refused, and what was in use before stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.networks.asn_table import AsnTable, Network
from gateway.networks.cities import NOWHERE, Cities, Place
from gateway.networks.classify import Classifier, Verdict
from gateway.networks.errors import DataBroken
from gateway.networks.manifest import DataSet, read_manifest, stamp_of
from gateway.telemetry import Telemetry

FOLDER = "networks"
"""The folder of the network data inside the data folder."""


class Systems:
    """The autonomous systems: which one announces an address, and what it was taken for."""

    def __init__(self, about: DataSet, folder: Path) -> None:
        self.about = about
        self.table = AsnTable(about.files["table"].checked(folder))
        self._classifier = Classifier(self.table)

    def find(self, address: bytes) -> int:
        """Return the record of the system that announces 4 or 16 bytes, 0 when none does."""
        return self.table.find(address)

    def of(self, record: int) -> tuple[Network, Verdict]:
        """Return a system and what it was taken for."""
        network = self.table.network(record)
        return network, self._classifier.classify(network)


class CityLists:
    """The city lists of both families of addresses."""

    def __init__(self, about: DataSet, folder: Path) -> None:
        self.about = about
        self._lists = {size: Cities(about.files[name].checked(folder)) for size, name in ((4, "ipv4"), (16, "ipv6"))}
        self.built = min(cities.built for cities in self._lists.values())
        self.rows = sum(cities.nodes for cities in self._lists.values())

    def of(self, address: bytes) -> Place:
        """Return the place of 4 or 16 bytes, NOWHERE when it is not listed."""
        return self._lists[len(address)].of(address)

    @property
    def damaged(self) -> int:
        """How many look-ups found damage."""
        return sum(cities.damaged for cities in self._lists.values())


_Part = TypeVar("_Part", Systems, CityLists)


@dataclass(slots=True, frozen=True)
class Data:
    """What is open at one moment; None stands for a part that there is no data for."""

    systems: Systems | None = None
    cities: CityLists | None = None

    def place(self, address: bytes) -> Place:
        """Return where a public address is, as far as the data tells."""
        return self.cities.of(address) if self.cities is not None else NOWHERE


class Networks:
    """The data of one folder, as far as it is there and good. `on_event` is told in a sentence what happened."""

    def __init__(self, folder: Path, on_event: Callable[[str], object]) -> None:
        self.folder = folder
        self.current = Data()
        self._taken = self._refused = 0
        self._on_event = on_event
        self._stamp: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Tell whether there is other data than at the last refresh; one stat."""
        return stamp_of(self.folder) != self._stamp

    def refresh(self) -> None:
        """Take what is current; what cannot be used is said once and counted, and the part in use stays."""
        self._stamp = stamp_of(self.folder)
        try:
            manifest = read_manifest(self.folder)
        except DataBroken as err:
            self._refuse(err)
            return
        self.current = Data(
            systems=self._part(self.current.systems, manifest.sets.get("asn"), Systems),
            cities=self._part(self.current.cities, manifest.sets.get("city"), CityLists),
        )

    def report(self, telemetry: Telemetry) -> None:
        """Bring the worker's numbers about its data up to date."""
        data = self.current
        telemetry.counters[("network_data_loads", "taken")] = self._taken
        telemetry.counters[("network_data_loads", "refused")] = self._refused
        telemetry.gauges["network_data"] = sum(part is not None for part in (data.systems, data.cities))
        telemetry.gauges["network_data_damaged"] = data.cities.damaged if data.cities else 0

    def _part(self, used: _Part | None, about: DataSet | None, load: Callable[[DataSet, Path], _Part]) -> _Part | None:
        """Return the part to use from now on: as the manifest says, or the one in use when that is broken."""
        if about is None or (used is not None and used.about == about):
            return used if about else None
        try:
            found = load(about, self.folder)
        except (DataBroken, KeyError) as err:
            self._refuse(err)
            return used
        self._taken += 1
        self._on_event(f"network data: took {about.package} {about.version}")
        return found

    def _refuse(self, err: Exception) -> None:
        self._refused += 1
        self._on_event(f"network data refused, what was in use stays: {err}")
