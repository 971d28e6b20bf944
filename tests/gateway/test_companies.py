from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.enrich import enriched
from gateway.errors import StartupError
from gateway.networks.address import packed
from gateway.networks.asn_csv import compile_list
from gateway.networks.asn_table import AsnTable, Network
from gateway.networks.classify import Classifier
from gateway.networks.data import Networks
from gateway.networks.errors import OwnListInvalid
from gateway.networks.large import LARGE_COMPANIES
from gateway.networks.lookups import Lookups
from gateway.networks.names import tidy
from gateway.networks.own_list import OwnList, read_own_list
from tests.gateway.making import hit, site
from tests.gateway.networks_data import BUILT, IPV4, IPV6, make_data


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    path = tmp_path_factory.mktemp("asn") / "asn.table"
    compile_list(IPV4.splitlines(), IPV6.splitlines(), BUILT, path, lambda _: None)
    return Classifier(AsnTable(path))


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registered", "tidied"),
    [
        ("EQUINOR-AS Equinor ASA", "Equinor ASA"),
        ("IRRA-AS-IN - IRRA INTERNET SERVICE PRIVATE LIMITED", "IRRA Internet Service Private Limited"),
        ("AS274914 - DEPARTAMENTO DEL ARAUCA", "Departamento del Arauca"),
        ("CONGNGHEP9-VN - P9 TECHNOLOGY COMPANY LIMITED", "P9 Technology Company Limited"),
        ("mongodb MongoDB Limited", "MongoDB Limited"),
        ("Comsys (GH) Limited - Comsys (GH) Limited", "Comsys (GH) Limited"),
        ("GENSAZ-ASN1 - GENS ARIZONA LLC", "GENS Arizona LLC"),
        ("Scania CV AB", "Scania CV AB"),
        ("COCA-COLA HBC AG", "Coca-Cola HBC AG"),
        ("AS Citadele banka", "AS Citadele banka"),
        ("SOCIETE DU JOURNAL MIDI LIBRE S.A.R.L.", "Societe du Journal MIDI Libre S.A.R.L."),
        ("TE-AS", ""),
        ("-Reserved AS-", ""),
        ("AS43448", ""),
        ("ERX-NASDA-ASN - ERX-NASDA-ASN", ""),
        ("", ""),
        ("Ääkköset   Oy", "Ääkköset   Oy"),
    ],
)
def test_names_are_tidied(registered: str, tidied: str) -> None:
    assert tidy(registered) == tidied


# -- what a system is taken for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Acme Telecom Ltd", "isp"), ("Acme Telekomünikasyon A.S.", "isp"), ("ACME LAAJAKAISTA OY", "isp"),
        ("Réseaux Acme SAS", "isp"), ("Provedor Acme LTDA - ME", "isp"), ("FiberAcme LLC", "isp"),
        ("Dragonet Comunicaciones SL", "isp"), ("Acmenet s.r.o.", "isp"), ("Jane Doe trading as Acme", "isp"),
        ("Acme Hosting B.V.", "hosting"), ("Acme Data Center LLC", "hosting"), ("AcmeCloud GmbH", "hosting"),
        ("Acme Mobile AS", "mobile"), ("Celulares Acme S.A.", "mobile"), ("Acme VPN Inc", "vpn"),
        ("University of Acme", "education"), ("Acmen ammattikorkeakoulu", "education"),
        ("Acme Institute of Technology", "education"), ("Acme Middle School", "education"),
        ("Ministry of Communications of Acme", "government"), ("Ministerio de Telecomunicaciones", "government"),
        ("City of Acme", "government"), ("Acme kommune", "government"), ("Acme Water Authority", "government"),
        ("Bank Acme S.A.", "business"), ("Acme Networks Stock Exchange", "business"), ("Acme Oy", "business"),
        ("Acme S.p.A.", "business"), ("Acme A/S", "business"), ("Planet Acme Ltd", "business"),
        ("Hotel Acme GmbH", "business"), ("Jane Doe", None), ("ACME-AS", None), ("Acme", None),
    ],
)  # fmt: skip
def test_words_tell_the_kind(classifier: Classifier, name: str, kind: str | None) -> None:
    verdict = classifier.classify(Network(64999, name, 256))
    assert verdict.kind == kind, verdict.why
    assert bool(verdict.name) is (kind in {"business", "education", "government"})


def test_who_announces_much_and_is_not_known_is_an_isp(classifier: Classifier) -> None:
    assert classifier.classify(Network(64999, "Acme Oy", 1 << 16)).name == "Acme Oy"
    assert classifier.classify(Network(64999, "Acme Oy", (1 << 16) + 1)).kind == "isp"


