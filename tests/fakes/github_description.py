"""What GitHub publishes about its API, which `make` fetches: the fake may only answer by it."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import GraphQLSchema, build_schema
from jsonschema import Draft7Validator, ValidationError, validators
from referencing import Registry
from referencing.jsonschema import DRAFT7

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Of whatever shape the descriptions say.
Json: TypeAlias = Any
_ROOT = Path(__file__).parents[2]
_DOCUMENT = "urn:github"
_DEEPEST = 12
_LOADED: dict[str, Any] = {}
_PLAIN: dict[str, Json] = {"string": "", "integer": 0, "number": 0, "boolean": False}
_FORMATS: dict[str | None, str] = {
    "date-time": "2026-01-31T12:00:00Z",
    "uri": "https://github.example",
}


def _folder() -> Path:
    versions = dict(re.findall(r"^(\w+) := (\S+)$", (_ROOT / "Makefile").read_text(), re.MULTILINE))
    cache_folder = os.environ.get("GITOPS_ACTION_CACHE") or Path.home() / ".cache/gitops-action"
    folder = Path(cache_folder) / f"github-{versions['GRAPHQL_SCHEMA']}-{versions['OPENAPI']}"
    if not (folder / ".ready").is_file():
        msg = f"GitHub's API descriptions are not in {folder}: `make test` fetches them"
        raise FileNotFoundError(msg)
    return folder


@cache
def graphql_schema() -> GraphQLSchema:
    """The published schema of GraphQL."""
    return build_schema((_folder() / "schema.graphql").read_text(), assume_valid=True)


def openapi() -> dict[str, Any]:
    """The published description of REST."""
    if not _LOADED:
        _LOADED.update(json.loads((_folder() / "api.github.com.json").read_bytes()))
    return _LOADED


def violations(pointer: str, value: object) -> list[str]:
    """What in a value is not as the description says at `pointer`, such as `/components/…`."""
    registry: Registry[Json] = Registry().with_resource(
        _DOCUMENT, DRAFT7.create_resource(openapi())
    )
    validator = _Validator({"$ref": f"{_DOCUMENT}#{pointer}"}, registry=registry)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def example(pointer: str) -> Json:
    """The least value that the description allows at `pointer`."""
    return _example({"$ref": f"#{pointer}"}, 0)


def escaped(part: str) -> str:
    """A key as part of a pointer."""
    return part.replace("~", "~0").replace("/", "~1")


def _example(schema: Mapping[str, Json], depth: int) -> Json:
    if depth > _DEEPEST or schema.get("nullable"):
        return None
    if "$ref" in schema:
        return _example(_at(schema["$ref"]), depth + 1)
    if "allOf" in schema:
        return {key: one for part in schema["allOf"] for key, one in _example(part, depth).items()}
    choices = schema.get("oneOf") or schema.get("anyOf")
    return _example(choices[0], depth + 1) if choices else _value(schema, depth)


def _value(schema: Mapping[str, Json], depth: int) -> Json:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "array":
        return []
    if kind == "object":
        properties = schema.get("properties", {})
        names = schema.get("required", ())
        return {name: _example(properties.get(name, {}), depth + 1) for name in names}
    return (
        schema["enum"][0] if "enum" in schema else _FORMATS.get(schema.get("format"), _PLAIN[kind])
    )


def _at(reference: str) -> dict[str, Any]:
    found: Json = openapi()
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return dict(found)


def _or_null(keyword: str) -> Json:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type."""
    plain = Draft7Validator.VALIDATORS[keyword]

    def check(
        validator: Json, wanted: Json, instance: object, schema: Mapping[str, Json]
    ) -> Iterator[ValidationError]:
        if instance is None and schema.get("nullable"):
            return
        yield from plain(validator, wanted, instance, schema) or ()

    return check


_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft7Validator,
    {keyword: _or_null(keyword) for keyword in ("type", "enum", "oneOf", "anyOf", "allOf")},
)
