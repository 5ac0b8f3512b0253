"""Compares answers in JSON field by field."""

import re

ABSENT = "(absent)"


def differences(expected, actual, path=""):
    """Where two values of JSON differ: [(path, expected, actual)]. Paths look like `kvs[0].key`; the whole is the empty path."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for name in [*expected, *(name for name in actual if name not in expected)]:
            below = f"{path}.{name}" if path else name
            found += differences(expected.get(name, ABSENT), actual.get(name, ABSENT), below)
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        found = []
        for index in range(max(len(expected), len(actual))):
            one, other = (values[index] if index < len(values) else ABSENT for values in (expected, actual))
            found += differences(one, other, f"{path}[{index}]")
        return found
    # In Python 1 == True and 1 == 1.0; in JSON they are not the same.
    return [] if type(expected) is type(actual) and expected == actual else [(path, expected, actual)]


def kind(path):
    """The path without the numbers of its elements: what differs, whichever element it is in."""
    return re.sub(r"\[\d+\]", "[]", path)
