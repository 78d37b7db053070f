"""What the REST APIs of Cloud and of Data Center have in common. Pure."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from apimon_node.demo import times
from apimon_node.demo.exchange import JSON_TYPE, Answer, Request, as_error, as_json
from apimon_node.demo.faults import Fault
from apimon_node.demo.history import changelog
from apimon_node.demo.issue import Issue, status_content
from apimon_node.demo.jql import QueryRefused
from apimon_node.demo.site import Site
from apimon_node.demo.sla import SlaField

PAGE_SIZE = 50  # where the request does not say
ALL_FIELDS = frozenset({"*all", "*navigable"})
VERSIONS = {True: (1001, 0, 0), False: (10, 3, 0)}  # of Cloud, of Data Center
SYSTEM_FIELDS = {  # id: display name, name in JQL, type
    "summary": ("Summary", "summary", "string"),
    "status": ("Status", "status", "status"),
    "priority": ("Priority", "priority", "priority"),
    "created": ("Created", "created", "datetime"),
    "updated": ("Updated", "updated", "datetime"),
    "assignee": ("Assignee", "assignee", "user"),
    "labels": ("Labels", "labels", "array"),
    "duedate": ("Due date", "due", "date"),
}
SLA_SCHEMA = {"type": "sd-servicelevelagreement", "custom": "com.atlassian.servicedesk:sd-sla-field"}
NOTHING_HERE = as_error(HTTPStatus.NOT_FOUND, "null for uri: there is nothing here")

Body = Mapping[str, tuple[type, ...]]
"""The keys that a JSON body may have, with the types of their values."""


class Call(NamedTuple):
    """A request for an endpoint of the API, and all that the answer depends on."""

    site: Site
    request: Request
    endpoint: str
    cloud: bool
    base_url: str
    now: float
    fault: Fault | None


def answer(call: Call) -> Answer:
    """Answer what both kinds answer alike."""
    match call.request.method, call.endpoint:
        case "GET", "serverInfo":
            return as_json(_server_info(call))
        case "GET", "field":
            return as_json(catalogue(call.site))
        case "GET", "status":
            return as_json([status_content(name, status) for name, status in call.site.workflow.items()])
    return NOTHING_HERE


def _server_info(call: Call) -> dict[str, Any]:
    version = VERSIONS[call.cloud]
    return {
        "baseUrl": call.base_url,
        "deploymentType": "Cloud" if call.cloud else "Server",
        "version": ".".join(map(str, version)),
        "versionNumbers": list(version),
        "serverTime": times.jira(call.now),
        "serverTitle": "Jira",
    }


def catalogue(site: Site) -> list[dict[str, Any]]:
    """Return all fields that a site has."""
    system = [
        _field(id_, name, [clause], {"type": type_, "system": id_} | ({"items": "string"} if type_ == "array" else {}))
        for id_, (name, clause, type_) in SYSTEM_FIELDS.items()
    ]
    return system + [_sla_field(field) for field in site.slas]


def _sla_field(field: SlaField) -> dict[str, Any]:
    clauses = [f"cf[{field.number}]", field.name]
    return _field(field.id, field.name, clauses, {**SLA_SCHEMA, "customId": field.number}) | {"custom": True}


def _field(id_: str, name: str, clauses: list[str], schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id_,
        "key": id_,
        "name": name,
        "custom": False,
        "orderable": True,
        "navigable": True,
        "searchable": True,
        "clauseNames": clauses,
        "schema": schema,
    }


def bad_body(request: Request, allowed: Body, *, nulls: bool) -> Answer | None:
    """Refuse a body that is none of JSON, or has what the endpoint does not know; None for one that is right."""
    if request.content_type != JSON_TYPE:
        return as_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    content = request.content
    if content is None:
        return as_error(HTTPStatus.BAD_REQUEST, "The body is not a JSON object.")
    for name, value in content.items():
        if name not in allowed:
            return as_error(HTTPStatus.BAD_REQUEST, f"Unrecognized field '{name}'.")
        if type(value) not in allowed[name] and not (nulls and value is None):
            return as_error(HTTPStatus.BAD_REQUEST, f"Cannot deserialize the value of '{name}'.")
    return None


def number(request: Request, name: str, default: int) -> int:
    """Return a parameter that is a number from 0 up. Raises QueryRefused for any other."""
    text = request.first(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise QueryRefused(f"{name} must be a number that is not negative, not '{text}'.")
    return int(text)


def issues(call: Call, found: Sequence[Issue], default: str) -> list[dict[str, Any]]:
    """Return issues as the request wants them. Jira passes over what it does not know in `fields` and `expand`."""
    fields, expand = _names(call.request, "fields", default), _names(call.request, "expand", "")
    contents = []
    for issue in found:
        content = _issue(issue, fields, call.now)
        if "changelog" in expand:
            content["changelog"] = changelog(issue.history, cloud=call.cloud)
        contents.append(content)
    return contents


def _issue(issue: Issue, fields: set[str], now: float) -> dict[str, Any]:
    if fields == {"id"}:
        return {"id": issue.id}
    values = issue.fields(now)
    if not fields & ALL_FIELDS:
        values = {name: value for name, value in values.items() if name in fields}
    return {"id": issue.id, "key": issue.key, "fields": values}


def _names(request: Request, parameter: str, default: str) -> set[str]:
    """Return names that come repeated, or joined by commas, or both."""
    return {name.strip() for names in request.query.get(parameter, [default]) for name in names.split(",")}
