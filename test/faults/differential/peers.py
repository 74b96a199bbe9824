"""Unpacks what it is told to, with Python's own zipfile and tarfile: JSON lines in, JSON lines out."""

import json
import sys
import tarfile
import zipfile


def unpack(kind, archive, into):
    if kind == "zip":
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(into)
    else:
        with tarfile.open(archive, "r:gz") as opened:
            # everything as it is, but nothing outside of the folder
            opened.extractall(into, filter="tar")


# older ones have no filters, and would write wherever a name points
kinds = ["zip", "tar.gz"] if hasattr(tarfile, "tar_filter") else ["zip"]
print(json.dumps({"version": sys.version.split()[0], "kinds": kinds}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    try:
        unpack(asked["kind"], asked["archive"], asked["into"])
        said = None
    except Exception as error:  # whatever it is, it is a refusal
        said = f"{type(error).__name__}: {error}"
    print(json.dumps({"error": said}), flush=True)
