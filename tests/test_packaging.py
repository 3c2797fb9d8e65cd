"""What setup.cfg says is what is tested: the oldest versions of dependencies, and Python versions."""

import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def test_oldest_constraints_are_the_lower_bounds_of_all_dependencies():
    lines = (ROOT / ".ci" / "oldest-constraints.txt").read_text().splitlines()
    tested = dict(line.removesuffix(".*").split("==") for line in lines if not line.startswith("#"))
    required = SETUP["options"]["install_requires"].split() + re.findall(
        r"polars\S+", SETUP["options.extras_require"]["test"]
    )
    bounds = dict(re.match(r"([\w-]+)[>=]=([\d.]+?)(?:\.\*)?(?:,|$)", each).groups() for each in required)
    assert tested == bounds


def test_python_versions_are_those_that_ci_runs_on():
    stated = re.findall(r"Python :: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert stated == re.findall(r'python: "([\d.]+)", command: .ci/run', workflow)
    assert SETUP["options"]["python_requires"] == f">={stated[0]}"
