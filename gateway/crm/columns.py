"""What the columns of a file are: by the names that CRMs give them, or as `--map COLUMN=FIELD` says.

A field is `user id`, `company id`, `owns`, `purchased`, `purchased at`, `consent`, `updated at`, `trait.NAME`,
`company.NAME` or `ignore`. A column that has no other meaning is a trait of its own name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.crm.errors import ImportRefused, shown
from personalize.profiles import MAX_TRAITS
from personalize.suggest import unknown

About = Literal["people", "companies"]

OF_PEOPLE = ("user id", "company id", "owns", "purchased", "purchased at", "consent", "updated at", "ignore")
OF_COMPANIES = ("company id", "updated at", "ignore")
MAX_NAME = 100

_USER_IDS = ("userid", "customerid", "contactid", "personid", "id")
_COMPANY_IDS = ("companyid", "groupid", "accountid", "organizationid", "organisationid")
_WORDS = {
    "owns": "owns", "products": "owns", "ownedproducts": "owns",
    "purchased": "purchased", "purchase": "purchased", "purchases": "purchased",
    "purchasedat": "purchased at", "purchasedate": "purchased at", "purchaseddate": "purchased at",
    "consent": "consent", "consents": "consent",
    "updatedat": "updated at", "updated": "updated at", "lastmodified": "updated at", "modifiedat": "updated at",
}  # fmt: skip
_TRAITS = {
    "firstname": "first_name", "givenname": "first_name", "lastname": "last_name", "surname": "last_name",
    "familyname": "last_name", "email": "email", "emailaddress": "email", "phone": "phone", "phonenumber": "phone",
    "lifecyclestage": "lifecycle_stage", "crmid": "crm_id",
}  # fmt: skip
_ATTRIBUTES = {"crmid": "crm_id"} | {x: x for x in ("name", "domain", "industry", "employees", "type")}
_FORBIDDEN = frozenset({"__proto__", "constructor", "prototype"})


_OR_PEOPLE = '; or, if the rows are people, say which column is the user id: --map "COLUMN=user id"'


@dataclass(slots=True, frozen=True)
class Column:
    """One meaning of one column: where it stands, its name in the file, its field."""

    index: int
    name: str
    field: str


def columns_of(path: str, header: Sequence[str], maps: Sequence[tuple[str, str]], about: About | None) -> tuple[
    About, list[Column]
]:  # fmt: skip
    """Return what the file is about and what its columns mean; raises ImportRefused."""
    _no_doubles(path, header)
    given = _mapped(path, header, maps)
    if about is None:
        about = _about(path, header, given)
    found = [Column(i, header[i], field) for i, fields in given.items() for field in fields if field != "ignore"]
    taken = {column.field for column in found}
    plain = {i: _plain(name) for i, name in enumerate(header) if name and i not in given}
    if about == "people":
        for wanted, words in (("user id", _USER_IDS), ("company id", _COMPANY_IDS)):
            found += _first(wanted, words, plain, header, taken)
        grouped = "company id" in taken
        found += [Column(i, header[i], _of_person(header[i], word, grouped=grouped)) for i, word in plain.items()]
    else:
        found += _first("company id", (*_COMPANY_IDS, "id"), plain, header, taken)
        found += [Column(i, header[i], _of_company(header[i], word)) for i, word in plain.items()]
    _check(path, about, found)
    return about, sorted(found, key=lambda column: (column.index, column.field))


def _no_doubles(path: str, header: Sequence[str]) -> None:
    for i, name in enumerate(header):
        if name and name.casefold() in (other.casefold() for other in header[:i]):
            raise ImportRefused(f"{path}:1: two columns are named {shown(name)}; keep one, or rename it")


def _mapped(path: str, header: Sequence[str], maps: Sequence[tuple[str, str]]) -> dict[int, list[str]]:
    places = {name.casefold(): i for i, name in enumerate(header)}
    given: dict[int, list[str]] = {}
    for name, field in maps:
        place = places.get(" ".join(name.split()).casefold())
        if place is None:
            raise ImportRefused(f"{path}:1: {unknown(name, header, f'there is no column {shown(name)}')}")
        if field not in OF_PEOPLE and not re.fullmatch(r"(trait|company)\..+", field):
            fields = [*OF_PEOPLE, "trait.NAME", "company.NAME"]
            raise ImportRefused(f"--map: {unknown(field, fields, f'there is no field {shown(field)}')}")
        given.setdefault(place, []).append(field)
    return given


def _about(path: str, header: Sequence[str], given: Mapping[int, Sequence[str]]) -> About:
    fields = {field for each in given.values() for field in each}
    plain = {_plain(name) for name in header}
    if "user id" in fields or plain & set(_USER_IDS[:-1]):
        return "people"
    if "company id" in fields or plain & set(_COMPANY_IDS):
        return "companies"
    return "companies" if re.search("compan|account|organi[sz]ation", path.rpartition("/")[2].lower()) else "people"


def _first(
    field: str, words: Sequence[str], plain: dict[int, str], header: Sequence[str], taken: set[str]
) -> list[Column]:
    """Take the first column that bears one of these names out of those that are still to be read."""
    for word in words:
        for i, other in plain.items():
            if other == word and field not in taken:
                taken.add(field)
                del plain[i]
                return [Column(i, header[i], field)]
    return []


def _of_person(name: str, word: str, *, grouped: bool) -> str:
    if word in _WORDS:
        return _WORDS[word]
    if grouped and word.startswith("company"):
        rest = re.sub(r"^company[ _.-]*", "", name, flags=re.IGNORECASE)
        return f"company.{_ATTRIBUTES.get(_plain(rest), rest) or 'name'}"
    return f"trait.{_TRAITS.get(word, name)}"


def _of_company(name: str, word: str) -> str:
    if _WORDS.get(word) == "updated at":
        return "updated at"
    if word.startswith("company"):
        name = re.sub(r"^company[ _.-]*", "", name, flags=re.IGNORECASE) or "name"
    return f"company.{_ATTRIBUTES.get(_plain(name), name)}"


def _plain(name: str) -> str:
    """Return a name without capitals, spaces and signs: CRMs write `User ID`, `user_id` and `userId`."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _check(path: str, about: About, columns: Sequence[Column]) -> None:
    """Raise ImportRefused for columns that cannot be right together."""
    wanted = "user id" if about == "people" else "company id"
    fields = [column.field for column in columns]
    if wanted not in fields:
        raise ImportRefused(
            f"{path}:1: no column names the {wanted}, so nobody could tell who a row is about; "
            f'name one {shown(wanted)}, or say which it is: --map "COLUMN={wanted}"'
        )
    for column in columns:
        first = next(other for other in columns if other.field == column.field)
        if first is not column:
            raise ImportRefused(
                f"{path}:1: the columns {shown(first.name)} and {shown(column.name)} are both {column.field}; "
                f'leave one out: --map "{column.name}=ignore"{_OR_PEOPLE if about == "companies" else ""}'
            )
        name = column.field.partition(".")[2]
        if name in _FORBIDDEN or len(name) > MAX_NAME:
            raise ImportRefused(f"{path}:1: {shown(name)} cannot be the name of a trait; map the column to another")
        of_company = column.field in OF_COMPANIES or column.field.startswith("company.")
        if about == "companies" and not of_company:
            raise ImportRefused(f"{path}:1: {shown(column.name)} is mapped to {column.field}, which no company has")
    if "purchased at" in fields and "purchased" not in fields:
        raise ImportRefused(f'{path}:1: there is "purchased at", but no column "purchased" that says what')
    if any(field.startswith("company.") for field in fields) and "company id" not in fields:
        raise ImportRefused(f"{path}:1: a column is mapped to a company's attribute, but none is the company id")
    if sum("." in field for field in fields) > MAX_TRAITS:
        raise ImportRefused(
            f"{path}:1: over {MAX_TRAITS} columns would be traits, and a profile keeps {MAX_TRAITS}; "
            'leave some out: --map "COLUMN=ignore"'
        )
