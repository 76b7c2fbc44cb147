"""The index of places: data/gazetteer/places.index, read by src/gazetteer/index.rs, which describes the layout.

Called by scripts/gazetteer.py. Standard library only.
"""
import hashlib
import math
import struct

from gazetteer_countries import facts, table

KINDS = ["city", "admin1", "admin2", "region", "water", "mountain", "island", "facility", "desert", "continent"]
# U+00C0 to U+017F and U+1E00 to U+1EFF without their marks; `-` is dropped. The reader has the same.
LATIN = ("aaaaaaaceeeeiiiidnooooo-ouuuuytsaaaaaaaceeeeiiiidnooooo-ouuuuytyaaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiii"
         "jjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs")
LATIN_MORE = ("aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuu"
              "uuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwyas--s-aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuu"
              "uuuuuuuuyyyyyyyy------")
SHORT = {"st": "saint", "ste": "sainte", "ft": "fort", "mt": "mount"}
NONE = 0xFFFF
# Towns from here on are known by their other names as well.
ALTERNATES_POPULATION_MIN = 15_000
ADMIN2_POPULATION_MIN = 50_000
PREFIXES = ("Provincia di ", "Provincia de ", "Province of ", "Département du ", "Département de la ", "Département de ",
            "Département des ", "Regierungsbezirk ", "Província de ")


def folded(name):
    """As the reader folds: lower case, marks and full stops dropped, hyphens to spaces, Saint for St."""
    kept = []
    for c in name:
        code = ord(c)
        if c in ".'’ʻ`":
            continue
        if 0xC0 <= code <= 0x17F:
            c = LATIN[code - 0xC0]
            kept.append("" if c == "-" else c)
        elif 0x1E00 <= code <= 0x1EFF:
            c = LATIN_MORE[code - 0x1E00]
            kept.append("" if c == "-" else c)
        elif c.isascii() and c.isalnum():
            kept.append(c.lower())
        elif c.isascii():
            kept.append(" ")
        else:
            return ""
    words = "".join(kept).split()
    return " ".join(SHORT.get(word, word) for word in words)


def hashed(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    value = (value ^ value >> 32) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    return value >> 24


class Places:
    def __init__(self):
        self.rows = []  # (population, kind, iso2, admin1, geonames, latitude, longitude, is_capital, names, other names)

    def add(self, kind, iso2, admin1, geonames, latitude, longitude, population, names, others=(), capital=False):
        self.rows.append((population, KINDS.index(kind), iso2, admin1, geonames, round(latitude * 10000), round(longitude * 10000),
                          capital, tuple(dict.fromkeys(names)), tuple(dict.fromkeys(others))))


def mean(points):
    return tuple(sum(values) / len(values) for values in zip(*points))


def build(options, towns, part):
    places = Places()
    capitals = {(row[0], folded(row[3])) for row in table(options.out / "countries.tsv")}
    points, people = {}, {}
    population = {}
    for town in towns:
        iso2, admin1 = town["countrycode"], town["admin1code"]
        names = [town["name"]]
        others = []
        if town["population"] >= ALTERNATES_POPULATION_MIN:
            others = [name for name in town["alternatenames"] if len(name) > 3 and name[0].isupper() and not name.isupper()]
        position = (town["latitude"], town["longitude"])
        code = f"{iso2}.{admin1}"
        points.setdefault(code, []).append(position)
        people[code] = people.get(code, 0) + town["population"]
        population[iso2, town["name"], *position] = town["population"]
        is_capital = town["population"] > 500 and any((iso2, folded(name)) in capitals for name in names)
        places.add("city", iso2, admin1, town["geonameid"], *position, town["population"], names, others, is_capital)
    placed = {row[0]: row for row in table(options.out / "region-positions.tsv")}
    for row in facts(options.facts / "admin1.tsv.gz"):
        code = row["code"]
        iso2, admin1 = code.split(".", 1)
        mine = placed.get(code)
        position = (float(mine[1]), float(mine[2])) if mine else mean(points[code]) if code in points else None
        if position:
            places.add("admin1", iso2, admin1, int(row["geonameid"]), *position, people.get(code, 0), [row["name"]], mine[3:] if mine else ())
    second = {}
    for town in part["cities"]:
        if town["admin2"]:
            code = f"{town['country']}.{town['admin1']}.{town['admin2']}"
            position = (float(town["lat"]), float(town["lng"]))
            at = second.setdefault(code, [[], 0])
            at[0].append(position)
            at[1] += population.get((town["country"], town["name"], *position), 0)
    for row in part["admin2"]:
        found = second.get(row["code"])
        iso2, admin1, _ = row["code"].split(".", 2)
        if not found or iso2 != "US" and found[1] < ADMIN2_POPULATION_MIN:
            continue
        others = [row["name"][len(prefix):] for prefix in PREFIXES if row["name"].startswith(prefix)]
        places.add("admin2", iso2, admin1, 0, *mean(found[0]), found[1] // 4, [row["name"]], others)
    for kind, iso2, latitude, longitude, weight, *names in table(options.out / "places.tsv"):
        places.add(kind, iso2 if iso2 != "-" else "", "", 0, float(latitude), float(longitude), int(weight), names)
    write(options.out / "places.index", places.rows)


def write(path, rows):
    rows.sort(key=lambda row: (-row[0], row[1:]))
    countries = sorted({row[2] for row in rows})
    regions = sorted({(row[2], row[3][:6]) for row in rows if row[3]})
    region_of = {region: index for index, region in enumerate(regions)}
    records, entries = [], {}
    for index, (population, kind, iso2, admin1, geonames, latitude, longitude, capital, names, others) in enumerate(rows):
        size = min(255, round(8 * math.log2(population + 1)))
        records.append(struct.pack("<I", geonames) + struct.pack("<i", latitude)[:3] + struct.pack("<i", longitude)[:3]
                       + struct.pack("<BBBBH", size, kind, countries.index(iso2), int(capital), region_of.get((iso2, admin1[:6]), NONE)))
        for flag, spellings in ((1, names), (0, others)):
            for name in spellings:
                key = folded(name)
                if key:
                    at = (hashed(key), index)
                    entries[at] = max(entries.get(at, 0), flag)
    ordered = sorted(entries.items())
    buckets, at = [], 0
    for bucket in range(65537):
        while at < len(ordered) and ordered[at][0][0] >> 24 < bucket:
            at += 1
        buckets.append(at)
    body = struct.pack("<IIII", len(records), len(ordered), len(countries), len(regions))
    body += b"".join((iso2 or "--").encode() for iso2 in countries)
    body += b"".join(iso2.encode() + code.encode().ljust(6, b"\0") for iso2, code in regions)
    body += b"".join(struct.pack("<I", start) for start in buckets) + b"".join(records)
    body += b"".join(struct.pack("<I", key & 0xFFFFFF)[:3] + struct.pack("<I", index << 1 | flag)[:3] for (key, index), flag in ordered)
    head = b"CPYGAZ\x1a\x01" + struct.pack("<I", len(body)) + hashlib.sha256(body).digest()
    path.write_bytes(head + body)
    print(f"{len(records)} places, {len(ordered)} names, {len(head) + len(body)} bytes")
