"""The parts of set-up that Python's standard library has: run by xtask with `python3 -c`.

probe FOLDER                            prints JSON: free bytes, glibc, where PyTorch is installed
load LIBRARY                            loads a shared library; its complaint goes to stderr
extract WHEEL SHA256 FOLDER PATTERN...  checks a wheel and extracts what matches

Exit status of `extract`: 0 done, 3 wrong hash (the found one on stdout), 4 disk full, 1 anything else.
"""
import errno
import fnmatch
import hashlib
import json
import os
import shutil
import sys
import zipfile


def probe(folder):
    # The current folder stands first in the path; a folder `torch` in it is not PyTorch.
    sys.path[:] = [entry for entry in sys.path if entry]
    import importlib.util
    spec = importlib.util.find_spec("torch")
    locations = list(spec.submodule_search_locations or []) if spec else []
    try:
        glibc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        glibc = ""
    print(json.dumps({
        "free": shutil.disk_usage(folder).free,
        "glibc": glibc.split()[-1] if glibc else "",
        "torch": locations[0] if locations else None,
    }))


def load(library):
    import ctypes
    try:
        ctypes.CDLL(library)
    except OSError as error:
        sys.exit(str(error))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def extract(wheel, expected, folder, *patterns):
    try:
        found = sha256(wheel)
        if found != expected:
            print(found)
            sys.exit(3)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                    archive.extract(name, folder)
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(4 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 1)
    except zipfile.BadZipFile as error:
        sys.exit(str(error))


{"probe": probe, "load": load, "extract": extract}[sys.argv[1]](*sys.argv[2:])
