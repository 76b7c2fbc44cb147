"""The tables of countries and of demonyms: data/gazetteer/countries.tsv and demonyms.tsv.

Called by scripts/gazetteer.py, which says where the facts come from. Standard library only.
"""
import csv
import gzip
import io
import json
import pathlib

# No country any more, or nothing that copy could mean by its name.
GONE = {"CS", "AN"}
# Forms of the list that are nationalities of another country, or no word of English copy.
WRONG = {("BQ", "Dutch"), ("TF", "French"), ("SJ", "Norwegian"), ("MP", "American"), ("IO", "Indian"), ("DJ", "Djibouti"),
         ("GI", "Gibraltar"), ("VA", "Vatican"), ("UM", "American Islander"), ("AQ", "Antarctican"), ("CG", "Congolese"),
         ("DM", "Dominican"), ("KN", "Kittitian or Nevisian"), ("IS", "Icelander"), ("GG", "Channel Islander")}

# Capitals that moved or were renamed since the facts were written down.
CAPITALS = {"KZ": "Astana", "BI": "Gitega", "KI": "Tarawa", "IL": "Jerusalem"}

COUNTRIES_HEAD = """\
# Countries and territories with an ISO 3166 code: alpha-2, alpha-3, name in English copy, capital, GeoNames id,
# Wikidata id, latitude, longitude, population, neighbours (alpha-2), other names. Made by `make gazetteer`.
# Origin: GeoNames countryInfo (geonames.org), CC BY 4.0; Wikidata ids from datasets/country-codes (public domain,
# PDDL); other names from country-names.tsv; positions from country-positions.tsv and the GeoNames towns.
# Licence: CC BY 4.0, attribution: GeoNames.
"""
DEMONYMS_HEAD = """\
# English demonyms: the word, ISO 3166 alpha-2 code of the country. Made by `make gazetteer`; sorted.
# Origin: world-countries database by Mohammed Le Doze (github.com/mledoze/countries), plurals made by rule, more
# forms from demonyms-more.tsv. Licence: Open Database License (ODbL) 1.0, this file as a whole: whoever changes it and
# passes it on passes it on under the ODbL. It is a file of its own for that reason.
"""


def table(path):
    """Rows of a file of ours: no comments, fields parted by tabs."""
    lines = pathlib.Path(path).read_text("utf8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def facts(path):
    """Rows of a table with a header row."""
    with gzip.open(path, "rt", encoding="utf8", newline="") as file:
        return list(csv.DictReader(io.StringIO(file.read()), delimiter="\t", quoting=csv.QUOTE_NONE))


def countries(folder, out, middle):
    """Writes countries.tsv. `middle`: alpha-2 code -> mean position of the towns."""
    wikidata = {row["ISO3166-1-Alpha-2"]: row["wikidata_id"].rsplit("/", 1)[-1] for row in facts(folder / "country-codes.tsv.gz")}
    named = {row[0]: row[1:] for row in table(out / "country-names.tsv")}
    placed = {row[0]: (float(row[1]), float(row[2])) for row in table(out / "country-positions.tsv")}
    lines = []
    for row in facts(folder / "countryInfo.tsv.gz"):
        code = row["iso"]
        if code in GONE:
            continue
        others = list(named.get(code, []))
        name = row["country"].strip()
        if others and others[0].startswith("="):
            name = others.pop(0)[1:]
        for prefix in ("Saint ",):
            if name.startswith(prefix):
                others += ["St. " + name[len(prefix):], "St " + name[len(prefix):]]
        others = sorted(set(others) - {name})
        latitude, longitude = placed.get(code) or middle.get(code) or (None, None)
        position = ["" if value is None else f"{value:.4f}".rstrip("0").rstrip(".") for value in (latitude, longitude)]
        item = wikidata.get(code, "")
        lines.append("\t".join([code, row["iso3"], name, CAPITALS.get(code, row["capital"].strip()), row["geonameid"], item if item.startswith("Q") else "",
                                *position, row["population"], row["neighbours"], "|".join(others)]))
    (out / "countries.tsv").write_text(COUNTRIES_HEAD + "".join(line + "\n" for line in sorted(lines)), "utf8")


def plural(word):
    """The plural of a demonym: "Iraqis", "Czechs", but "Japanese", "Swiss"."""
    if word.endswith(("ese", "ss", "ish", "ch", "sh", "z", "ois", "ais")) and word != "Czech":
        return word
    return word + "s"


def demonyms(folder, out):
    """Writes demonyms.tsv."""
    found = {}

    def add(word, code):
        # The first that claims a word keeps it, larger places before smaller ones where both do.
        found.setdefault(word, code)

    for code, *forms in table(out / "demonyms-more.tsv"):
        for form in forms:
            add(form[1:], code)
            if form[0] == "+":
                add(plural(form[1:]), code)
    for country in json.loads((folder / "countries.json").read_text("utf8")):
        code = country["cca2"]
        forms = country["demonyms"].get("eng", {}).values()
        for word in sorted({part.strip() for form in forms for part in form.split(",")}):
            if word and (code, word) not in WRONG:
                add(word, code)
                add(plural(word), code)
    lines = [f"{word}\t{code}\n" for word, code in sorted(found.items())]
    (out / "demonyms.tsv").write_text(DEMONYMS_HEAD + "".join(lines), "utf8")
