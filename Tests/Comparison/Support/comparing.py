"""What counts as the same answer, and what is accepted to be another."""

import base64
import collections
import re

from answers import ABSENT

# Other on each server: they must be there, in this form, but are not compared.
MASKED = {
    "cluster_id": r"\d+", "member_id": r"\d+", "raft_term": r"\d+", "raftTerm": r"\d+", "raftIndex": r"\d+", "raftAppliedIndex": r"\d+",
    "dbSize": r"\d+", "dbSizeInUse": r"\d+", "hash": r"\d+", "leader": r"\d+",
    # Not a key's version, which has no dots.
    "version": r"\d+\.\d+\.\d+",
}
# Texts that only the decoders of JSON write.
DECODERS = re.compile(r"(invalid character|unexpected E|unexpected end|proto:|json:|illegal base64|unknown value|invalid grpc-timeout)")

# A difference that we want: what is odd about the request, the field, our answer, etcd's (regular expressions for the whole), and why.
Wanted = collections.namedtuple("Wanted", "tag field here there why")
WANTED = [
    Wanted(".*", "outcome|detail", ".*", ".*", "an error says in words what happened, and whether it left anything behind"),
    Wanted(".*", "error|message", ".*", DECODERS.pattern + ".*", "each decoder of JSON has words of its own; status and code are the same"),
    Wanted("trailing", "status", "400", "200|404|500", "what stands behind a message is refused: it is a mistake, or asks what nobody answers"),
    Wanted("many", "error|message", ".*", ".*key not found", "an empty or missing operation is refused where it is read, and called that"),
    Wanted("a put and an open or nested delete", "status|code|error|message", "400|3|.*duplicate key.*", ".*",
           "etcd overlooks that a key is put and deleted in one transaction, if the range has no end or the delete follows a nested put"),
    Wanted("large 2200000", "status", "400|413", "429", "a body that is too large is refused in one way, however much too large it is"),
    Wanted("path", "status", "404", "200|301|400", "a path is taken to the letter: one with `%72` for an `r` or a doubled `/` is another"),
    Wanted("deep", "status", "400", "200", "JSON that is nested deeper than any request is refused, before it can cost much"),
    Wanted("timeout '(-1S)?'", "status|code|error|message", "400|3|invalid grpc-timeout.*", ".*",
           "a deadline that is none is refused, not taken for no deadline or for one that is over"),
    Wanted("(type|enum) sort_(order|target) .*", "status", "400", "200", "a number that names no order is refused, not ignored"),
    Wanted("alarm", "status", "501", "200", "the store raises its alarm itself, and clears it when there is room again"),
    Wanted("hostile stream", "status|code|error|message", ".*", ".*", "a stream that cannot be read is refused as any request is"),
    Wanted("watch.*", "watch .*", ".*", ".*compact.*", "a watch that has missed nothing is not ended by a compaction"),
    Wanted("limit without an order", "kvs.*", ".*", ".*", "what is sorted is cut after that; etcd cuts before, if no order is given"),
]


def normal(value, server, name=""):
    """The value without what is the server's own: masked fields, and leases that the server chose."""
    if isinstance(value, dict):
        value = {field: normal(below, server, field) for field, below in value.items()}
        if {"code", "message"} <= value.keys():
            # The newer of etcd's two layers leaves `error`, which says the same, out.
            value.setdefault("error", value["message"])
            if value["code"] == 4:
                # Of two ends of one connection either may be the one that notices.
                value |= {"error": "deadline", "message": "deadline"}
        return value
    if isinstance(value, list):
        value = [normal(below, server, name) for below in value]
        # A lease's keys come in no order.
        if name == "leases":
            # etcd's begin with the one that ends first; only the leader knows that.
            return sorted(value, key=lambda lease: str(lease.get("ID")) if isinstance(lease, dict) else "")
        return sorted(value) if name == "keys" else value
    if name in MASKED and re.fullmatch(MASKED[name], str(value)):
        return "there"
    if isinstance(value, str) and (alias := server.aliases.get(value)):
        return alias
    if isinstance(value, str) and name in ("key", "keys") and server.aliases:
        try:
            text = base64.b64decode(value).decode()
        except ValueError:
            return value
        prefix, _, suffix = text.rpartition("/")
        return f"{prefix}/{server.aliases[suffix]}" if suffix in server.aliases else value
    return value


def flat(value, path="", into=None):
    """{path: leaf} of a value. Empty lists and objects are leaves."""
    into = {} if into is None else into
    if isinstance(value, dict) and value:
        for name, below in value.items():
            flat(below, f"{path}.{name}" if path else name, into)
    elif isinstance(value, list) and value:
        for index, below in enumerate(value):
            flat(below, f"{path}[{index}]", into)
    else:
        into[path] = value
    return into


def same(field, one, other):
    if type(one) is type(other) and one == other:
        return True
    if field.endswith("TTL") and ABSENT not in (one, other):
        try:
            # Time passes between the servers' turns.
            return abs(int(one) - int(other)) <= 2 and int(one) > 2
        except ValueError:
            return False
    return False


def compare(tag, etcds, ours):
    """The differences of our answer from those of etcd: [(field, ours, theirs, category)].

    The category is "different" where all etcds agree with each other, "neither" where they do not and we are like none of them,
    or the reason in WANTED.
    """
    etcds, ours = [flat(answer) for answer in etcds], flat(ours)
    found = []
    for field in dict.fromkeys(name for answer in (*etcds, ours) for name in answer):
        theirs, here = [answer.get(field, ABSENT) for answer in etcds], ours.get(field, ABSENT)
        if any(same(field, there, here) for there in theirs):
            continue
        agreed = all(same(field, theirs[0], there) for there in theirs)
        wanted = next((row.why for row in WANTED if matches(row, tag, field, here, theirs)), None)
        found.append((field, here, theirs, wanted or ("different" if agreed else "neither")))
        if field == "status" and agreed:
            # Then all other fields differ as well.
            break
    return found


def matches(row, tag, field, here, theirs):
    name = re.sub(r"\[\d+\]", "", field).lstrip(".")
    return (re.fullmatch(row.tag, tag) and re.fullmatch(row.field, name) and re.fullmatch(row.here, str(here), re.DOTALL)
            and any(re.fullmatch(row.there, str(there), re.DOTALL) for there in theirs))


def watched(lines):
    """A watch stream as it is compared: by watch, the order of what came, with the events of neighbouring results joined.

    How many revisions a result holds is the server's affair, but none may be split over two unless it says so.
    """
    watches, last = {}, {}
    for line in lines:
        result = line.get("result") if isinstance(line, dict) else None
        if not isinstance(result, dict):
            watches.setdefault("not a result", []).append(line)
            continue
        identity = result.get("watch_id", "0")
        if identity == "-1" and not result.get("created"):
            watches["progress"] = "there"
            continue
        entries = watches.setdefault(f"watch {identity}", [])
        events = result.get("events", [])
        if events:
            revisions = [int(event["kv"]["mod_revision"]) for event in events]
            if last.get(identity, 0) >= revisions[0] or int(result["header"]["revision"]) < revisions[-1]:
                entries.append({"fault": f"revision {revisions[0]} after {last.get(identity)}, header {result['header']['revision']}"})
            last[identity] = 0 if result.get("fragment") else revisions[-1]
            if not entries or "events" not in entries[-1]:
                entries.append({"events": []})
            entries[-1]["events"] += events
        if result.get("created") or result.get("canceled"):
            entries.append({name: value for name, value in result.items() if name != "events"})
    return {**watches, **({"waits": True} if not lines else {})}
