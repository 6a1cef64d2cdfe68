#!/usr/bin/env python3
"""Checks our field lists against Kafka's own message schemas: check_kafka_schemas.py DUMP_PROGRAM SCHEMA_FOLDER

DUMP_PROGRAM prints our messages as JSON. Each must have the schema's fields in the schema's order with equal type, versions,
null, tag, default and ignorability, as far as the versions that we accept go. Where kafka-error-codes.csv lies beside the
folder, the error codes are compared too.
"""
import csv
import json
import pathlib
import re
import subprocess
import sys

LATEST = 32767


def load_schema(path):
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        stripped = line.strip()
        if not stripped.startswith("//"):
            lines.append(re.sub(r"\s//[^\"]*$", "", line))
    return json.loads("\n".join(lines))


def versions(text):
    """The set of versions that "3+", "0-12", "7" or "none" stands for."""
    if text is None or text == "none":
        return range(0)
    if text.endswith("+"):
        return range(int(text[:-1]), LATEST + 1)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def within(accepted, *ranges):
    """The accepted versions that lie in all ranges."""
    return [v for v in accepted if all(v in r for r in ranges)]


def schema_default(field, wire_type):
    text = field.get("default")
    if text in ("null", None) and text is not None:
        return None
    if wire_type.startswith("[]"):
        return []
    if wire_type in ("string", "bytes"):
        return text or ""
    if wire_type == "bool":
        return str(text).lower() == "true"
    if wire_type.startswith("int"):
        return int(str(text), 0) if text is not None else 0
    if wire_type == "uuid":
        return "zero"
    return None


def wire_type_of(field):
    name = field["type"]
    element = name[2:] if name.startswith("[]") else name
    if re.fullmatch(r"bool|u?int\d+|float64|uuid|string|bytes|records", element):
        return name
    return name.replace(element, "struct")


class Checker:
    def __init__(self):
        self.problems = []
        self.fields_count = 0

    def expect(self, path, what, ours, theirs):
        if ours != theirs:
            self.problems.append(f"{path}: {what}: ours {ours!r}, Kafka's {theirs!r}")

    def check_field(self, path, ours, theirs, common, accepted):
        self.fields_count += 1
        wire_type = wire_type_of(theirs)
        exists = versions(theirs["versions"])
        ours_exist = range(ours["first"], ours["last"] + 1)
        self.expect(path, "type", ours["type"], wire_type)
        self.expect(path, "versions", within(accepted, ours_exist), within(accepted, exists))
        nullable = within(accepted, exists, versions(theirs.get("nullableVersions")))
        self.expect(path, "nullable", within(accepted, ours_exist, range(ours["nullable_from"], LATEST + 1)), nullable)
        self.expect(path, "has a null", ours["has_null"], bool(nullable))
        tagged = within(accepted, exists, versions(theirs.get("taggedVersions")))
        self.expect(path, "tagged", within(accepted, ours_exist) if ours["tag"] >= 0 else [], tagged)
        self.expect(path, "tag", ours["tag"], theirs["tag"] if tagged else -1)
        self.expect(path, "ignorable", ours["ignorable"], theirs.get("ignorable", False))
        if wire_type not in ("struct", "records") or ours["has_null"]:
            self.expect(path, "default", ours["default"], schema_default(theirs, wire_type))
        self.expect(path, "length format", None, theirs.get("flexibleVersions"))
        if "struct" in wire_type:
            fields = theirs.get("fields") or common[theirs["type"].removeprefix("[]")]
            self.check_fields(path, ours["fields"], fields, common, accepted)

    def check_fields(self, path, ours, theirs, common, accepted):
        # Fields that exist in none of our versions do not concern us.
        theirs = [field for field in theirs if within(accepted, versions(field["versions"]))]
        self.expect(path, "fields", [f["name"] for f in ours], [f["name"] for f in theirs])
        tags = [f["tag"] for f in ours if f["tag"] >= 0]
        self.expect(path, "order of tags", tags, sorted(tags))
        for our_field, their_field in zip(ours, theirs):
            self.check_field(f"{path}.{our_field['name']}", our_field, their_field, common, accepted)

    def check_message(self, ours, folder):
        theirs = load_schema(folder / f"{ours['name']}.json")
        accepted = range(ours["first"], ours["last"] + 1)
        valid = versions(theirs["validVersions"])
        self.expect(ours["name"], "key", ours["key"], theirs["apiKey"])
        self.expect(ours["name"], "first version", ours["first"], valid[0])
        self.expect(ours["name"], "versions in schema", within(accepted, valid), list(accepted))
        flexible = versions(theirs["flexibleVersions"])
        self.expect(ours["name"], "flexible versions", within(accepted, range(ours["flexible_from"], LATEST + 1)),
                    within(accepted, flexible))
        common = {struct["name"]: struct["fields"] for struct in theirs.get("commonStructs", [])}
        self.check_fields(ours["name"], ours["fields"], theirs["fields"], common, accepted)


def main():
    dump = json.loads(subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout)
    folder = pathlib.Path(sys.argv[2])
    checker = Checker()
    for message in dump["messages"]:
        checker.check_message(message, folder)
    errors = folder.parent / "kafka-error-codes.csv"
    if errors.exists():
        with errors.open(encoding="utf-8") as file:
            theirs = {row["code"]: row["name"] for row in csv.DictReader(file)}
        checker.expect("errors", "table", dump["errors"], theirs)
    print("\n".join(checker.problems))
    print(f"{len(dump['messages'])} messages, {checker.fields_count} fields, {len(checker.problems)} differences")
    return 1 if checker.problems or not dump["messages"] else 0


sys.exit(main())
