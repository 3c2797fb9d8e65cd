"""Read archives, change them, and write them with updated hashes."""

import hashlib
import io
import json
import zipfile

import numpy as np


class Crafted:
    """The members of an archive, which can be changed and written.

    Attributes
    ----------
    manifest, state : dict and list
        The parsed manifest and state.
    members : dict of str to bytes
        The other members.
    """

    def __init__(self, path):
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        self.manifest, self.state = json.loads(members.pop("manifest.json")), json.loads(members.pop("state.json"))
        self.members = members

    @property
    def arrays(self):
        return dict(np.load(io.BytesIO(self.members["weights.npz"])))

    @arrays.setter
    def arrays(self, arrays):
        self.members["weights.npz"] = npz_of(arrays)

    @property
    def network(self):
        return self.manifest["networks"][0]

    @property
    def schema(self):
        return json.loads(self.step_files()["schema.json"])

    @schema.setter
    def schema(self, schema):
        self.members["steps.skops"] = zip_of({**self.step_files(), "schema.json": json.dumps(schema).encode()})

    def step_files(self):
        with zipfile.ZipFile(io.BytesIO(self.members["steps.skops"])) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def node(self, name, schema=None):
        """Return the first node of a class in the schema, which can be changed in place."""
        pending = [self.schema if schema is None else schema]
        while pending:
            node = pending.pop(0)
            if isinstance(node, dict):
                if node.get("__class__") == name and "__loader__" in node:
                    return node
                pending += node.values()
            elif isinstance(node, list):
                pending += node
        raise LookupError(name)

    def write(self, path, *, update_hashes=True):
        """Write the archive, by default with updated sizes and hashes in the manifest."""
        contents = {"state.json": json.dumps(self.state).encode(), **self.members}
        manifest = dict(self.manifest)
        if update_hashes:
            manifest["members"] = {
                name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in contents.items()
            }
        path.write_bytes(zip_of({"manifest.json": json.dumps(manifest).encode(), **contents}))


def zip_of(contents, compression=zipfile.ZIP_STORED):
    """Return a zip archive as bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return written.getvalue()


def npz_of(arrays, save=np.savez):
    """Return an npz file as bytes."""
    written = io.BytesIO()
    save(written, **arrays)
    return written.getvalue()
