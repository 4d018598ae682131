"""
What is shipped, as CycloneDX 1.6: this project and its locked libraries that apply here. `python -m requirements.sbom FOLDER`.

cyclonedx-py reads licenses and who needs whom from what is installed beside it; the hashes come from the lock, which has one for
each file of a library: pip installed one of these. The same lock gives the same bytes.
"""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name
from pip_requirements_parser import InstallRequirement, RequirementsFile

from cleaner import __version__

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "runtime.txt"


def main() -> None:
    """Write it into the folder that is named."""
    target = Path(sys.argv[1]) / f"gitjob-cleaner-{__version__}.cdx.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(sbom(), encoding="utf-8")
    print(target)  # noqa: T201


def sbom(lock: Path = LOCK) -> str:
    """Make it from a lock. Raises SystemExit where what is installed is not what is locked."""
    locked = [each for each in RequirementsFile.from_file(str(lock)).requirements if each.match_marker()]
    document = _described([_installed(each) for each in locked])
    document["metadata"]["component"]["version"] = __version__
    hashes = {canonicalize_name(str(each.name)): each.hash_options for each in locked}
    for component in document["components"]:
        component["externalReferences"] = [
            *component.get("externalReferences", ()),
            _files(component["purl"], hashes[canonicalize_name(component["name"])]),
        ]
    return _valid(json.dumps(document, indent=2, sort_keys=True) + "\n")


def _installed(locked: InstallRequirement) -> Distribution:
    found = distribution(str(locked.name))
    if not locked.specifier.contains(found.version):
        sys.exit(f"{locked.name} is installed as {found.version}, but locked is {locked.specifier}: make install")
    return found


def _described(libraries: Iterable[Distribution]) -> dict[str, Any]:
    """Let cyclonedx-py look at an environment with nothing but these in it: with what it knows of them, none of their code."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, symlinks=True)
        (packages,) = Path(folder).glob("lib/python*/site-packages")
        for library in libraries:
            metadata = _metadata(library)
            (packages / metadata.name).symlink_to(metadata)
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--spec-version", "1.6"]
        described = subprocess.run(  # noqa: S603 # with arguments of ours
            [*command, "--pyproject", str(ROOT / "pyproject.toml"), folder], check=True, capture_output=True, text=True
        )
    document: dict[str, Any] = json.loads(described.stdout)
    return document


def _metadata(library: Distribution) -> Path:
    (found,) = (file for file in library.files or () if file.name == "METADATA")
    return Path(str(library.locate_file(found))).parent


def _files(purl: str, hashes: Iterable[str]) -> dict[str, Any]:
    contents = sorted(each.removeprefix("sha256:") for each in hashes)
    listed = [{"alg": "SHA-256", "content": content} for content in contents]
    return {"type": "distribution", "url": purl, "comment": "its files, one of which is installed", "hashes": listed}


def _valid(text: str) -> str:
    trouble = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if trouble is not None:
        sys.exit(f"this is no CycloneDX: {trouble}")
    return text


if __name__ == "__main__":
    main()
