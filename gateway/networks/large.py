"""Large companies that announce more than 2^16 IPv4 addresses of their own, by the number of their autonomous system.

All systems of that size in the list of June 2026 were read through, and those taken whose holder (1) is a large
company known far beyond its own trade, listed on a stock exchange or of that size, and (2) lives by something else than
carrying or hosting other people's traffic. So telecoms, clouds, content networks, data centres, IT outsourcers,
platforms that rent out machines (Amazon, Google, Microsoft, Oracle, IBM, SAP, Fujitsu) and public bodies are not here.
A number is the key, since names are written in many ways; it seldom changes hands.
"""

from __future__ import annotations

_TABLE = """
714 apple.com Apple
521 ford.com Ford Motor Company
31399 mercedes-benz.com Mercedes-Benz Group
6253 prudential.com Prudential Financial
4249 lilly.com Eli Lilly and Company
10794 bankofamerica.com Bank of America
11003 pg.com Procter & Gamble
7054 merck.com Merck & Co.
209502 edf.fr EDF
10695 walmart.com Walmart
32851 walmart.com Walmart
8729 credit-suisse.com Credit Suisse
72 slb.com SLB (Schlumberger)
109 cisco.com Cisco
18676 avaya.com Avaya
30383 gm.com General Motors
1958 ncr.com NCR
14962 ncr.com NCR
7792 3m.com 3M
158 ericsson.com Ericsson
116 ericsson.com Ericsson
8147 ericsson.com Ericsson
1906 northropgrumman.com Northrop Grumman
243 l3harris.com L3Harris
10361 bloomberg.com Bloomberg
10455 nokia.com Nokia
200656 nokia.com Nokia
19773 motorola.com Motorola
8883 ubs.com UBS
395266 keysight.com Keysight Technologies
12291 deutschepost.de Deutsche Post
2571 dhl.com DHL
613 bp.com BP
2535 bp.com BP
2047 roche.com Roche
7127 sce.com Southern California Edison
8803 migros.ch Migros
6289 honda.com American Honda Motor Company
6195 goldmansachs.com Goldman Sachs
4243 wellsfargo.com Wells Fargo
4196 wellsfargo.com Wells Fargo
10837 wellsfargo.com Wells Fargo
20868 abb.com ABB
1341 collinsaerospace.com Collins Aerospace
26577 baesystems.com BAE Systems
22460 pepsico.com PepsiCo
9159 credit-agricole.com Crédit Agricole
197425 saab.com Saab
26662 xerox.com Xerox
395959 xerox.com Xerox
22390 xerox.com Xerox
38816 shell.com Shell
11355 shell.com Shell
4309 fidelity.com Fidelity Investments
10846 deere.com Deere & Company
10405 up.com Union Pacific
5049 morganstanley.com Morgan Stanley
3738 statestreet.com State Street
216134 zf.com ZF Friedrichshafen
10879 uhc.com UnitedHealthcare
2013 pge.com PG&E
7687 toyota.com Toyota
16988 internationalpaper.com International Paper
9619 sony.com Sony
25252 volvogroup.com Volvo
13541 siemens.com Siemens
6445 siemens.com Siemens
22216 siemens.com Siemens
18819 entergy.com Entergy
7246 bms.com Bristol Myers Squibb
11719 eaton.com Eaton
36291 sanofi.com Sanofi
6569 nationwide.com Nationwide
16780 santander.com Santander
2134 santander.com Santander
19428 phillips66.com Phillips 66
10798 standardbank.co.za Standard Bank
26246 cnh.com CNH Industrial
13043 bayer.com Bayer
49362 dsv.com DSV
60142 nxp.com NXP Semiconductors
10967 homedepot.com The Home Depot
14381 caterpillar.com Caterpillar
5647 kodak.com Eastman Kodak
393946 renesas.com Renesas Electronics
10599 mckesson.com McKesson
14398 autodesk.com Autodesk
15224 adobe.com Adobe
10235 nab.com.au National Australia Bank
21693 xcelenergy.com Xcel Energy
1234 fortum.com Fortum
21965 highmark.com Highmark
196 boeing.com Boeing
6303 barclays.com Barclays
3614 dell.com Dell
5696 express-scripts.com Express Scripts
3571 ey.com EY
13695 aep.com American Electric Power
42175 equinor.com Equinor
14017 bnsf.com BNSF Railway
135348 qantas.com Qantas
13636 nec.com NEC
20478 generalmills.com General Mills
33442 zebra.com Zebra Technologies
20311 valero.com Valero
207441 hydro.com Norsk Hydro
8217 eni.com Eni
10273 fpl.com Florida Power & Light
8698 nationwide.co.uk Nationwide Building Society
2024 eversource.com Eversource Energy
20062 wm.com WM (Waste Management)
15914 britishairways.com British Airways
22527 safeway.com Safeway
210860 edeka.de EDEKA
20426 pwc.com PwC
11596 bestbuy.com Best Buy
203885 sncf.com SNCF
397353 teledyne.com Teledyne Technologies
9183 bosch.com Bosch
19416 rbc.com Royal Bank of Canada
16800 nedbank.co.za Nedbank
10995 pnc.com PNC Bank
21453 flex.com Flex
20617 bnpparibas.com BNP Paribas
25215 bnpparibas.com BNP Paribas
32251 bnpparibas.com BNP Paribas
6501 southerncompany.com Southern Company
17052 target.com Target
206618 volkswagen.com Volkswagen
12551 enel.com Enel
17534 nsk.com NSK
21595 baxter.com Baxter
16662 astrazeneca.com AstraZeneca
7227 kpmg.com KPMG
11757 whirlpoolcorp.com Whirlpool
16758 ricoh.com Ricoh
49758 lloydsbankinggroup.com Lloyds Banking Group
15625 ing.com ING
22260 bny.com BNY
12007 rtx.com Raytheon
16928 rtx.com RTX
1856 rtx.com Raytheon BBN
16084 eon.com E.ON
33848 porsche.com Porsche
20765 henkel.com Henkel
17336 gd.com General Dynamics
8640 zurich.com Zurich Insurance
23154 sanmina.com Sanmina
202116 scania.com Scania
12217 ups.com UPS
47045 societegenerale.com Société Générale
29601 upm.com UPM
5080 aramco.com Aramco
12422 evonik.com Evonik
21763 rossstores.com Ross Stores
3573 accenture.com Accenture
21433 accenture.com Accenture
36590 emerson.com Emerson
26848 principal.com Principal Financial Group
27021 questdiagnostics.com Quest Diagnostics
15916 abnamro.nl ABN AMRO
21171 schibsted.com Schibsted
11086 pitneybowes.com Pitney Bowes
37028 firstrand.co.za FirstRand
8528 renault.com Renault
48135 leonardo.com Leonardo
24775 qinetiq.com QinetiQ
44320 sebgroup.com SEB
25716 tranetechnologies.com Trane Technologies
206720 airbus.com Airbus
36712 united.com United Airlines
13167 merckgroup.com Merck KGaA
25413 asml.com ASML
327839 woolworths.co.za Woolworths
14109 sigmaaldrich.com Sigma-Aldrich
16801 energytransfer.com Energy Transfer
11993 bb.com.br Banco do Brasil
3147 usbank.com U.S. Bancorp
6319 marriott.com Marriott
7862 chevron.com Chevron
10441 jacobs.com Jacobs
26072 firstenergycorp.com FirstEnergy
11529 nationalgrid.com National Grid
16638 corning.com Corning
45008 americanexpress.com American Express
7743 jpmorganchase.com JPMorgan Chase
3486 jpmorganchase.com JPMorgan Chase
12229 sas.com SAS Institute
57976 blizzard.com Blizzard Entertainment
16669 appliedmaterials.com Applied Materials
13684 medtronic.com Medtronic
13798 loreal.com L'Oréal
19738 assurant.com Assurant
34127 munich-airport.com Munich Airport
46453 abbott.com Abbott
5420 kemira.com Kemira
15495 basf.com BASF
209781 basf.com BASF
206274 hdi.de HDI
209822 bkw.ch BKW
59807 swedbank.com Swedbank
14014 cn.ca Canadian National Railway
16868 linde.com Praxair
11520 allstate.com Allstate
30013 pixar.com Pixar
206228 andritz.com Andritz
26817 microchip.com Microchip Technology
30356 bcbsm.com Blue Cross Blue Shield of Michigan
205664 vattenfall.com Vattenfall
21789 lowes.com Lowe's
3911 micron.com Micron
395624 ga.com General Atomics
32564 intactfc.com Intact Financial
16161 intesasanpaolo.com Intesa Sanpaolo
46528 simplot.com J.R. Simplot Company
26940 levistrauss.com Levi Strauss
1751 lexmark.com Lexmark
53987 enbridge.com Enbridge
13530 dana.com Dana
22089 hallmark.com Hallmark
22809 amfam.com American Family Insurance
32255 pplweb.com PPL
18880 lamresearch.com Lam Research
30070 thehersheycompany.com The Hershey Company
60436 kbc.com KBC
"""
_ROWS = [line.split(maxsplit=2) for line in _TABLE.strip().splitlines()]

LARGE_COMPANIES: dict[int, tuple[str, str]] = {int(number): (name, domain) for number, domain, name in _ROWS}
"""Name and domain by the number of the autonomous system."""
