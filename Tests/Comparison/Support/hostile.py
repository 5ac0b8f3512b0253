"""Requests that the gateway must refuse, or take although they are odd: each kind by a function, which gets the drawer.

None changes anything on a server that takes it, so that one which does is not left behind by one which does not.
"""

import base64
import json

from asking import Request
from cluster import encoded

# JSON for a field of `range`, by what is odd about it.
FIELDS = {
    "type": (["key", "range_end", "limit", "revision", "serializable", "sort_order", "keys_only"],
             ['"x"', "5", "true", "[]", "{}", "null", "1.5", '""', '"5"', "false"]),
    "bytes": (["key", "range_end"], [
        '"YQ"', '"YQ="', '"YQ==="', '"Y Q=="', '"_-8="', '"%%"', '"YQ==\\n"', "[97]", '"\\u0059Q=="', '"é"']),
    "integer": (["limit", "revision"], [
        "1.0", "1e2", '"1.0"', '" 1"', "-0", "01", "9223372036854775808", '"-9223372036854775809"', "1e400", "NaN", '"0x1"', '"+1"']),
    "enum": (["sort_order", "sort_target"], ['"BOGUS"', '"ascend"', '"1"', "1.0", "2147483648", '""', "true"]),
}
DEEP = 300
ODD = [
    b"", b"{", b"}", b"null", b"[]", b'"x"', b"5", b"true", b"\x00", b"\xef\xbb\xbf{}", b'{"key":"\xff"}', b'{"key":"azE=","x":"\xff"}',
    b"{key:1}", b"{'key':1}", b'{"key":"azE=",}', b'  \n\t{"key":"azE="}\r\n ', b'{"key" "azE="}', b'{"key":"azE=" "limit":1}',
    b'{"\\u006bey":"azE="}', b'{"key":"a\nzE="}', b'{"key":"azE=","x":"\\ud800"}', b'{"key":"azE=","x":"\\x"}', b'{"key":tru}',
    b'{"key":"azE=","x":-}', b'{"key":"azE=","x":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
]
TWICE = [b'{"key":"azE=","key":"azI="}', b'{"key":"azE=","range_end":"azI=","rangeEnd":"azM="}', b'{"key":null,"key":"azE="}']
# Writes that nobody can take.
WRITES = [
    ("kv/put", b'{"key":"azE=","value":5}'), ("kv/put", b'{"key":{},"value":"YQ=="}'), ("kv/put", b'{"key":"azE=","lease":"x"}'),
    ("kv/put", b'{"key":"azE=","lease":1.5}'), ("kv/put", b'{"key":"azE=","prev_kv":"true"}'), ("kv/deleterange", b'{"key":[[]]}'),
    ("lease/grant", b'{"TTL":"x","ID":11}'), ("lease/grant", b'{"TTL":1.5}'), ("kv/txn", b'{"success":"x"}'),
    ("kv/txn", b'{"success":[5]}'), ("kv/txn", b'{"compare":{}}'), ("kv/compaction", b'{"revision":"x"}'),
    ("kv/txn", b'{"success":[{"request_put":{"key":5}}]}'), ("lock/lock", b'{"name":5}'), ("election/campaign", b'{"name":"%%"}'),
]
PATHS = [
    "/v3/nothing", "/v3/kv", "/v3/kv/range/", "/v3/KV/range", "/", "/v4/kv/range", "/v3/kv/lease/grant", "/v3/kv/lease/keepalive",
    "/v3//kv/range", "/v3/kv/%72ange", "/v3/lease", "/v3/watch/x", "/v3alpha/kv/range",
]
STREAMS = [
    b"", b"{}", b"{", b"[]", b"null", b"5", b'{"create_request":null}', b'{"create_request":5}', b'{"create_request":{"key":"%%"}}',
    b'{"create_request":{"key":"azE="}} x', b'{"create_request":{"key":"azE=","filters":"NOPUT"}}', b'{"bogus":{}}',
    b'{"cancel_request":{"watch_id":3}}', b'{"ID":"x"}', b'{"ID":11}{"ID":999}', b'{"ID":11}\n{"ID":12}\n', b'{"ID":11}\nxx',
    b'{"name":5}', b'{"create_request":{"key":"azE=","start_revision":"x"}}', b'{"create_request":{"key":"azE=","filters":[9]}}',
    b'{"create_request":{"key":"azE="},"cancel_request":{"watch_id":0}}', b'{"create_request":{"range_end":"AA=="}}', b"\x00",
]