def test_a_large_company_is_known_by_its_number_and_its_other_networks_by_its_name(classifier: Classifier) -> None:
    assert classifier.classify(Network(42175, "whatever", 131072)).name == "Equinor"
    small = classifier.classify(Network(8983, "Nokia Solutions and Networks Oy", 28672))
    assert (small.kind, small.name, small.domain, small.confidence) == ("business", "Nokia", "nokia.com", "medium")


def test_a_small_network_with_an_operators_name_is_the_operators(classifier: Classifier) -> None:
    assert classifier.classify(Network(64501, "SoftBank Corp", 256)).kind == "isp"
    assert classifier.classify(Network(64501, "Softbank Bakery Corp", 256)).kind == "business"


def test_confidence_says_what_a_name_was_taken_by(classifier: Classifier) -> None:
    assert classifier.classify(Network(64999, "Acme Steel Ltd", 256)).confidence == "medium"
    assert classifier.classify(Network(64999, "Acme Ltd", 256)).confidence == "low"


def test_every_large_company_has_a_name_and_a_domain() -> None:
    assert all(name and "." in domain and " " not in domain for name, domain in LARGE_COMPANIES.values())


# -- the site's own list ---------------------------------------------------------------------------------------------

CSV = """\
cidr,company,domain,crm_id,type,industry,employees
10.0.0.0/8,Head office,example.com,007,business,,
10.1.0.0/16,"Mylly, Oy",mylly.example,A-1,,paper,240
10.1.2.3,Gate,,,,,
2001:db8::/32,Example,,,education,,
198.51.100.0/24,Leased lines,isp.example,X,isp,,
"""


def own_list(tmp_path: Path, text: str, name: str = "companies.csv") -> OwnList:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return read_own_list(path)


def found_in(companies: OwnList, address: str) -> Any:
    return companies.find(packed(address) or b"")


def test_the_longest_prefix_of_the_own_list_wins(tmp_path: Path) -> None:
    companies = own_list(tmp_path, CSV)
    assert found_in(companies, "10.9.9.9")["name"] == "Head office"
    assert found_in(companies, "10.1.9.9") == {
        "type": "business", "confidence": "high", "source": "own list", "name": "Mylly, Oy", "domain": "mylly.example",
        "crm_id": "A-1", "industry": "paper", "employees": 240,
    }  # fmt: skip
    assert found_in(companies, "10.1.2.3")["name"] == "Gate"
    assert found_in(companies, "10.9.9.9")["crm_id"] == "007"
    assert found_in(companies, "2001:db8:1::1")["type"] == "education"
    assert found_in(companies, "11.0.0.1") is None
    assert found_in(companies, "::1") is None


def test_an_operator_in_the_own_list_has_no_name(tmp_path: Path) -> None:
    company = found_in(own_list(tmp_path, CSV), "198.51.100.7")
    assert company == {"type": "isp", "confidence": "high", "source": "own list", "crm_id": "X"}


@pytest.mark.parametrize(
    "text",
    [
        CSV.replace(",", ";").replace("Mylly;", "Mylly,"),
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("cidr,company", "CIDR, Company"),
        CSV + "\n,,,,,,\n",
    ],
)
def test_spreadsheets_write_csv_in_many_ways(tmp_path: Path, text: str) -> None:
    company = found_in(own_list(tmp_path, text), "10.1.9.9")
    assert (company["name"], company["employees"]) == ("Mylly, Oy", 240)


def test_yaml_holds_the_same(tmp_path: Path) -> None:
    text = """
- {cidr: 10.1.0.0/16, company: "Mylly, Oy", domain: mylly.example, crm_id: 007, industry: paper, employees: 240}
- cidr: 10.0.0.0/8
  company: Head office
"""
    companies = own_list(tmp_path, text, "companies.yaml")
    company = found_in(companies, "10.1.9.9")
    assert (company["name"], company["crm_id"], company["employees"]) == ("Mylly, Oy", "007", 240)
    assert found_in(companies, "10.2.0.1")["name"] == "Head office"


