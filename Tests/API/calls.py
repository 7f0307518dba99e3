"""Makes every call of the OpenAPI document and holds the answers against it, with a validator that is not ours."""
import json
import urllib.error
import urllib.request

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator

NEW_MEMBER = {"name": "gw4", "raft": "127.0.0.1:3", "admin": "127.0.0.1:4", "votes": False}
REGISTRATION = {"address": "127.0.0.1:5", "ttlSeconds": 600}

# operation, path, body, header fields, status. What a call leaves behind the next ones find.
CALLS = [
    ("getDashboard", "/", None, {}, 200),
    ("getLiveness", "/livez", None, {}, 200),
    ("getReadiness", "/readyz", None, {}, 200),
    ("getMetrics", "/metrics", None, {}, 200),
    ("getDocument", "/v1/openapi.json", None, {}, 200),
    ("getVersion", "/v1/version", None, {"Authorization": "Bearer of bad news"}, 401),
    ("getVersion", "/v1/version", None, {}, 200),
    ("getNode", "/v1/node", None, {}, 200),
    ("getStatus", "/v1/status", None, {}, 200),
    ("getStatus", "/v1/status?stale", None, {}, 200),
    ("getStatus", "/v1/status?stale=yes", None, {}, 400),
    ("getHealth", "/v1/health", None, {}, 200),
    ("getLeader", "/v1/leader", None, {}, 200),
    ("listEvents", "/v1/events?after=0", None, {}, 200),
    ("listEvents", "/v1/events?after=x", None, {}, 400),
    ("getSnapshot", "/v1/snapshot", None, {}, 200),
    ("getLive", "/v1/live", None, {}, 200),
    ("watch", "/v1/stream?only=hello,status", None, {"Last-Event-ID": "1"}, 200),
    ("watch", "/v1/stream?only=all", None, {}, 400),
    ("getConfiguration", "/v1/config", None, {}, 200),
    ("getConfiguration", "/v1/config?revision=99", None, {}, 404),
    ("getDifference", "/v1/config/diff", None, {}, 404),
    ("rollBack", "/v1/config/rollback", b"", {}, 404),
    ("putConfiguration", "/v1/config?validate=only", b"{}", {}, 422),
    ("putConfiguration", "/v1/config", b"{}", {}, 422),
    ("putConfiguration", "/v1/config?name=x", "THE CONFIGURATION", {"If-Match": '"77"'}, 412),
    ("putConfiguration", "/v1/config", "THE CONFIGURATION", {"If-Match": '"1"'}, 200),
    ("putConfiguration", "/v1/config?validate=only", "THE CONFIGURATION", {}, 200),
    ("putConfiguration", "/v1/config", b"\xff", {}, 400),
    ("getHistory", "/v1/config/history", None, {}, 200),
    ("getDifference", "/v1/config/diff?from=1&to=2", None, {}, 200),
    ("rollBack", "/v1/config/rollback", {"revision": 1}, {}, 200),
    ("rollBack", "/v1/config/rollback", {"revision": "x"}, {}, 400),
    ("rollBack", "/v1/config/rollback", b"", {"If-Match": '"1"'}, 412),
    ("listUpstreams", "/v1/upstreams", None, {}, 200),
    ("getUpstream", "/v1/upstreams/app", None, {}, 200),
    ("getUpstream", "/v1/upstreams/aqp", None, {}, 404),
    ("listBackends", "/v1/backends", None, {}, 200),
    ("setBackendMode", "/v1/backends/app/127.0.0.1:1", {"mode": "draining"}, {}, 200),
    ("setBackendMode", "/v1/backends/app/127.0.0.1:1", {"mode": "enabled"}, {}, 200),
    ("setBackendMode", "/v1/backends/app/127.0.0.1:1", {"mode": "asleep"}, {}, 400),
    ("setBackendMode", "/v1/backends/app/127.0.0.1:9", {"mode": "enabled"}, {}, 404),
    ("putBackend", "/v1/upstreams/app/backends/127.0.0.1:3", {"weight": 4}, {}, 200),
    ("putBackend", "/v1/upstreams/app/backends/127.0.0.1:3", b"", {}, 200),
    ("putBackend", "/v1/upstreams/app/backends/127.0.0.1:3", {"weight": 0}, {}, 400),
    ("putBackend", "/v1/upstreams/aqp/backends/127.0.0.1:3", {"weight": 4}, {}, 404),
    ("putBackend", "/v1/upstreams/app/backends/127.0.0.1:4", b"", {"If-Match": '"1"'}, 412),
    ("removeBackend", "/v1/upstreams/app/backends/127.0.0.1:3", None, {}, 200),
    ("removeBackend", "/v1/upstreams/app/backends/127.0.0.1:3", None, {}, 404),
    ("putRegistration", "/v1/upstreams/app/registrations/web-1", REGISTRATION, {}, 200),
    ("putRegistration", "/v1/upstreams/app/registrations/web-1", REGISTRATION, {}, 200),
    ("putRegistration", "/v1/upstreams/app/registrations/web-1", REGISTRATION | {"ttlSeconds": 4}, {}, 400),
    ("putRegistration", "/v1/upstreams/app/registrations/web-2", REGISTRATION, {}, 409),
    ("putRegistration", "/v1/upstreams/app/registrations/web-2", REGISTRATION | {"address": "127.0.0.1:1"}, {}, 409),
    ("putRegistration", "/v1/upstreams/aqp/registrations/web-1", REGISTRATION, {}, 404),
    ("listRegistrations", "/v1/upstreams/app/registrations", None, {}, 200),
    ("listRegistrations", "/v1/upstreams/aqp/registrations", None, {}, 404),
    ("getUpstream", "/v1/upstreams/app", None, {}, 200),
    ("deleteRegistration", "/v1/upstreams/app/registrations/web-1", None, {}, 200),
    ("deleteRegistration", "/v1/upstreams/app/registrations/web-1", None, {}, 404),
    ("listMembers", "/v1/members", None, {}, 200),
    ("addMember", "/v1/members/4", NEW_MEMBER, {}, 202),
    ("addMember", "/v1/members/4", NEW_MEMBER, {}, 409),
    ("addMember", "/v1/members/5", {}, {}, 400),
    ("promoteMember", "/v1/members/9/vote", b"", {}, 409),
    ("promoteMember", "/v1/members/4/vote", b"", {}, 202),
    ("drainMember", "/v1/members/4/drain", b"", {}, 202),
    ("undrainMember", "/v1/members/4/drain", None, {}, 202),
    ("drainMember", "/v1/members/9/drain", b"", {}, 409),
    ("undrainMember", "/v1/members/9/drain", None, {}, 409),
    ("removeMember", "/v1/members/4", None, {}, 202),
    ("removeMember", "/v1/members/9", None, {}, 409),
    ("listKeys", "/v1/keys?prefix=deploy/", None, {}, 200),
    ("putKey", "/v1/keys/deploy/lock", b"alice", {"If-None-Match": "*"}, 200),
    ("putKey", "/v1/keys/deploy/lock", b"bob", {"If-None-Match": "*"}, 412),
    ("getKey", "/v1/keys/deploy/lock", None, {}, 200),
    ("getKey", "/v1/keys/deploy/none", None, {}, 404),
    ("deleteKey", "/v1/keys/deploy/lock", None, {}, 200),
    ("deleteKey", "/v1/keys/deploy/lock", None, {}, 404),
    ("upgradeNode", "/v1/node/upgrade", b"", {}, 200),
    ("transferLeadership", "/v1/leader/transfer", {"to": 9}, {}, 409),
    ("transferLeadership", "/v1/leader/transfer", b"", {}, 202),
]


