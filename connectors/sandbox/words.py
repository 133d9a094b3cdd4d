"""The words the invented company world is made of: stems, trades, legal forms, places, telephone ranges.

Places and postcodes are real so that addresses look right; every stem and street is invented, and telephone
numbers lie in ranges that the regulators keep for fiction, or that the numbering plan never assigns.
Not here: how words become firms (`connectors.sandbox.firm`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A town: postcode, name and, where addresses carry one, the region's code."""

    postcode: str
    city: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class Country:
    """What differs from country to country in a firm's name and address."""

    code: str
    spelled: tuple[str, ...]
    """How people write the country when nobody makes them use a code."""
    language: str
    currency: str
    dial: str
    ranges: tuple[tuple[str, int], ...]
    """Area and exchange of fictional numbers, and how many digits are free after them."""
    heads: tuple[str, ...]
    tails: tuple[str, ...]
    trades: tuple[str, ...]
    forms: tuple[str, ...]
    pattern: str
    """How stem, trade and legal form stand in a name."""
    streets: tuple[str, ...]
    places: tuple[Place, ...]


_GERMAN_TRADES = (
    "Molkerei", "Brauhaus", "Kühlhaus", "Fleischwaren", "Backwaren", "Klinik", "Seniorenheim", "Hotelbetriebe",
    "Logistik", "Druckerei", "Gießerei", "Labortechnik", "Obsthandel", "Tiefkühlkost", "Pharma", "Getränke",
    "Wohnbau", "Rechenzentrum", "Textilpflege", "Maschinenbau",
)  # fmt: skip
_GERMAN_STREETS = (
    "Zum Kesselhaus", "Am Alten Pegel", "Frostgasse", "Ventilstraße", "Pumpenweg", "An der Drossel", "Lamellenring",
    "Kolbenstraße", "Am Verdichter", "Thermometerweg", "Schieberallee", "Isolierstraße",
)  # fmt: skip

GERMANY = Country(
    code="DE",
    spelled=("Deutschland", "Germany"),
    language="DE",
    currency="EUR",
    dial="49",
    ranges=(("30 23125", 3), ("69 90009", 3), ("40 66969", 3), ("221 4710", 3), ("89 99998", 3)),
    heads=(
        "Brunk", "Müld", "Tass", "Quend", "Grön", "Wirl", "Hoss", "Knarr", "Fläm", "Zwier", "Drüs", "Schlunz",
        "Plunk", "Raff", "Öhm", "Wünd", "Krass", "Lupp", "Stör", "Gnad", "Pfräm", "Jüll", "Norr", "Treff",
    ),
    tails=(
        "vell", "rach", "kau", "storp", "wick", "dornau", "mersel", "lingk", "bachtel", "huvel", "zarn", "möllen",
        "ingrath", "esloh", "urdel", "askamp", "itzow", "engrund",
    ),
    trades=_GERMAN_TRADES,
    forms=("GmbH", "GmbH", "GmbH", "GmbH & Co. KG", "AG", "e.K."),
    pattern="{stem} {trade} {form}",
    streets=_GERMAN_STREETS,
    places=(
        Place("10115", "Berlin"), Place("20095", "Hamburg"), Place("80331", "München"), Place("50667", "Köln"),
        Place("60311", "Frankfurt am Main"), Place("70173", "Stuttgart"), Place("40213", "Düsseldorf"),
        Place("04109", "Leipzig"), Place("01067", "Dresden"), Place("28195", "Bremen"), Place("30159", "Hannover"),
        Place("90403", "Nürnberg"), Place("24103", "Kiel"), Place("99084", "Erfurt"), Place("55116", "Mainz"),
        Place("48143", "Münster"), Place("89073", "Ulm"), Place("93047", "Regensburg"), Place("37073", "Göttingen"),
    ),
)  # fmt: skip

