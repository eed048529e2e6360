"""Judges the manifests of a folder by the schemas of Kubernetes, and prints them as JSON."""

import json
import pathlib
import sys

import kubernetes_validate
import yaml

# They are no part of Kubernetes, and have no schema at PyPI.
FOREIGN = {"Kustomization", "SpinApp"}

found = []
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml")):
    for document in yaml.safe_load_all(file.read_text()):
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, "1.37", strict=True)
        found.append({"file": file.name, **document})
print(json.dumps(found))
