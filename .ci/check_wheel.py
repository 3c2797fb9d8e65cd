"""Check that a wheel holds every file of the package, the licenses, and nothing else."""

import subprocess
import sys
import zipfile


def main(wheel):
    """Compare the wheel with the files that git tracks; return the exit status."""
    listed = subprocess.run(["git", "ls-files", "kerasnet"], capture_output=True, text=True, check=True)
    expected = set(listed.stdout.split())
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        about = archive.read(metadata).decode()
    package = {name for name in names if name.startswith("kerasnet/")}
    licenses = {name.rpartition("/")[2] for name in names if "/licenses/" in name}
    others = {name for name in names - package if ".dist-info/" not in name}
    complaints = [
        *(f"missing: {name}" for name in sorted(expected - package)),
        *(f"unexpected: {name}" for name in sorted((package - expected) | others)),
        *(f"missing license: {name}" for name in sorted({"LICENSE", "NOTICE"} - licenses)),
    ]
    if "License-Expression: Apache-2.0" not in about:
        complaints.append("the metadata name no license")
    print("\n".join(complaints) or f"{wheel.rpartition('/')[2]}: {len(package)} files of the package, all there")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
