"""The page of a ticket in the demo's Jira, for whoever follows a link. Pure."""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from apimon_node.demo.exchange import Answer
from apimon_node.demo.site import Site

PATH = "/browse/"

PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<body style="font: 1.1rem/1.6 system-ui; max-width: 36rem; margin: 3rem auto; color-scheme: light dark">
<h1>{title}</h1>
<p>{text}</p>
<p><small>A page of the demo's Jira. In yours, the ticket itself stands here.</small></p>
"""
"""Without a script or anything from elsewhere."""

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html;charset=UTF-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


def browse(site: Site, key: str) -> Answer:
    """Show a ticket, to anybody: there is no sign-in for people here."""
    issue = next((issue for issue in site.issues if issue.key == key), None)
    if issue is None:
        return _page(HTTPStatus.NOT_FOUND, "No such ticket", f"There is no ticket {key}, or there is none any more.")
    who = f", assigned to {issue.assignee}" if issue.assignee else ""
    return _page(HTTPStatus.OK, f"{issue.key}: {issue.summary}", f"{issue.status}, priority {issue.priority}{who}.")


def _page(status: HTTPStatus, title: str, text: str) -> Answer:
    return Answer(status, HEADERS, PAGE.format(title=escape(title), text=escape(text)).encode())
