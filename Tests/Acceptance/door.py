#!/usr/bin/env python3
"""Both HTTP ports at the door: what is read strictly, what HTTP demands, what pages of other sites may not do, and that a body which costs
much to refuse costs the others nothing."""

import gzip
import json
import pathlib
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import Cluster, check, encoded, request, run, socket_address, step

# The slowest answer of /health while bodies that are refused come in, in seconds. Without load it takes a millisecond or two.
SLOWEST_HEALTH = 0.5


def raw(address, data, ends_sending=False, timeout=5):
    """Sends bytes, and returns all that comes back until the other side closes. Raises if it does not."""
    received = b""
    with socket.create_connection(socket_address(address), timeout=timeout) as sock:
        sock.sendall(data)
        if ends_sending:
            sock.shutdown(socket.SHUT_WR)
        while (part := sock.recv(65536)):
            received += part
    return received


def post(path, body, fields=b"Host: x\r\n", version=b"1.1"):
    return b"POST %s HTTP/%s\r\n%sContent-Length: %d\r\n\r\n%s" % (path, version, fields, len(body), body)


def put(key, fields=b"Host: x\r\n", version=b"1.1", path=b"/v3/kv/put"):
    return post(path, b'{"key":"%s","value":"dg=="}' % encoded(key).encode(), fields, version)


def test_strictness(node):
    for key in ("a", "b", "c"):
        check(node.put(key, "v").status == 200, "no write")
    answer = node.call("/v3/kv/deleterange", {"key": encoded("a"), "Range_End": encoded("c")})
    check(answer.body.get("deleted") == "1", f"a name that is almost known deleted other keys: {answer.body}")
    check(node.get("b") == b"v", "b is gone")
    for body in (
        b'{"key":"Yg==","range_end":"Yw==","rangeEnd":"ZA=="}', b'{"key":"Yg==","key":"Yw=="}', b'{"key":"Yg==",}', b'\xef\xbb\xbf{"key":"Yg=="}',
        b'{"key":"Yg=="}{"key":"Yw=="}', b'{"key":"Y\ng=="}', b'{"key":"Yg==","x":01}', b"",
    ):
        answer = request(node.client, "POST", "/v3/kv/deleterange", body)
        check(answer.status == 400, f"{body!r}: answered with {answer.status}: {answer.body!r}")
    check(node.get("b") == b"v" and node.get("c") == b"v", "a body that was refused deleted something")
    step("a body is read to the letter, and refused otherwise; nothing is deleted by mistake")
    lease = {"success": [{"request_put": {"key": encoded("l"), "lease": "5"}}], "failure": []}
    check(node.call("/v3/kv/txn", lease).status == 404, "a lease that there is not, in the branch taken")
    lease = {"failure": lease["success"], "success": [{"request_put": {"key": encoded("l"), "value": encoded("v")}}]}
    check(node.call("/v3/kv/txn", lease).status == 200 and node.get("l") == b"v", "a lease that there is not, in the other branch")
    step("an unknown lease matters in the branch that is taken")