def draw(drawer):
    kind = drawer.pick(
        *[field] * 8, *[cut] * 3, *[odd] * 3, deep, unknown, trailing, twice, method, path, write, many, large, timeout, content_type,
        names)
    return kind(drawer)


def request(path, body, tag, **others):
    return Request(f"/v3/{path}", body, tag, **others)


def harmless(drawer):
    """The path and body of a good request that changes nothing, whatever becomes of it."""
    compare = {"compare": [drawer.compare()], "success": [{"request_range": {"key": drawer.key()}}]}
    return drawer.pick(
        ("kv/range", drawer.range()), ("kv/range", drawer.range()), ("kv/txn", compare), ("lease/timetolive", {"ID": 11, "keys": True}),
        ("lease/revoke", {"ID": 999}), ("election/leader", {"name": encoded("e")}), ("kv/compaction", {"revision": 2**40}))


def cut(drawer):
    where, body = harmless(drawer)
    text = json.dumps(body)
    return request(where, text[:drawer.random.randint(0, len(text) - 1)].encode(), "cut")


def field(drawer):
    kind = drawer.pick(*FIELDS)
    name, value = (drawer.random.choice(values) for values in FIELDS[kind])
    key = "" if name == "key" else '"key":"azE=",'
    return request("kv/range", f'{{{key}"{name}":{value}}}'.encode(), f"{kind} {name} {value}")


def odd(drawer):
    return request("kv/range", drawer.pick(*ODD), "odd JSON")


def deep(drawer):
    return request("kv/range", b'{"key":"azE=","x":' + b"[" * DEEP + b"]" * DEEP + b"}", "deep")


def unknown(drawer):
    where, body = harmless(drawer)
    name, value = drawer.pick("bogus", "Key", "KEY", "grpc"), drawer.pick(None, 5, "x", [1, {"a": None}], {"key": {}})
    return request(where, {**body, name: value}, "unknown field")


def trailing(drawer):
    where, body = harmless(drawer)
    return request(where, (json.dumps(body) + drawer.pick(" ", "\n\n", "x", "{}", "]", "\0")).encode(), "trailing")


def twice(drawer):
    return request("kv/range", drawer.pick(*TWICE), "field twice")


def method(drawer):
    where, body = harmless(drawer)
    word = drawer.pick("GET", "PUT", "DELETE", "PATCH")
    return request(where, None if word == "GET" else body, "method", method=word)


def path(drawer):
    odd_path = request("", harmless(drawer)[1], "path")
    odd_path.path = drawer.pick(*PATHS)
    return odd_path


def write(drawer):
    return request(*drawer.pick(*WRITES), "wrong types in a write")


def many(drawer):
    operations = [{"request_range": {"key": drawer.key()}}] * drawer.pick(127, 128, 129)
    body = drawer.pick(
        {"success": operations}, {"failure": operations}, {"compare": [drawer.compare()] * len(operations)},
        {"success": [{"request_txn": {"success": operations}}]}, {"success": [{}]}, {"success": [None]},
        {"success": [{"request_put": None}]})
    return request("kv/txn", body, "many")


def large(drawer):
    """Seldom large indeed: it takes its time."""
    size = drawer.pick(1_500_000, 1_572_864, 2_200_000) if drawer.chance(0.1) else 10_000
    return request("kv/put", {"key": drawer.key() or "azE=", "value": base64.b64encode(b"x" * size).decode()}, f"large {size}")


def timeout(drawer):
    text = drawer.pick("xx", "1", "1x", "-1S", "", "1S", "5000m", "S")
    return request(*harmless(drawer), f"timeout '{text}'", headers={"Grpc-Timeout": text})


def content_type(drawer):
    return request(
        *harmless(drawer), "content type", headers={"Content-Type": drawer.pick("text/xml", "application/x-www-form-urlencoded", "x")})


def names(drawer):
    camel = {"rangeEnd": "azg=", "sortOrder": "DESCEND", "keysOnly": True, "minModRevision": "1", "countOnly": False}
    return request("kv/range", {"key": "azE=", **camel}, "names")
