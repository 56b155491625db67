"""Looks into an OpenAPI document, with what the tests of the box's own document have installed already.

    document.py FILE          checks the document and prints it as JSON
    document.py FILE SCHEMA   reads a JSON list and prints, for each of its items, what is wrong with it by that schema
"""

import json
import sys

import jsonschema_rs
import schemathesis
import yaml


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def resolve(document, reference):
    """What a reference within the document leads to."""
    place = document
    for part in reference.removeprefix("#/").split("/"):
        place = place[part.replace("~1", "/").replace("~0", "~")]
    return place


def nodes(node, path="#"):
    """Every object of the document with its place, except within examples and values, which are data."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            if key not in ("example", "examples", "value", "default", "const", "enum") or path == "#/components":
                yield from nodes(value, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from nodes(value, f"{path}/{number}")


def validator(document, schema):
    """A validator of a schema of the document, which may refer to others of it."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"]}
    return jsonschema_rs.validator_for(whole | {"allOf": [schema]}, validate_formats=True)


def faults(document):
    """What is wrong with the document."""
    try:
        schemathesis.openapi.from_dict(document).validate()
    except Exception as error:
        yield f"it is not OpenAPI: {error}"
        return
    references = 0
    for path, node in nodes(document):
        if "$ref" in node:
            references += 1
            try:
                resolve(document, node["$ref"])
            except (KeyError, TypeError):
                yield f"{path}: {node['$ref']} leads nowhere"
    if not references:
        yield "nothing refers to anything, so nothing was looked at"
    for path, node in nodes(document):
        if "schema" in node and "example" in node:
            for error in validator(document, node["schema"]).iter_errors(node["example"]):
                yield f"{path}: the example {node['example']!r}: {error.message}"
        parts = path.split("/")
        is_schema = parts[-1] == "schema" or parts[-2:-1] in (["schemas"], ["properties"])
        if not is_schema:
            continue
        try:
            check = validator(document, node)
        except (jsonschema_rs.ValidationError, ValueError) as error:
            yield f"{path}: it is no JSON Schema: {error}"
            continue
        for example in node.get("examples", []):
            for error in check.iter_errors(example):
                yield f"{path}: the example {example!r}: {error.message}"


def main():
    document = load(sys.argv[1])
    if len(sys.argv) == 2:
        found = list(faults(document))
        if found:
            sys.exit("\n".join(found))
        json.dump(document, sys.stdout)
        return
    check = validator(document, {"$ref": f"#/components/schemas/{sys.argv[2]}"})
    json.dump([[error.message for error in check.iter_errors(item)] for item in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