def test_cost(node):
    """Two clients send, again and again, 3 MiB that are refused or mean nothing; a third looks at /health."""
    size = (3 << 20) - 100
    slowest = 0
    for name, opening, filling in (
        ("comparisons", b'{"compare":[', b"{},"), ("operations", b'{"success":[', b'{"request_range":{"key":"YQ=="}},'),
        ("unknown objects", b'{"x":[', b"{},"), ("unknown names", b"{", b'"k":1,'), ("escapes", b'{"key":"', b"\\u0041"), ("blanks", b"{", b" "),
        ("brackets", b'{"x":', b"["), ("digits", b'{"limit":', b"1"),
    ):
        body = opening + filling * (size // len(filling))
        ending = threading.Event()
        answers = []

        def flood():
            while not ending.is_set():
                answers.append(request(node.client, "POST", "/v3/kv/txn", body).status)

        threads = [threading.Thread(target=flood, daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        until, worst = time.monotonic() + 2, 0
        while time.monotonic() < until:
            began = time.monotonic()
            check(request(node.client, "GET", "/health").status == 200, "not healthy")
            worst = max(worst, time.monotonic() - began)
        ending.set()
        for thread in threads:
            thread.join(30)
        check(answers and set(answers) == {400}, f"{name}: answered with {set(answers)}")
        check(worst < SLOWEST_HEALTH, f"{name}: /health took {worst:.2f} s, at most {SLOWEST_HEALTH} s is allowed")
        slowest = max(slowest, worst)
    step(f"while bodies of 3 MiB are refused, /health takes {1000 * slowest:.0f} ms at most")


def test_http(node):
    answer = raw(node.client, put("half"), ends_sending=True)
    check(answer.startswith(b"HTTP/1.1 200 ") and node.get("half") == b"v", f"a client that ended its sending half got {answer!r}")
    form = b"target=https%3A%2F%2Fa.example%2F&slug=half"
    fields = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    answer = raw(node.links, post(b"/_links", form, fields), ends_sending=True)
    check(answer.startswith(b"HTTP/1.1 201 "), f"links: a client that ended its sending half got {answer!r}")
    step("a client that ends its sending half gets its answer, on both ports")

    for name, address, path in (("clients", node.client, b"/health"), ("links", node.links, b"/_health")):
        with socket.create_connection(socket_address(address), timeout=5) as sock:
            for _ in range(3):
                sock.sendall(b"GET %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" % path)
                answer = sock.recv(65536)
                check(answer.startswith(b"HTTP/1.0 200 ") and b"\r\nconnection: keep-alive\r\n" in answer.lower(), f"{name}: HTTP/1.0: {answer!r}")
        began = time.monotonic()
        answer = raw(address, b"GET %s HTTP/1.0\r\n\r\n" % path)
        check(b"200 OK" in answer and time.monotonic() - began < 2, f"{name}: an HTTP/1.0 connection was kept: {answer!r}")
        for fields, status in ((b"", b"400"), (b"Host: a\r\nHost: b\r\n", b"400"), (b"Host: a b\r\n", b"400"), (b"Host: a\r\n", b"200")):
            answer = raw(address, b"GET %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (path, fields))
            check(answer.startswith(b"HTTP/1.1 " + status), f"{name}: {fields!r} was answered with {answer[:60]!r}")
        answer = raw(address, b"GET http://a.example%s HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n" % path)
        check(answer.startswith(b"HTTP/1.1 200 "), f"{name}: an absolute target was answered with {answer[:60]!r}")
    answer = raw(node.client, put("absolute", b"Host: x\r\nConnection: close\r\n", path=b"http://x/v3/kv/put"))
    check(node.get("absolute") == b"v", f"a put to an absolute target was answered with {answer!r}")
    export = raw(node.links, b"GET /_links.csv HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    check(b"chunked" not in export and export.split(b"\r\n\r\n")[1].startswith(b"slug,target,"), f"an export over HTTP/1.0: {export[:300]!r}")
    step("HTTP/1.0, absolute targets and the field Host are as the standards say, on both ports")
    for path, status in (("/h%61lf", 302), ("/%68%61%6c%66", 302), ("/half%2F", 404), ("/%", 404), ("/%5flinks", 404)):
        answer = request(node.links, "GET", path)
        check(answer.status == status, f"{path} was answered with {answer.status}")
    step("a slug may be percent-encoded")


def test_pages(node):
    own = "http://" + node.links
    for name, fields in (
        ("a page of another site", {"Origin": "http://evil.example"}), ("a page of nobody's", {"Origin": "null"}),
        ("the other port", {"Origin": own + "0"}), ("a browser that says so", {"Sec-Fetch-Site": "cross-site"}),
        ("a name that leads here", {"Origin": "http://evil.example", "Host": "evil.example"}),
    ):
        for path in ("put", "deleterange", "txn"):
            answer = request(node.client, "POST", f"/v3/kv/{path}", json.dumps({"key": encoded("b"), "value": ""}), fields)
            check(answer.status == 403 and json.loads(answer.body)["code"] == 7, f"{name}: {path} was answered with {answer}")
        if "Host" in fields:
            continue
        for method, path, kind, body in (
            ("POST", "/_links", "application/x-www-form-urlencoded", "target=https%3A%2F%2Fa.example%2F&slug=evil"),
            ("POST", "/_links", "application/json", '{"target":"https://a.example/","slug":"evil"}'),
            ("POST", "/_links.csv", "text/csv", "slug,target\nevil,https://a.example/\n"), ("DELETE", "/_links/half", "text/plain", ""),
            ("PUT", "/_links/half", "application/json", '{"target":"https://evil.example/"}'),
        ):
            answer = request(node.links, method, path, body, {"Content-Type": kind, **fields})
            check(answer.status == 403, f"{name}: {method} {path} was answered with {answer.status}: {answer.body!r}")
    check(request(node.client, "POST", "/v3/kv/put", "{}", {"Content-Type": "text/plain"}).status == 415, "text/plain was not refused")
    check(node.get("b") == b"v", "a page of another site changed a key")
    check(request(node.links, "GET", "/evil").status == 404, "a page of another site made a link")
    check(request(node.links, "GET", "/half").headers["Location"] == "https://a.example/", "a page of another site changed a link")
    fields = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", "Origin": own}
    check(request(node.links, "POST", "/_links", "target=https%3A%2F%2Fa.example%2F&slug=own", fields).status == 303, "the form does not work")
    fields = {"Content-Type": "application/x-www-form-urlencoded"}
    check(request(node.client, "POST", "/v3/kv/put", json.dumps({"key": encoded("curl"), "value": ""}), fields).status == 200, "curl -d")
    step("pages of other sites change nothing on either port; the form of the start page and programs do")


def test_imports(node):
    rows = "slug,target\r\ni1,https://a.example/\r\ni2,https://b.example/?x=1;2\r\n"
    for name, body, word in (
        ("UTF-16", rows.encode("utf-16"), "UTF-16"), ("UTF-16 without a mark", rows.encode("utf-16-le"), "UTF-16"),
        ("gzip", gzip.compress(rows.encode()), "gzip"), ("lone carriage returns", rows.replace("\n", "").encode(), "carriage return"),
        ("an open quotation mark", b'"' + rows.encode(), "quotation mark"), ("a long one", b'"' + rows.encode() * 200, "quotation mark"),
        ("another header", b"x,y\r\n", "slug,target"), ("nothing", b"", "slug,target"),
    ):
        answer = request(node.links, "POST", "/_links.csv", body, {"Content-Type": "text/csv"})
        check(answer.status == 400, f"an import of {name} was answered with {answer.status}: {answer.body!r}")
        check(word in json.loads(answer.body)["stopped"]["message"], f"an import of {name}: the answer does not say {word!r}: {answer.body!r}")
    for separator in (",", ";", "\t"):
        body = rows.replace(",", separator).encode("utf-8-sig")
        answer = request(node.links, "POST", "/_links.csv", body, {"Content-Type": "text/csv"})
        check(answer.status == 200, f"an import with {separator!r} was answered with {answer.status}: {answer.body!r}")
        done = json.loads(answer.body)
        refused = 1 if separator == ";" else 0
        check((done["created"] + done["same"], done["refused"]) == (2 - refused, refused), f"an import with {separator!r}: {done}")
    check(request(node.links, "GET", "/i2").headers["Location"] == "https://b.example/?x=1;2", "an import made another link")
    step("an import whose header cannot be read is refused with the reason; semicolons and tabs are understood")


def test(directory):
    with Cluster(directory, size=1) as cluster:
        node = cluster.nodes[0]
        test_strictness(node)
        test_http(node)
        test_pages(node)
        test_imports(node)
        test_cost(node)


run(test)
