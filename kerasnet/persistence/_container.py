"""The zip archive itself: its members, their sizes and hashes, and the limits within which it is read."""

import functools
import hashlib
import importlib.metadata
import json
import stat
import zipfile
from typing import NamedTuple

from kerasnet._files import atomic_file, log, read_bytes
from kerasnet._formats import check_sha256, open_zip, parse_json
from kerasnet.errors import CorruptFileError, DataFormatError, UnsafeFileError

FORMAT = 1
MANIFEST, STATE, WEIGHTS = "manifest.json", "state.json", "weights.npz"
OPTIMIZER, STEPS, TREES = "optimizer.npz", "steps.skops", "trees.npz"
_MEMBERS = {STATE, WEIGHTS, OPTIMIZER, STEPS, TREES}
_PACKAGES = ("kerasnet", "tensorflow", "keras", "scikit-learn", "skops", "numpy")


class Limits(NamedTuple):
    """What a file may ask for; the arguments of :func:`kerasnet.load`."""

    max_bytes: int = 2**30
    max_parameters: int = 2**28
    max_json_bytes: int = 2**22
    max_json_depth: int = 100
    max_members: int = 20_000


def write_archive(path, about, members, n_json_bytes=0):
    """Write an archive.

    Parameters
    ----------
    path : str or path-like
        The file; its folder must exist.
    about : dict
        What the manifest says beside format, versions and members, as JSON has it.
    members : dict of str to bytes
        Contents by name.
    n_json_bytes : int, default=0
        The size of JSON within a member.

    Returns
    -------
    needed : str
        The arguments that :func:`kerasnet.load` needs for it, beyond its defaults.
    """
    manifest = {
        "format": FORMAT,
        "versions": _versions(),
        **about,
        "members": {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in members.items()
        },
    }
    contents = {MANIFEST: json.dumps(manifest, indent=1).encode(), **members}
    with atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time: equal networks give equal files
            log.debug("%s: wrote the member %s", path, name)
    sizes = {name: len(content) for name, content in contents.items()}
    needed = {
        "max_bytes": sum(sizes.values()) + 1000 * len(sizes),
        "max_json_bytes": max(n_json_bytes, sizes[MANIFEST], sizes[STATE]),
    }
    return ", ".join(f"{name}={n}" for name, n in needed.items() if n > getattr(Limits(), name))


@functools.cache
def _versions():
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def read_archive(path, limits):
    """Read an archive and see that it is whole and of the plain form that it is written in.

    Parameters
    ----------
    path : str or path-like
        The file.
    limits : Limits
        What it may ask for.

    Returns
    -------
    manifest : dict
        What it says.
    members : dict of str to bytes
        Contents by name.

    Raises
    ------
    OSError, DataFormatError, UnsafeFileError, CorruptFileError
        As of :func:`kerasnet.load`.
    """
    content = read_bytes(path, max_bytes=limits.max_bytes)
    with open_zip(content, path, max_members=limits.max_members, kind="a .kerasnet archive", stored=True) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if MANIFEST not in infos:
            raise DataFormatError(
                f"{path}: expected a .kerasnet archive, which has a {MANIFEST}. Found a zip archive of "
                f"{sorted(infos)[:5]}; a .keras file is for keras.models.load_model."
            )
        for name, info in infos.items():
            _check_member(path, name, info, limits)
        manifest = parse_json(archive.read(MANIFEST), f"{path}: {MANIFEST}", max_depth=limits.max_json_depth)
        described = _check_manifest(path, manifest)
        if described.keys() != infos.keys() - {MANIFEST}:
            raise CorruptFileError(f"{path}: expected the members {sorted(described)}, found {sorted(infos)}.")
        members = {}
        for name, expected in described.items():
            if expected["size"] != infos[name].file_size:
                raise CorruptFileError(
                    f"{path}: {name}: expected {expected['size']} bytes, found {infos[name].file_size}."
                )
            members[name] = archive.read(name)
            check_sha256(members[name], expected["sha256"], f"{path}: {name}")
    return manifest, members


def _check_member(path, name, info, limits):
    """Refuse what :func:`write_archive` does not write."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name not in {MANIFEST, *_MEMBERS}:
        found = f"the member {name!r}"
    elif kind not in (0, stat.S_IFREG):
        found = f"{name} as something else than a file"
    elif name.endswith(".json") and info.file_size > limits.max_json_bytes:
        found = f"{name} of {info.file_size} bytes, more than max_json_bytes={limits.max_json_bytes}"
    else:
        return
    raise UnsafeFileError(f"{path}: expected members of a .kerasnet archive as kn.save writes them, found {found}.")


def _check_manifest(path, manifest):
    """Return what the manifest says of the members."""
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if type(version) is not int or version < 1:
        raise CorruptFileError(f"{path}: {MANIFEST}: expected a format of 1 or more, found {version!r}.")
    if not isinstance(manifest.get("versions"), dict) or not isinstance(manifest.get("class"), str):
        raise CorruptFileError(f"{path}: {MANIFEST}: expected versions and a class, found {sorted(manifest)}.")
    if version > FORMAT:
        raise DataFormatError(
            f"{path}: it is of format {version}, and this version of kerasnet reads formats up to {FORMAT}. "
            f"It was written by kerasnet {manifest['versions'].get('kerasnet')}: update kerasnet."
        )
    described = manifest.get("members")
    if not isinstance(described, dict) or not all(
        isinstance(each, dict) and type(each.get("size")) is int and isinstance(each.get("sha256"), str)
        for each in described.values()
    ):
        raise CorruptFileError(f"{path}: {MANIFEST}: expected the size and sha256 of each member, found {described!r}.")
    return described
