"""GeoReport's part of the OpenAPI document, made from the table of its resources and the structs that it names."""

from typing import Any

import msgspec

from dispatch.georeport import GeoReportError
from dispatch.http.open311.formats import FORMATS, ITEMS, JSON, XML
from dispatch.http.open311.forms import FORM, MULTIPART
from dispatch.http.open311.routes import PREFIX, RESOURCES, Given, Resource

KEYS = {"api_key": {"type": "apiKey", "in": "query", "name": "api_key"}}
"""The security schemes beside the bearer token."""

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "the same key and body give the first answer again",
}
"""A parameter of whatever is posted."""

_ERRORS = Given("errors", list[GeoReportError])
_PUBLIC = "Without a key, where `open311.public` allows it, without words, addresses and pictures, and to some 100 m."


def described_kinds() -> list[Any]:
    """Return the kinds of everything that goes in or out."""
    forms = [resource.form for resource in RESOURCES if resource.form is not None]
    return [_ERRORS.kind, *(resource.gives.kind for resource in RESOURCES), *forms]


def described_paths(by_kind: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the paths; `by_kind` has the schema of each kind by its `repr`."""
    paths: dict[str, dict[str, Any]] = {}
    for resource in RESOURCES:
        for ending in resource.endings:
            path = f"{PREFIX}/{resource.path.replace('<name:str>', f'{{{resource.name}}}')}{ending}"
            paths.setdefault(path, {})[resource.method.lower()] = _operation(resource, ending, by_kind)
    return paths


def _operation(resource: Resource, ending: str, by_kind: dict[str, Any]) -> dict[str, Any]:
    formats = [FORMATS[ending.removeprefix(".")]] if ending else [JSON, XML]
    words = resource.path.replace("/<name:str>", "_one") or "root"
    operation: dict[str, Any] = {
        "operationId": f"open311_{resource.method.lower()}_{words}{ending.replace('.', '_')}",
        "summary": (resource.answer.__doc__ or "").split("\n")[0],
        "description": _who_may(resource),
        "security": _security(resource),
        "parameters": [*_path_parameters(resource), *_query_parameters(resource)],
        "responses": {
            str(resource.gives.status): {"description": "done", "content": _content(resource.gives, formats, by_kind)},
            "default": {"description": "what went wrong", "content": _content(_ERRORS, formats, by_kind)},
        },
    }
    if resource.form is not None:
        schema = by_kind[repr(resource.form)]
        forms = {form: {"schema": schema} for form in (FORM, MULTIPART)}
        operation["requestBody"] = {"required": True, "content": forms}
        operation["parameters"].append(IDEMPOTENCY_KEY)
    return operation


def _content(given: Given, formats: list[str], by_kind: dict[str, Any]) -> dict[str, Any]:
    """Return an answer in each format: in XML a list has the name of its element, and each item one."""
    schema = by_kind[repr(given.kind)]
    as_xml = {"allOf": [schema], "xml": {"name": given.root}}
    if (item := ITEMS.get(given.root)) is not None:
        as_xml = {
            "type": "array",
            "items": {"allOf": [schema["items"]], "xml": {"name": item}},
            "xml": {"name": given.root, "wrapped": True},
        }
    schemas = {JSON: schema, XML: as_xml}
    return {kind: {"schema": schemas[kind]} for kind in formats}


def _who_may(resource: Resource) -> str:
    if not resource.roles:
        return "No token is needed."
    roles = f"Roles: {', '.join(sorted({'admin', *resource.roles}))}."
    return roles if resource.form is not None else f"{roles}\n{_PUBLIC}"


def _security(resource: Resource) -> list[dict[str, Any]]:
    if not resource.roles:
        return []
    known: list[dict[str, Any]] = [{"token": []}, {"api_key": []}]
    return known if resource.form is not None else [*known, {}]


def _path_parameters(resource: Resource) -> list[dict[str, Any]]:
    if not resource.name:
        return []
    return [{"name": resource.name, "in": "path", "required": True, "schema": {"type": "string"}}]


def _query_parameters(resource: Resource) -> list[dict[str, Any]]:
    if resource.query is None:
        return []
    _, components = msgspec.json.schema_components([resource.query], ref_template="#/components/schemas/{name}")
    members: dict[str, dict[str, Any]] = components[resource.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "allowEmptyValue": True, "schema": member}
        for name, member in members.items()
    ]
