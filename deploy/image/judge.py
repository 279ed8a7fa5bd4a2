"""Judges the image of the service, as `docker save` writes it.

    judge.py IMAGE.tar Cargo.lock BYTES_MAX

Fails if it is not what it should be: one static program and the licences, run by a numbered user that
is not root, with its health check, its labels, and the list of what it is made of.
"""

import json
import re
import struct
import sys
import tarfile
import tomllib
import zlib

BINARY = "wecom-meeting-proxy"
FILES = {BINARY, "licenses/LICENSE-APACHE", "licenses/LICENSE-MIT"}
FOLDERS = {"etc", "etc/wecom-meeting-proxy", "licenses"}
LABELS = {"title", "description", "licenses", "revision", "version"}
# The kind of a segment that names a loader (PT_INTERP).
INTERPRETER = 3


def sections(elf):
    """Its sections by name, and the kinds of its segments."""
    assert elf[:6] == b"\x7fELF\x02\x01", "no 64-bit program"
    segments, headers = struct.unpack_from("<QQ", elf, 32)
    segment_size, segment_count, header_size, header_count, names = struct.unpack_from("<5H", elf, 54)
    kinds = {struct.unpack_from("<I", elf, segments + i * segment_size)[0] for i in range(segment_count)}

    def header(i):
        name, _, _, _, start, size = struct.unpack_from("<IIQQQQ", elf, headers + i * header_size)
        return name, elf[start : start + size]

    words = header(names)[1]
    named = {}
    for i in range(header_count):
        name, content = header(i)
        named[words[name : words.index(b"\0", name)].decode()] = content
    return named, kinds


def needed(dynamic):
    """Whether a library is asked for (DT_NEEDED, 1)."""
    return any(tag == 1 for tag, _ in struct.iter_unpack("<QQ", dynamic))


def main(image, lock, bytes_max):
    with tarfile.open(image) as saved:
        manifest = json.load(saved.extractfile("manifest.json"))[0]
        config = json.load(saved.extractfile(manifest["Config"]))
        files, folders, binary = {}, set(), b""
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=saved.extractfile(layer)) as content:
                for entry in content:
                    name = entry.name.strip("/")
                    if entry.isdir():
                        folders.add(name)
                        continue
                    assert entry.isfile(), f"{name} is neither a file nor a folder"
                    assert not entry.mode & 0o6022, f"{name} has mode {entry.mode:o}"
                    files[name] = entry.size
                    if name == BINARY:
                        binary = content.extractfile(entry).read()

    assert set(files) == FILES, f"files: {sorted(files)}"
    assert folders <= FOLDERS, f"folders: {sorted(folders)}"
    size = sum(files.values())
    assert size < bytes_max, f"{size} bytes are too many"

    run = config["config"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", run["User"]), run["User"]
    assert run["Entrypoint"] == [f"/{BINARY}"], run["Entrypoint"]
    assert run["Healthcheck"]["Test"] == ["CMD", f"/{BINARY}", "healthcheck"], run["Healthcheck"]
    assert run["StopSignal"] == "SIGTERM", run["StopSignal"]
    assert set(run["ExposedPorts"]) == {"8080/tcp", "9090/tcp"}, run["ExposedPorts"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in run["Labels"].items()}
    assert LABELS <= set(labels) and all(labels.values()), labels
    with open(lock, "rb") as file:
        locked = {(package["name"], package["version"]) for package in tomllib.load(file)["package"]}
    assert (BINARY, labels["version"]) in locked, f"version {labels['version']} is not Cargo.lock's"

    named, kinds = sections(binary)
    assert INTERPRETER not in kinds, "needs a loader"
    assert not needed(named.get(".dynamic", b"")), "needs libraries"
    parts = json.loads(zlib.decompress(named[".dep-v0"]))["packages"]
    assert [part["name"] for part in parts if part.get("root")] == [BINARY]
    unknown = [part for part in parts if (part["name"], part["version"]) not in locked]
    assert not unknown, f"not in Cargo.lock: {unknown}"
    assert {"hyper", "moka", "rustls", "tokio"} <= {part["name"] for part in parts}

    print(f"{size / 1e6:.1f} MB, of which {files[BINARY] / 1e6:.1f} the program; for {config['architecture']}")
    print(f"user {run['User']}, {len(files)} files, static, made of {len(parts)} crates as .dep-v0 tells")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
