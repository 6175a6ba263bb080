"""The client libraries and the Inspector: each lists the tools and walks through the same calls.

The programs in `clients/` run inside the client's own environment and print what they saw; what it has to be stands
here, once for all of them.
"""

import json
import os
import shutil

from project import FAREWELL, GREETING, UNKNOWN
from registry import Npm, PyPI

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = {"feature_claim_and_get", "feature_explain", "feature_get_blocked", "feature_get_by_id", "feature_get_graph",
         "feature_get_ready", "feature_get_stats", "feature_get_summary", "feature_mark_passing", "feature_search"}
INSPECTOR = Npm("@modelcontextprotocol/inspector", "2.12.0")
TYPESCRIPT = Npm("@modelcontextprotocol/sdk", "1.32.2")
PYTHON_1 = PyPI("mcp", "1.30.0")
PYTHON_2 = PyPI("mcp", "2.3.0")
FASTMCP = PyPI("fastmcp", "4.1.2")


def call(tool, feature_id):
    return {"tool": tool, "arguments": {"feature_id": feature_id}}


def walk(project, command, **plan):
    """Lets a client program walk through the calls, and holds what it saw to what it has to be."""
    greeting = os.path.join(project.dir, "greeting.txt")
    plan.update(server=project.server(), cwd=project.dir, env=project.env, steps=[
        call("feature_get_by_id", GREETING),
        call("feature_claim_and_get", GREETING),
        call("feature_mark_passing", GREETING),
        {"write": greeting, "text": "hello\n"},
        call("feature_mark_passing", GREETING),
        call("feature_get_by_id", UNKNOWN),
        call("feature_get_by_id", str(FAREWELL)),
    ])
    code, output = project.client(*command, project.file("plan.json", plan))
    assert code == 0, output
    saw = json.loads(output.strip().splitlines()[-1])
    judged(project, saw)
    return saw


def judged(project, saw):
    missing = TOOLS - set(saw["tools"])
    assert not missing, "these tools are not listed: %s" % sorted(missing)
    assert saw["server"] in ("cogwork", None), saw["server"]
    read, claimed, red, green, unknown, as_text = saw["answers"]
    for answer in (read, claimed, green, as_text):
        succeeded(answer)
    assert (read["structured"]["id"], read["structured"]["status"]) == (GREETING, "pending"), read
    assert claimed["structured"]["claimed_by_you"] is True, claimed
    failed(red, "checks_failed", "no hello in greeting.txt")
    marked = green["structured"]
    assert (marked["state"], marked["proof"]) == ("passing", "red_green"), green
    assert marked["newly_ready"] == [FAREWELL], green
    failed(unknown, "not_found", str(UNKNOWN))
    assert as_text["structured"]["id"] == FAREWELL, as_text
    feature = project.feature(GREETING)
    assert (feature["status"], feature["proof"]) == ("passing", "red_green"), feature


def succeeded(answer):
    assert not answer["is_error"], answer
    assert json.loads(answer["text"]) == answer["structured"], "text and structure differ: %s" % answer


def failed(answer, code, detail):
    assert answer["is_error"] and answer["structured"] is None, answer
    assert answer["text"].startswith("Error (%s): " % code) and detail in answer["text"], answer


def python_sdk_1(project, cache):
    saw = walk(project, [PYTHON_1.python(cache), os.path.join(HERE, "clients", "python_sdk_1.py")])
    assert saw["protocol"] == "2025-11-25", saw["protocol"]


def python_sdk_2(project, cache):
    command = [PYTHON_2.python(cache), os.path.join(HERE, "clients", "python_sdk_2.py")]
    saw = walk(project, command, mode="auto")
    assert saw["protocol"] == "2026-07-28", saw["protocol"]


def python_sdk_2_legacy(project, cache):
    command = [PYTHON_2.python(cache), os.path.join(HERE, "clients", "python_sdk_2.py")]
    saw = walk(project, command, mode="legacy")
    assert saw["protocol"] == "2025-11-25", saw["protocol"]


def fastmcp(project, cache):
    saw = walk(project, [FASTMCP.python(cache), os.path.join(HERE, "clients", "fastmcp_4.py")])
    # An output schema that does not fit its answers would leave nothing but plain data.
    typed = [answer["typed"] for answer in saw["answers"] if not answer["is_error"]]
    assert all(typed), saw["answers"]


def typescript_sdk(project, cache):
    command = [shutil.which("node"), os.path.join(HERE, "clients", "typescript_sdk_1.mjs")]
    walk(project, command, sdk=TYPESCRIPT.place(cache))


def inspector(project, cache):
    """Each command is a client and a server of its own, so what is claimed is given back at once."""
    servers = {era: {"type": "stdio", "command": project.server()[0], "args": project.server()[1:],
                     "cwd": project.dir, "protocolEra": era} for era in ("legacy", "modern")}
    config = project.file("inspector.json", {"mcpServers": servers})
    cli = [INSPECTOR.program(cache, "mcp-inspector"), "--cli", "--config", config]

    for era in servers:
        def asked(*args, era=era):
            return project.client(*cli, "--server", era, "--format", "json", "--method", *args)

        code, output = asked("tools/list", "--strict")
        assert code == 0, output
        missing = [tool for tool in TOOLS if '"%s"' % tool not in output]
        assert not missing, "%s: these tools are not listed: %s" % (era, missing)

        def called(tool, feature_id):
            # As JSON, because a single argument would be made to fit the schema before it is sent.
            arguments = json.dumps({"feature_id": feature_id})
            return asked("tools/call", "--tool-name", tool, "--tool-args-json", arguments)

        for tool, word in (("feature_get_by_id", "Say hello"), ("feature_claim_and_get", "claimed_by_you")):
            code, output = called(tool, GREETING)
            assert code == 0 and word in output, "%s %s: %s" % (era, tool, output)
        code, output = called("feature_get_by_id", str(GREETING))
        assert code == 0 and "Say hello" in output, "%s, text for a number: %s" % (era, output)
        for tool, feature_id, word in (("feature_get_by_id", UNKNOWN, "not_found"),
                                       ("feature_mark_passing", GREETING, "conflict")):
            code, output = called(tool, feature_id)
            assert code == 5 and word in output, "%s %s: exit code %d, %s" % (era, tool, code, output)
    assert project.feature(GREETING)["status"] == "pending", "a claim outlived its server"


# Name, package, what it does, seconds it may take.
CASES = [
    ("inspector", INSPECTOR, inspector, 120),
    ("python-sdk-1", PYTHON_1, python_sdk_1, 30),
    ("python-sdk-2", PYTHON_2, python_sdk_2, 30),
    ("python-sdk-2-legacy", PYTHON_2, python_sdk_2_legacy, 30),
    ("fastmcp", FASTMCP, fastmcp, 30),
    ("typescript-sdk", TYPESCRIPT, typescript_sdk, 30),
]