@pytest.mark.parametrize(
    ("text", "where", "sentence"),
    [
        ("", "1:1", "names the columns"),
        ("company,domain\nA,b\n", "1:1", '"cidr"'),
        ("cidr,company,company\n10.0.0.0/8,A,B\n", "1:14", "two columns"),
        ("cidr,name\n10.0.0.0/8,A\n", "1:6", '"company"'),
        ("cidr,company,__proto__\n10.0.0.0/8,A,B\n", "1:14", "cannot be used"),
        ("cidr,company,\n10.0.0.0/8,A,B\n", "1:14", "no name"),
        ("cidr,company\nten,A\n", "2:1", '"ten" is no network'),
        ("cidr,company\n10.1.2.3/8,A\n", "2:1", "write 10.0.0.0/8, or 10.1.2.3"),
        ("cidr,company\n0.0.0.0/0,A\n", "2:1", "whole internet"),
        ("cidr,company\n::ffff:10.0.0.0/104,A\n", "2:1", "write it as IPv4"),
        ("cidr,company\n10.0.0.0/8,A\n10.0.0.0/8,B\n", "3:1", "line 2 already"),
        ("cidr,company\n10.0.0.0/8\n", "2:1", "1 values under 2"),
        ("cidr,company\n10.0.0.0/8,A,B\n", "2:1", "in double quotes"),
        ('cidr,company\n10.0.0.0/8,"A\n', "2:1", "not closed"),
        ("cidr,company\n10.0.0.0/8,\n", "2:1", "no company"),
        ("company,cidr,type\nA,10.0.0.0/8,busines\n", "2:14", 'did you mean "business"'),
        ('company,cidr,type\n"A, B",10.0.0.0/8,bank\n', "2:19", '"bank" is no type'),
        ("cidr,company\n10.0.0.0/8," + "x" * 501 + "\n", "2:12", "longer than 500"),
    ],
)
def test_each_mistake_in_csv_has_its_place_and_its_sentence(
    tmp_path: Path, text: str, where: str, sentence: str
) -> None:
    with pytest.raises(OwnListInvalid) as caught:
        own_list(tmp_path, text)
    assert f"companies.csv:{where}: " in str(caught.value)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where", "sentence"),
    [
        ("", "1:1", "empty"),
        ("cidr: 10.0.0.0/8\n", "1:1", "a list is wanted"),
        ("- 10.0.0.0/8\n", "1:3", "a company is a map"),
        ("- company: A\n", "1:3", '"cidr"'),
        ("- {cidr: 10.0.0.0/8, company: [A]}\n", "1:31", "not a list or a map"),
        ("- {cidr: ten, company: A}\n", "1:10", "is no network"),
        ("- {cidr: 10.0.0.0/8, company: A, source: b}\n", "1:34", "another name"),
        ("- {cidr: 10.0.0.0/8, company: A\n", "1:3", "has no }"),
    ],
)
def test_each_mistake_in_yaml_has_its_place_and_its_sentence(
    tmp_path: Path, text: str, where: str, sentence: str
) -> None:
    with pytest.raises(OwnListInvalid) as caught:
        own_list(tmp_path, text, "companies.yaml")
    assert f"companies.yaml:{where}: " in str(caught.value)
    assert sentence in str(caught.value)


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as caught:
        own_list(tmp_path, "cidr,company,type\nx,A,\n10.0.0.0/8,,\n11.0.0.0/8,A,y\n12.0.0.0/8,B,\n")
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["2", "3", "4"]


def test_a_list_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(OwnListInvalid, match="cannot be read"):
        read_own_list(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"cidr,company\n10.0.0.0/8,\xc4\n")
    with pytest.raises(OwnListInvalid, match=r"latin.csv:2:1: this is not UTF-8"):
        read_own_list(tmp_path / "latin.csv")


# -- the layers, and the hit's path ----------------------------------------------------------------------------------


def lookups(tmp_path: Path, own: OwnList | None = None) -> Lookups:
    networks = Networks(make_data(tmp_path), lambda _: None)
    networks.refresh()
    return Lookups(networks, own)


def test_the_own_list_goes_before_the_autonomous_systems(tmp_path: Path) -> None:
    found = lookups(tmp_path, own_list(tmp_path, "cidr,company\n143.97.8.0/24,Equinor research\n"))
    assert found.of("143.97.8.1").company["name"] == "Equinor research"
    assert found.of("143.97.9.1").company == {
        "source": "asn", "asn": 42175, "type": "business", "confidence": "medium", "name": "Equinor",
        "domain": "equinor.com",
    }  # fmt: skip


@pytest.mark.parametrize("address", ["126.0.0.1", "81.224.0.1", "91.0.0.1", "1.0.0.1", "217.14.0.1"])
def test_an_operator_has_a_type_but_no_name(tmp_path: Path, address: str) -> None:
    company = lookups(tmp_path).of(address).company
    assert company["type"] in {"isp", "hosting", "mobile", "vpn"}
    assert not {"name", "domain"} & company.keys()


def test_a_system_with_a_handle_only_is_of_no_known_type(tmp_path: Path) -> None:
    assert lookups(tmp_path).of("217.13.0.1").company == {"source": "asn", "asn": 64500}


def test_the_company_reaches_the_facts(tmp_path: Path) -> None:
    asked = hit(site=site(lookups=lookups(tmp_path)), address="185.4.100.9")
    assert enriched(asked, {}, {}).company["name"] == "Vestas Wind Systems A/S"
    assert enriched(hit(address="185.4.100.9"), {}, {}).company == {}


def test_a_remembered_address_is_not_looked_up_again(tmp_path: Path) -> None:
    found = lookups(tmp_path)
    assert found.of("143.97.0.1") is found.of("143.97.0.1")
    assert found.of("143.97.0.1").company is found.of("143.97.0.2").company
