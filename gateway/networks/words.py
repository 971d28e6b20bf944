"""The words by which the registered name of an autonomous system tells what it is, in the languages that the data has.

Whole words in lower case without accents; PARTS are looked for inside longer words as well, because operators like to
join theirs ("fiberlink", "netmontes"). Nothing here is the name of a company or of an operator.
"""

from __future__ import annotations

from gateway.networks.kinds import Kind


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


INSTITUTIONS: dict[Kind, frozenset[str]] = {
    "education": _words("""
        university universities universidad universidade universidades universitas universitat universitaet universite
        universita universiteit universitesi universitet universitetet universitatea univerzita univerzitet uniwersytet
        egyetem yliopisto universitat politecnico politecnica politechnika polytechnic polytechnique politeknik
        ammattikorkeakoulu hochschule fachhochschule hogskola hogeschool hogskolan hoegskolan ulikool ucilisnica
        akademia academic college colleges schools"""),
    "government": _words("""
        ministry ministries ministerio ministere ministero ministerium ministerstvo ministerstwo ministarstvo ministeri
        kementerian kementrian bakanligi bundesministerium municipality municipalidad municipio municipal prefeitura
        prefecture ayuntamiento gemeente gemeinde kommune kommun kommunen kommuns kaupunki comune parliament parlament
        parliamentary parlamento senate senado assembly assembleia tribunal tribunales judiciary court courts embassy
        customs usaisc police policia politie army navy dod defence defense gendarmerie pemerintah pemprov kabupaten
        provinsi dinas diskominfo kominfo landratsamt bundesamt valtori"""),
}
"""An institution says so itself; these words go before an operator's ("Ministry of Communications")."""

OPERATORS: dict[Kind, frozenset[str]] = {
    "vpn": _words("vpn vpns proxy proxies anonymizer tor"),
    "mobile": _words("""
        mobile mobil mobiles mobility movil moviles movel cellular celular celulares gsm umts lte 5g 4g pcs
        mobiltelefon matkapuhelin selular seluler"""),
    "hosting": _words("""
        hosting hoster host hosts hosted webhosting cloud clouds datacenter datacenters datacentre datacentres
        datacentrum datacentro rechenzentrum colocation colo server servers vps vds dedicated cdn serverhosting
        servidores iaas paas ddos rdp hospedagem alojamiento hebergement barindirma sunucu domains registrar rackspace
        proxmox vhost dc idc edge bulletproof"""),
    "isp": _words("""
        telecom telecoms telecomm telecommunication telecommunications telekom telekomunikasi telekomunikasyon
        telekommunikation telecomunicacion telecomunicaciones telecomunicacao telecomunicacoes telecomunicazioni
        telecomunicatii telekomunikacije telekomunikacja telekomunikacyjne telekomunikacni telekomunikacie tele telco
        telcom telkom telcos telephone telephonie telefon telefonos telefonica telefonia telefoni telefonija telefony
        telepuhelin puhelin puhelinosuuskunta teleyhtio broadband bredband breedband breitband laajakaista banda
        larga ancha internet inet isp isps provedor provedores provedora proveedor proveedores provider providers
        provaider fiber fibre fibra fibras fibernet fiberoptic optica optics ftth cable cablevision cabletv kabel
        kabeltv kabelnet kaapeli catv cabo wireless wifi wi fi wimax wisp wlan adsl vdsl dsl dialup satellite satelite
        satellit satcom vsat teleport carrier carriers backbone transit peering ix ixp ixs exchange interconnect
        interconnection interconnexion ip ipv4 ipv6 voip voice communication communications comunicacion
        comunicaciones comunicacao comunicacoes comunicazioni komunikasi komunikacije komunikacja
        comunicatii kommunikation communicatie iletisim viestinta svyaz ertebatat sviaz network networks networking
        netz netze netzwerk netzwerke netwerk natverk nat rede redes reti reseau reseaux rezo seti siec sieci sit
        verkko verkot mreza jaringan net nett netcom netcomm nets netlink netwave online onlayn
        connect connection connections connectivity conexao conexion conecta conect link links linha linea
        multimedia multimidia tv televisao television televizija televize telewizja vision acesso access akses
        accesso aczess skynet speednet wave airnet rural lan wan nic registry rir apnic ripe arin lacnic afrinic
        lirs lir autonomous anycast dns hotspot eireli mei epp fop iot m2m
        metronet metro gigabit giga mbit gbps mbps wisper streaming iptv teleservices cableco me ltdame"""),
}
"""An operator's words; one of them is enough, and the type that stands first wins."""

PHRASES: dict[str, Kind] = {
    " institute of technology ": "education",
    " board of education ": "education",
    " city of ": "government",
    " state of ": "government",
    " county of ": "government",
    " department of ": "government",
    " armed forces ": "government",
    " national laboratory ": "government",
    " stock exchange ": "business",
    " data center": "hosting",
    " data centre": "hosting",
    " trading as ": "isp",
    " t a ": "isp",
    " long distance ": "isp",
}
"""Words that mean something only together; they go before all single words."""