AUSTRIA = Country(
    code="AT",
    spelled=("Österreich", "Austria"),
    language="DE",
    currency="EUR",
    dial="43",
    ranges=(("662 000", 3), ("512 000", 3), ("732 000", 3), ("316 000", 4)),
    heads=("Watz", "Gschlö", "Hupf", "Zirb", "Klüm", "Stranz", "Pfitz", "Mörd", "Luck", "Trax"),
    tails=("elau", "ingerl", "ötsch", "egger", "ilach", "umer", "atsberg"),
    trades=_GERMAN_TRADES,
    forms=("GmbH", "GmbH", "AG", "KG"),
    pattern="{stem} {trade} {form}",
    streets=_GERMAN_STREETS,
    places=(
        Place("1010", "Wien"), Place("8010", "Graz"), Place("4020", "Linz"), Place("5020", "Salzburg"),
        Place("6020", "Innsbruck"), Place("9020", "Klagenfurt"),
    ),
)  # fmt: skip

SWITZERLAND = Country(
    code="CH",
    spelled=("Schweiz", "Switzerland"),
    language="DE",
    currency="CHF",
    dial="41",
    ranges=(("44 000", 4), ("31 000", 4), ("61 000", 4)),
    heads=("Hürl", "Zgragg", "Bünz", "Ruch", "Tschopf", "Gömm", "Wäd", "Nüss", "Flump"),
    tails=("imann", "igen", "iswil", "ekon", "ibach", "etli"),
    trades=_GERMAN_TRADES,
    forms=("AG", "AG", "GmbH"),
    pattern="{stem} {trade} {form}",
    streets=_GERMAN_STREETS,
    places=(
        Place("8001", "Zürich"), Place("3011", "Bern"), Place("4051", "Basel"), Place("6003", "Luzern"),
        Place("9000", "St. Gallen"),
    ),
)  # fmt: skip

NETHERLANDS = Country(
    code="NL",
    spelled=("Nederland", "Netherlands"),
    language="NL",
    currency="EUR",
    dial="31",
    ranges=(("20 000", 4), ("10 000", 4), ("30 000", 4)),
    heads=("Kwaak", "Snuif", "Grutt", "Bloem", "Vloer", "Trijn", "Schraap", "Wiek"),
    tails=("zema", "huizer", "stelling", "mansloot", "veldinga", "dorper"),
    trades=("Zuivel", "Koelhuis", "Bakkerij", "Logistiek", "Drukkerij", "Tuinbouw", "Zorggroep", "Visserij"),
    forms=("B.V.", "B.V.", "N.V."),
    pattern="{stem} {trade} {form}",
    streets=("Koelpad", "Ketelkade", "Leidingweg", "Pompstraat", "Thermostraat", "Ventieldreef"),
    places=(
        Place("1012 AB", "Amsterdam"), Place("3011 AA", "Rotterdam"), Place("3511 AB", "Utrecht"),
        Place("5611 AB", "Eindhoven"), Place("9711 AB", "Groningen"),
    ),
)  # fmt: skip

FRANCE = Country(
    code="FR",
    spelled=("France", "FRANCE"),
    language="FR",
    currency="EUR",
    dial="33",
    ranges=(("1 9900", 4), ("2 6191", 4), ("3 5301", 4), ("4 6571", 4), ("5 3649", 4)),
    heads=("Brév", "Calm", "Tournef", "Grél", "Vauq", "Pimp", "Chouf", "Merl"),
    tails=("ouillet", "otte", "essac", "igneul", "andrieu", "orvaux"),
    trades=("Laiterie", "Boulangerie", "Imprimerie", "Clinique", "Entrepôts", "Brasserie", "Conserverie", "Hôtellerie"),
    forms=("SARL", "SAS", "SA"),
    pattern="{trade} {stem} {form}",
    streets=("Rue du Givre", "Allée du Condenseur", "Impasse de la Vanne", "Quai des Turbines", "Chemin du Radiateur"),
    places=(
        Place("75001", "Paris"), Place("69001", "Lyon"), Place("67000", "Strasbourg"), Place("59800", "Lille"),
        Place("31000", "Toulouse"), Place("13001", "Marseille"),
    ),
)  # fmt: skip

