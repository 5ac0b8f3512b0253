"""Puts all mutants into one copy of the code, each behind a switch: a function that a patch changes gets the patched body as a branch,

    mutating func forget(through index: LogIndex) {
      if activeMutant == 135 {
        log.forget(through: min(index, commitIndex))
        return
      }
      log.forget(through: min(index, min(commitIndex, durableIndex)))
    }

so that one build serves them all. `CORACLE_MUTANT` says in the environment which is active; without it, the code runs as it is.
"""
import difflib
import re

# What each module with a mutant in it gets.
SWITCH = """
import Glibc

@usableFromInline let activeMutant: Int = getenv("CORACLE_MUTANT").flatMap { Int(String(cString: $0)) } ?? 0
"""

TYPE = re.compile(r"\b(struct|class|enum|extension|protocol|actor)\b")
DECLARATION = re.compile(
    r"^[ \t]*(?:@\w+(?:\([^)\n]*\))?[ \t]+)*"
    r"(?:(?:public|package|internal|fileprivate|private|static|final|mutating|nonmutating|override|consuming|borrowing|indirect|convenience"
    r"|required|lazy|weak|nonisolated|(?:public|package|internal|fileprivate|private)\(set\))[ \t]+)*"
    r"(func|init|deinit|subscript|var|let|struct|class|enum|extension|protocol|actor|case|typealias|import|associatedtype)\b", re.M)
ACCESSOR = re.compile(r"(?:@\w+\s+)*(?:mutating\s+|nonmutating\s+)?(get|set|willSet|didSet|_read|_modify)\b")
# What does not begin an expression.
STATEMENT = re.compile(r"(return|let|var|guard|for|while|repeat|do|throw|defer|break|continue)\b")
# What goes on with the statement of the line before.
CONTINUATION = re.compile(r"[.?:)\]}&|+\-*/<>=,]|else\b|catch\b|where\b|case\b|default\b")


class NotSwitchable(Exception):
    """The patch changes more than bodies of functions."""


def masked(text):
    """The same text, with spaces for all that stands in comments and strings: what braces and words are left are the code's."""
    out = list(text)
    position = 0

    def blank(start, end):
        for at in range(start, end):
            if out[at] != "\n":
                out[at] = " "

    while position < len(text):
        if text.startswith("//", position):
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
        elif text.startswith("/*", position):
            end = text.index("*/", position) + 2
        elif match := re.compile(r'(#*)("""|")').match(text, position):
            end = end_of_string(text, match.end(), match[1], match[2])
        else:
            position += 1
            continue
        blank(position, end)
        position = end
    return "".join(out)


def end_of_string(text, position, hashes, quote):
    """Behind the closing quote; an interpolation may hold strings of its own."""
    while not text.startswith(quote + hashes, position):
        if text.startswith("\\" + hashes + "(", position):
            position += 2 + len(hashes)
            depth = 1
            while depth:
                if match := re.compile(r'(#*)("""|")').match(text, position):
                    position = end_of_string(text, match.end(), match[1], match[2])
                    continue
                depth += {"(": 1, ")": -1}.get(text[position], 0)
                position += 1
        elif text[position] == "\\" and not hashes:
            position += 2
        else:
            position += 1
    return position + len(quote) + len(hashes)


class Body:
    """Of a function, an initializer or an accessor: the text between its braces."""

    def __init__(self, start, end, gives_value):
        self.start, self.end, self.gives_value = start, end, gives_value


def bodies(text):
    """All of them, in the order in which they stand. Functions inside functions belong to the outer one."""
    code = masked(text)
    found = []
    scan(code, 0, len(code), found)
    return found


def scan(code, start, end, found):
    """The members between `start` and `end`, a file or a type."""
    position = header = start
    depth = 0
    while position < end:
        character = code[position]
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if character == "{" and depth == 0:
            close = closing(code, position)
            declarations = list(DECLARATION.finditer(code, header, position))
            if declarations:
                member(code, declarations[-1], position, close, found)
            position = header = close + 1
        else:
            position += 1


def closing(code, position):
    depth = 0
    for at in range(position, len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return at
    raise NotSwitchable("braces do not match")


def member(code, declaration, opening, close, found):
    kind = declaration[1]
    header = code[declaration.end():opening]
    if TYPE.fullmatch(kind):
        scan(code, opening + 1, close, found)
    elif kind in ("init", "deinit"):
        found.append(Body(opening + 1, close, False))
    elif kind == "func":
        found.append(Body(opening + 1, close, "->" in after_parameters(header)))
    elif kind in ("var", "subscript") and not re.search(r"(?<![=!<>])=(?!=)", header):
        inside = code[opening + 1:close]
        if not ACCESSOR.match(inside.lstrip()):
            found.append(Body(opening + 1, close, True))
            return
        for accessor in ACCESSOR.finditer(code, opening + 1, close):
            brace = code.find("{", accessor.end(), close)
            if brace >= 0 and (not found or found[-1].end <= accessor.start()):
                found.append(Body(brace + 1, closing(code, brace), accessor[1] == "get"))


def after_parameters(header):
    """The part of a function's header behind its parameters."""
    position = header.index("(")
    depth = 0
    for at in range(position, len(header)):
        depth += {"(": 1, ")": -1}.get(header[at], 0)
        if depth == 0:
            return header[at + 1:]
    return header


def returns(text, gives_value):
    """The body, made such that it ends its function wherever it stands."""
    if not gives_value:
        return text.rstrip() + "\n  return\n"
    return "return " + text.lstrip() if is_expression(text) else text


def is_expression(text):
    """Whether it is nothing but an expression, whose value is the function's: `if` and `switch` may be one, or a statement with returns."""
    code = masked(text)
    depth, statements, branches = 0, 0, False
    for line in code.splitlines():
        words = line.strip()
        if words and depth == 0 and not (statements and CONTINUATION.match(words)):
            statements += 1
            branches = bool(re.match(r"(if|switch)\b", words))
            if STATEMENT.match(words):
                return False
        if branches and depth == 1 and re.search(r"\breturn\b", words):
            return False
        depth += sum({"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(character, 0) for character in line)
    return statements == 1


def changed_bodies(original, patched):
    """The bodies that differ, as places in `bodies(original)` with their new text."""
    old, new = bodies(original), bodies(patched)
    if len(old) != len(new):
        raise NotSwitchable("a function comes or goes")
    if outside(original, old) != outside(patched, new):
        raise NotSwitchable("something outside the bodies of functions changes")
    texts = [(original[a.start:a.end], patched[b.start:b.end]) for a, b in zip(old, new)]
    return {place: after for place, (before, after) in enumerate(texts) if before != after}


def outside(text, all_bodies):
    parts, position = [], 0
    for body in all_bodies:
        parts.append(text[position:body.start])
        position = body.end
    return parts + [text[position:]]


def merge(original, variants):
    """The file with all its variants: `variants` has for each place in `bodies` the mutants' numbers and texts."""
    parts, position = [], 0
    for place, body in enumerate(bodies(original)):
        if place not in variants:
            continue
        text = original[body.start:body.end]
        parts.append(original[position:body.start])
        for number, variant in variants[place]:
            parts.append(f"\n  if activeMutant == {number} {{\n  {returns(variant, body.gives_value)}\n  }}\n")
        parts.append("  " + ("return " + text.lstrip() if body.gives_value and is_expression(text) else text))
        position = body.end
    return "".join(parts) + original[position:]
