"""Makes what the fuzzer starts from: `seeds.py FOLDER` writes FOLDER/blueprint/*, FOLDER/archive/*,
FOLDER/pattern/* and FOLDER/snapshot/*. What can be written by hand is in fuzz/corpus.

The blueprints are those of tests/oracle/corpus: one of each section, function and mistake.
"""

import io
import json
import pathlib
import sys
import tarfile
import zipfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/oracle"))
SMALL = b"tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nnode_templates:\n  a: {type: cloudify.nodes.Root}\n"
FILES = {"bp/blueprint.yaml": SMALL, "bp/scripts/run.sh": b"echo\n", "bp/more/types.yaml": b"inputs: {}\n"}

# One of each kind of node, with a text that matches.
PATTERNS = [
    (r"(?=.*[0-9])(?=.*[a-z]).{4,}$", "abc1"),
    (r"(?!admin)[a-z]+$", "user"),
    (r".*(?<=x)y(?<!z)", "axy"),
    (r"(ab|c)\1$", "abab"),
    (r"(?P<q>[xy]).(?P=q)\Z", "xax"),
    (r"(?i:aB)c(?-i:d)", "ABcd"),
    ("(?x) a  b # both\nc", "abc"),
    (r"(?ms)^a.b$", "a\nb"),
    (r"(a)?b(?(1)c|d)", "abc"),
    (r"(?>a+)a++b*?c{,2}d{1,3}?e{2}", "aaabccdee"),
    (r"[^\W_a-c\]]+\b\B\d\s\D\S\w", "xy"),
    (r"\x41\u0042\103\A\n\.", "ABC"),
    (r"(a*)*(?#why)|(a|b)+?$", "aab"),
]


def tar(mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("bp/link.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "blueprint.yaml"
        archive.addfile(link)
    return out.getvalue()


def packed():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return out.getvalue()


def snapshot():
    out = io.BytesIO()
    manifest = {"format": "windlass-snapshot", "format_version": 1, "schema": 1, "created_at": "2026-01-01T00:00:00.000Z", "tables": [],
                "blobs": {"count": 0, "sha256": ""}, "sealed": {}}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("tables/sites.jsonl", '["pier"]\n')
    return out.getvalue()


def main(folder):
    folder = pathlib.Path(folder)
    for name in ("blueprint", "archive", "pattern", "snapshot"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, content in {"tar": tar("w"), "tar.gz": tar("w:gz"), "tar.bz2": tar("w:bz2"), "zip": packed()}.items():
        (folder / "archive" / name).write_bytes(content)
    (folder / "snapshot" / "zip").write_bytes(snapshot())
    for number, (pattern, text) in enumerate(PATTERNS):
        (folder / "pattern" / str(number)).write_text(f"{pattern}\0{text}", "utf-8")
    from cases import CORPUS, Case

    for path in sorted(CORPUS.glob("*.yaml")):
        topic = yaml.safe_load(path.read_text("utf-8"))
        if "cases" not in topic:
            continue
        for number, given in enumerate(topic["cases"]):
            case = Case(path.stem, topic.get("header", ""), given)
            text = case.files.get(case.main_file, "")
            (folder / "blueprint" / f"{path.stem}-{number}").write_text(text, "utf-8")


main(sys.argv[1])