BRITAIN = Country(
    code="GB",
    spelled=("United Kingdom", "Great Britain"),
    language="EN",
    currency="GBP",
    dial="44",
    ranges=(("20 79460", 3), ("161 4960", 3), ("113 4960", 3), ("121 4960", 3), ("141 4960", 3)),
    heads=("Thrumb", "Wexl", "Crook", "Pudd", "Harn", "Swizz", "Glent", "Ockl"),
    tails=("lecombe", "erthwaite", "ingleigh", "lewick", "estead", "orby"),
    trades=("Dairies", "Cold Storage", "Bakeries", "Hospital", "Printers", "Breweries", "Foods", "Hotels"),
    forms=("Ltd", "Ltd", "plc"),
    pattern="{stem} {trade} {form}",
    streets=("Boiler Lane", "Condenser Row", "Valve Street", "Pumphouse Road", "Gasket Hill"),
    places=(
        Place("EC1A 1BB", "London"), Place("M1 1AE", "Manchester"), Place("LS1 4DY", "Leeds"),
        Place("B1 1BB", "Birmingham"), Place("G1 1XQ", "Glasgow"),
    ),
)  # fmt: skip

STATES = Country(
    code="US",
    spelled=("United States", "USA"),
    language="EN",
    currency="USD",
    dial="1",
    ranges=(("212 55501", 2), ("312 55501", 2), ("512 55501", 2), ("206 55501", 2), ("617 55501", 2)),
    heads=("Plonk", "Dazz", "Quib", "Hubb", "Snark", "Fizz", "Wamp", "Zill"),
    tails=("ington", "erfield", "leman", "ovale", "etucket", "amore"),
    trades=("Dairy", "Cold Chain", "Bakery", "Medical Center", "Printing", "Brewing", "Foods", "Hotels"),
    forms=("Inc.", "Inc.", "LLC"),
    pattern="{stem} {trade} {form}",
    streets=("Compressor Drive", "Freon Avenue", "Manifold Street", "Thermostat Boulevard", "Gasket Way"),
    places=(
        Place("10001", "New York", "NY"), Place("60601", "Chicago", "IL"), Place("78701", "Austin", "TX"),
        Place("98101", "Seattle", "WA"), Place("02108", "Boston", "MA"),
    ),
)  # fmt: skip

COUNTRIES: tuple[tuple[Country, int], ...] = (
    (GERMANY, 62),
    (AUSTRIA, 10),
    (SWITZERLAND, 8),
    (NETHERLANDS, 6),
    (FRANCE, 6),
    (BRITAIN, 5),
    (STATES, 3),
)
"""Each country and its share of the firms, in percent."""

OTHER_FORMS: dict[str, tuple[str, ...]] = {
    "GmbH": ("G.m.b.H.", "Gmbh", "GMBH"),
    "GmbH & Co. KG": ("GmbH & Co.KG", "GmbH & Co KG"),
    "AG": ("A.G.",),
    "B.V.": ("BV",),
    "N.V.": ("NV",),
    "SARL": ("S.A.R.L.",),
    "SAS": ("S.A.S.",),
    "Ltd": ("Ltd.", "Limited"),
    "Inc.": ("Inc",),
    "LLC": ("L.L.C.",),
}
"""Legal forms as somebody else writes them."""

NOTES = (
    "Hund auf dem Hof, vorher anrufen.",
    "Anlieferung nur über Tor 3.",
    "Key with the porter; sign the visitors' book.",
    "Kältemittelraum: Gaswarner mitführen.",
    "Lift out of order until further notice.",
    "Zugang nur mit Sicherheitseinweisung (jährlich).",
    "Sleutel bij de receptie.",
    "Badge à demander au poste de garde.",
)
"""What technicians should know before they ring the bell."""
