#!/usr/bin/env python3
"""Packs what a release offers to MCP clients: the bundle (.mcpb) of one platform, and the entry for the MCP registry.

    packaging/pack.py bundle --binary target/release/cogwork-mcp --target x86_64-unknown-linux-gnu --out dist
    packaging/pack.py registry --out dist/server.json dist/*.mcpb

Python 3.9 and nothing else. The same input gives the same bytes, so that a hash that was published can be checked by
building again. The manifests beside this file are the source; what is known only after the build is filled in here.
"""

import argparse
import hashlib
import json
import stat
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RELEASES = "https://github.com/cogwork/cogwork/releases/download"

# A zip knows no year before 1980; every file has this time.
TIMELESS = (1980, 1, 1, 0, 0, 0)

# What clients call the systems of our targets.
PLATFORMS = {"linux": "linux", "darwin": "darwin", "windows": "win32"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    bundle_args = commands.add_parser("bundle", help="pack the server of one platform")
    bundle_args.add_argument("--binary", type=Path, required=True, help="the cogwork-mcp of a release build")
    bundle_args.add_argument("--target", required=True, help="what it was built for, such as x86_64-unknown-linux-gnu")
    bundle_args.add_argument("--out", type=Path, required=True, help="the directory for the bundle")
    registry_args = commands.add_parser("registry", help="write the registry's server.json for these bundles")
    registry_args.add_argument("--out", type=Path, required=True)
    registry_args.add_argument("bundles", nargs="+", type=Path)
    args = parser.parse_args()
    if args.command == "bundle":
        bundle(args.binary, args.target, args.out)
    else:
        registry(args.bundles, args.out)


def bundle(binary, target, out):
    """Writes the bundle and says its name and hash."""
    platform = next((name for word, name in PLATFORMS.items() if word in target), None)
    if platform is None:
        sys.exit(f"the target {target} names none of {', '.join(PLATFORMS)}")
    if not binary.is_file():
        sys.exit(f"there is no file {binary}: build it with `cargo build --release -p cogwork-mcp`")
    manifest = read("mcpb/manifest.json")
    manifest["compatibility"] = {"platforms": [platform]}
    if platform == "win32":
        server = manifest["server"]
        server["entry_point"] += ".exe"
        server["mcp_config"]["command"] += ".exe"
    files = [
        ("manifest.json", (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode(), 0o644),
        (manifest["server"]["entry_point"], binary.read_bytes(), 0o755),
        ("LICENSE-APACHE", (ROOT / "LICENSE-APACHE").read_bytes(), 0o644),
        ("LICENSE-MIT", (ROOT / "LICENSE-MIT").read_bytes(), 0o644),
    ]
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"cogwork-mcp-{manifest['version']}-{target}.mcpb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data, mode in files:
            info = zipfile.ZipInfo(name, TIMELESS)
            info.create_system = 3  # Unix, or the mode is not read
            info.external_attr = (stat.S_IFREG | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=9)
    print(f"{digest(path)}  {path}")


def registry(bundles, out):
    """Writes server.json with one package for each bundle."""
    entry = read("server.json")
    version = entry["version"]
    for path in bundles:
        if not path.name.startswith(f"cogwork-mcp-{version}-"):
            sys.exit(f"{path} is not a bundle of version {version}")
    entry["packages"] = [
        {
            "registryType": "mcpb",
            # The version is in the address; some releases of the registry refuse a field for it here.
            "identifier": f"{RELEASES}/v{version}/{path.name}",
            "fileSha256": digest(path),
            "transport": {"type": "stdio"},
        }
        for path in sorted(bundles)
    ]
    out.write_text(json.dumps(entry, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(out)


def read(name):
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