def strict(schema):
    """The schema that knows no members but those it names: an answer with others was not described."""
    if isinstance(schema, dict):
        closed = {"additionalProperties": False} if "properties" in schema else {}
        return {key: strict(value) for key, value in schema.items()} | closed
    return [strict(value) for value in schema] if isinstance(schema, list) else schema


def send(url, method, body, fields):
    request = urllib.request.Request(url, method=method, data=body, headers=fields)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        # A stream has no end, but a beginning.
        is_stream = answer.headers["Content-Type"] == "text/event-stream"
        return answer.status, answer.headers, answer.read1() if is_stream else answer.read()


class Caller:
    def __init__(self, admins, authorization):
        self.admins = admins
        self.token = {"Authorization": authorization}
        self.document = json.loads(send(f"{admins[0]}/v1/openapi.json", "GET", None, self.token)[2])
        OpenAPIV31SpecValidator(self.document).validate()
        self.operations = {
            operation["operationId"]: (method.upper(), operation)
            for methods in self.document["paths"].values() for method, operation in methods.items()}
        self.configuration = send(f"{admins[0]}/v1/config", "GET", None, self.token)[2]
        self.count = 0

    def call(self, name, path, body, fields, expected):
        # Each call goes to another node: any can be asked.
        url = self.admins[self.count % len(self.admins)] + path
        self.count += 1
        method, operation = self.operations[name]
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        elif body == "THE CONFIGURATION":
            body = self.configuration
        status, headers, answer = send(url, method, body, self.token | fields)
        assert status == expected, f"{method} {path}: {status} instead of {expected}: {answer.decode()}"
        described = operation["responses"][str(status)]
        kind = headers["Content-Type"]
        assert kind in described["content"], f"{method} {path}: {kind} is not described"
        assert set(described.get("headers", {})) <= set(headers), f"{method} {path}: a described field is missing"
        if kind.endswith("json"):
            schema = strict(described["content"][kind]["schema"] | {"components": self.document["components"]})
            jsonschema.Draft202012Validator(schema).validate(json.loads(answer))


def check(admins, authorization):
    caller = Caller(admins, authorization)
    for call in CALLS:
        caller.call(*call)
    forgotten = set(caller.operations) - {name for name, *_, status in CALLS if status < 300}
    assert not forgotten, f"no call shows how {sorted(forgotten)} succeeds"
    print(f"api: {caller.count} calls of {len(caller.operations)} operations are answered as described")