PARTS: dict[Kind, tuple[str, ...]] = {
    "hosting": ("hosting", "datacent", "servers", "hoster", "cloud", "vserver"),
    "isp": ("telecom", "telekom", "telefon", "teleko", "telco", "kabel", "internet", "broadband", "wireless", "fiber",
            "fibra", "wifi", "comunica", "communica", "kommunika", "svyaz", "provedor", "network", "connect", "konek",
            "conect", "infocom", "breitband", "swiatlowod", "highspeed"),
    "mobile": ("mobil",),
}  # fmt: skip
"""Parts that betray an operator inside a longer word."""

BEGINNINGS: dict[Kind, tuple[str, ...]] = {"hosting": ("host",), "isp": ("tele", "net")}
ENDINGS: dict[Kind, tuple[str, ...]] = {
    "hosting": ("host", "hosts"),
    "isp": ("net", "nett", "tel", "link", "isp", "tlc"),
}
"""Beginnings and endings that do so ("hostovita", "telemach", "dragonet", "airlink")."""

NOT_OPERATORS = _words("""
    planet cabinet kabinet magnet fortinet sonnet bonnet garnet hornet bayonet janet hotel hostel hostels cartel mattel
    nortel chattel intel teledyne teleflex telemedicine teleperformance telerik telematik netherlands nederland netflix
    netapp netsuite netto nettbuss hostess blink plink television""")
"""Words with such an ending or beginning that mean something else; every other such word counts as an operator's."""

TRADES = _words("""
    bank banks banka banca banco banque banking bankasi savings sparkasse pankki insurance assurance assurances
    versicherung versicherungen vakuutus seguros seguro sigorta finance financial finans finanz finanzas capital
    securities invest investment investments asset fund funds credit union brokerage leasing pension payments trust
    equity hospital hospitals clinic clinics klinik health healthcare medical medicine medicines pharma
    pharmaceutical pharmaceuticals farma biotech dental care cancer nursing laboratory laboratories laboratoires
    energy energia energie energi power electric electricity electrica oil gas petroleum petrol nuclear solar wind
    mining mines minerals steel stahl metals metal aluminium cement chemical chemicals chemie plastics paper glass
    rubber automotive auto automobile automobil motor motors motoren truck trucks vehicles aerospace aviation
    airline airlines airways airport airports aircraft flughafen railway railways rail bahn shipping maritime marine
    logistics logistik transport transportation trucking freight cargo spedition manufacturing manufacturers
    industries industrial industria industrie werke machinery maschinen maschinenbau engineering engineers
    construction constructions building builders realty estate immobilien properties architects foods food beverage
    beverages brewery brewing dairy bakery restaurants coffee agro agri agriculture farms retail stores supermarkets
    supermarket fashion clothing furniture sports sporting toys cosmetics jewelry hotel hotels resort resorts casino
    casinos travel tours tourism cruise cruises publishing publishers newspaper newspapers verlag verlags press film
    studios theatre museum law legal attorneys avocats advokat advokatfirma rechtsanwalte notaries accounting
    accountants audit auditors consulting consultants advisory advisors staffing recruitment semiconductor
    semiconductors electronics elektronik optical instruments controls automation robotics laboratorios research
    forschung institute instituto institut church diocese foundation stiftung water waste environmental textile
    textiles apparel packaging printing""")
"""Words of another trade than networks: they make a company likelier, never an operator a company."""

WEAK_INSTITUTIONS: dict[Kind, frozenset[str]] = {
    "education": _words(
        "school academy akademi academia campus student students education educational educacion "
        "educacao gymnasium lycee ecole escuela escola skola skole schule koulu kolej"
    ),
    "government": _words("""
        government gobierno governo gouvernement regering hukumat govt federal state county city town village province
        provincia provincial region regional regione republic republique republica council commission
        commissioner authority department departamento departement agency agencia bureau administration secretaria
        secretariat parish borough district kanton canton landkreis stadt bezirk municipal board"""),
}
"""Words of institutions that others use as well; they speak only when no operator's word does."""

LEGAL_FORMS = _words("""
    ltd limited llc inc incorporated corp corporation company co plc lp llp pllc gmbh ag kg kgaa mbh se ug ev ohg oy oyj
    ab aktiebolag hb as asa aps is bv nv vof cv sa sas sarl sasu snc spa srl srls sl slu sau sac ltda lda ooo oao zao
    pao pjsc ojsc jsc cjsc ao uab sia oue ou ad ead eood ood doo dd dooel kft zrt nyrt bt spol sro zoo sp spolka akcyjna
    pty pte pt tbk sdn bhd pvt private kk gk kabushiki kaisha hf ehf anonim sirketi sti tic group holding holdings
    gesellschaft aktiengesellschaft sociedad societe societa cooperative cooperativa coop eg llp pc psc wll fze fzco
    fzc saog qsc bsc pjs opc ges bvba sprl cvba nl sca scrl stichting fundacion fundacao eireli""")
"""What a registered company's name ends with, without points and slashes; a person's or a hobby network's has none."""
