"""Checks a value against the part of JSON Schema that the OpenAPI document uses.

An unknown keyword is an error: a schema that is not understood must not pass for one that holds.
"""

import re
from collections.abc import Mapping
from typing import Any

_NOTES = {"title", "description", "examples", "default"}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def violations(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "$"
) -> list[str]:
    """What is wrong with `value`, each with its place; `root` is the whole document."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return violations(value, target, root, at)
    unknown = (
        schema.keys()
        - _NOTES
        - {
            "type",
            "enum",
            "anyOf",
            "items",
            "properties",
            "required",
            "additionalProperties",
            "minimum",
            "maximum",
            "pattern",
        }
    )
    if unknown:
        return [f"{at}: schema has {sorted(unknown)}"]
    if "anyOf" in schema and all(violations(value, each, root, at) for each in schema["anyOf"]):
        return [f"{at}: {value!r} fits none of {schema['anyOf']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    return _type(value, schema, at) + _parts(value, schema, root, at)


def _type(value: Any, schema: Mapping[str, Any], at: str) -> list[str]:
    name = schema.get("type")
    if name is None:
        return []
    fits = isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
    if fits and "pattern" in schema:
        fits = re.search(schema["pattern"], value) is not None
    return [] if fits else [f"{at}: {value!r} is no {name}"]


def _parts(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            found += violations(item, schema["items"], root, f"{at}[{number}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [
            f"{at}: {key} is missing" for key in schema.get("required", ()) if key not in value
        ]
        for key, item in value.items():
            if key in properties:
                found += violations(item, properties[key], root, f"{at}.{key}")
            elif isinstance(schema.get("additionalProperties"), dict):
                found += violations(item, schema["additionalProperties"], root, f"{at}.{key}")
            else:
                found.append(f"{at}: {key} is not in the schema")
    return found
