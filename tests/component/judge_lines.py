"""Judges lines of JSON by schemas of an OpenAPI 3.1 document.

Reads {"document": …, "lines": [{"schema": [names, from the document's root], "line": …}]} and
writes, for each line, what is wrong with it.
"""

import json
import sys

from jsonschema_rs import Draft202012Validator


def wrong(document, path, line):
    pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
    validator = Draft202012Validator(
        {**document, "$ref": "#" + pointer},
        validate_formats=True,
    )
    return [error.message for error in validator.iter_errors(line)]


given = json.load(sys.stdin)
judged = [wrong(given["document"], each["schema"], each["line"]) for each in given["lines"]]
json.dump(judged, sys.stdout)
