"""Judge company recognition: `python -m benchmarks.companies DATA` after `tuttu data fetch --data DATA`.

Prints each network of tests/vectors/known-networks.csv with what it was taken for, then who of the 300 systems with the
most addresses would be shown, then systems drawn at random from all that count as a business, to be read by eye, and
what a look-up costs. Ends with 1 when fewer than 7 companies are found or any operator would be shown.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gateway.networks.address import packed, written
from gateway.networks.asn_table import Network
from gateway.networks.classify import Verdict, words_of
from gateway.networks.data import FOLDER, Networks, Systems
from gateway.networks.large import LARGE_COMPANIES
from gateway.networks.lookups import Lookups

KNOWN = Path(__file__).parents[1] / "tests" / "vectors" / "known-networks.csv"
LARGEST = 300
WANTED = 7

Classified = list[tuple[Network, Verdict]]


def main() -> int:
    """Print everything and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the data folder")
    parser.add_argument("--sample", type=int, default=200, help="how many businesses to draw (200)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    networks = Networks(args.data / FOLDER, on_event=print)
    networks.refresh()
    systems = networks.current.systems
    if systems is None:
        print("there is no data; fetch it with: tuttu data fetch")
        return 1
    good = judge(Lookups(networks), systems)
    everyone = [systems.of(record) for record in range(1, len(systems.table) + 1)]
    largest(everyone)
    draw(everyone, args.sample, args.seed)
    speed(networks, random.Random(args.seed))  # noqa: S311 - the same addresses in every run
    return 0 if good else 1


def judge(lookups: Lookups, systems: Systems) -> bool:
    """Print each known network, right or miss with the reason; tell whether the whole is good enough."""
    found, shown = 0, []
    lines = [line for line in KNOWN.read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    for row in rows:
        address = largest_network_of(row["find"], systems) if row["find"].startswith("largest ") else row["find"]
        record = systems.find(packed(address) or b"") if address else 0
        name = lookups.of(address).company.get("name", "") if address else ""
        right = named(row["name"], name) if row["expect"] == "company" else not name
        found += right and row["expect"] == "company"
        if name and row["expect"] == "operator":
            shown.append(row["name"])
        if record:
            network, verdict = systems.of(record)
            reason = (
                f"AS{network.number} {network.name!r}, {network.addresses} addresses: {verdict.kind} ({verdict.why})"
            )
        else:
            reason = "nobody announces it" if address else "no system has that name"
        print(f"{'right' if right else 'MISS ':5}  {row['expect']:8}  {row['name']:16}  {name or '-':24}  {reason}")
    companies = sum(row["expect"] == "company" for row in rows)
    print(f"companies right: {found} of {companies}; operators shown as a company: {len(shown)} {shown or ''}")
    return found >= WANTED and not shown


def named(expected: str, name: str) -> bool:
    """Tell whether a company is shown by the expected name, its words first."""
    return words_of(name)[: len(words_of(expected))] == words_of(expected)


def largest_network_of(find: str, systems: Systems) -> str:
    """Return the first address of the largest IPv4 range of all systems whose name has the word; "" without any."""
    wanted = words_of(find.removeprefix("largest "))[0]
    table = systems.table
    named_so = {r for r in range(1, len(table) + 1) if wanted in words_of(table.network(r).name)}
    ranges = [(size, start) for start, size, record in table.ranges4() if record in named_so]
    return written(max(ranges)[1].to_bytes(4, "big")) if ranges else ""


def largest(everyone: Classified) -> None:
    """Print who of the systems with the most addresses would be shown, and what for."""
    top = sorted(everyone, key=lambda pair: -pair[0].addresses)[:LARGEST]
    named_ones = [(network, verdict) for network, verdict in top if verdict.name]
    kinds = Counter("known large" if n.number in LARGE_COMPANIES else v.kind for n, v in named_ones)
    print(f"\nof the {LARGEST} largest systems {len(named_ones)} would be shown: {dict(kinds)}")
    for network, verdict in named_ones:
        if network.number not in LARGE_COMPANIES:
            print(f"  AS{network.number} {verdict.name} ({verdict.kind}, {verdict.why})")


def draw(everyone: Classified, count: int, seed: int) -> None:
    """Print how many of all are taken for what, and a sample of the businesses that are not known by number."""
    kinds = Counter((verdict.kind or "unknown", verdict.confidence) for _, verdict in everyone)
    print(f"\nall {len(everyone)} systems:", ", ".join(f"{k} {c} {n}" for (k, c), n in kinds.most_common()))
    business = [pair for pair in everyone if pair[1].kind == "business" and pair[0].number not in LARGE_COMPANIES]
    print(f"{count} drawn from the {len(business)} businesses (seed {seed}):")
    for network, verdict in random.Random(seed).sample(business, count):  # noqa: S311 - drawn again with the same seed
        print(f"  {network.addresses:6}  {verdict.confidence:6}  {verdict.why:14}  {verdict.name}")


def speed(networks: Networks, dice: random.Random) -> None:
    """Print what a look-up costs, of an address that is remembered and of one that is new."""
    lookups = Lookups(networks)
    addresses = [written(dice.randbytes(4)) for _ in range(20_000)]
    new = seconds(lookups.of(address) for address in addresses)
    again = seconds(lookups.of(address) for address in addresses)
    print(f"\na look-up: new {new / len(addresses) * 1e6:.1f} us, remembered {again / len(addresses) * 1e9:.0f} ns")


def seconds(work: Iterable[object]) -> float:
    """Return how long it takes to go through the work."""
    start = time.perf_counter()
    for _ in work:
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
