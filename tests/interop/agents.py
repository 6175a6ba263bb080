"""Real coding agents, headless, with the server configured as a user does it, against the model API on loopback.

The script is the same for all of them. What is asserted is what the model was offered and shown, from the API's own
record, and what the project's database says in the end; nothing that an agent prints counts.
"""

import json
import os
import re
import subprocess

from project import FAREWELL, GREETING, UNKNOWN
from registry import Npm

CLAUDE = Npm("@anthropic-ai/claude-code", "2.1.329")
CODEX = Npm("@openai/codex", "0.169.0")
GEMINI = Npm("@google/gemini-cli", "0.61.0")
OPENCODE = Npm("opencode-ai", "1.18.33")

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT = "Work on feature #%d of this project." % GREETING


def call(tool, feature_id):
    return {"tool": {"name": "*" + tool, "input": {"feature_id": feature_id}}}


# What the model does; the names are how the results are asked for below.
TURNS = {
    "read": dict(call("feature_get_by_id", GREETING), text="I will look at the feature."),
    "claimed": call("feature_claim_and_get", GREETING),
    "red": call("feature_mark_passing", GREETING),
    "shell": {"shell": "echo hello > greeting.txt && git add greeting.txt && git commit -q -m 'Say hello' && echo built"},
    "green": call("feature_mark_passing", GREETING),
    "unknown": call("feature_get_by_id", UNKNOWN),
    "as_text": call("feature_get_by_id", str(FAREWELL)),
    "end": {"text": "Feature %d passes." % GREETING},
}


class Api:
    """The model API, with a script; its record is read when the agent has ended."""

    def __init__(self, project, turns, script=None):
        self.turns = list(turns)
        self.record_file = os.path.join(project.root, "record.jsonl")
        self.bodies = os.path.join(project.root, "bodies")
        command = [project.program("mock-model-api"), "--exit-with-parent", "--record", self.record_file,
                   "--bodies", self.bodies, "--script", project.file("script.json", script or {"turns": list(turns.values())})]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        ready = self.process.stdout.readline()
        assert ready, "the model API did not start"
        self.url = json.loads(ready)["url"]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def saw(self):
        """Returns what the model was offered first, and {turn: the results of its calls as the model saw them}."""
        with open(self.record_file, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        main = [record["model"] for record in records if record.get("model") and record["model"]["turn"] != "side"]
        assert main, "the agent never asked its model: %s" % records
        results = {}
        for before, after in zip(main, main[1:]):
            results[self.turns[before["turn"]]] = "\n".join(after["results"])
        assert main[-1]["turn"] == len(self.turns) - 1, "the script was played up to %s: %s" % (
            main[-1]["turn"], results)
        return main[0], results

    def first_request(self):
        """Returns the whole of the first request that offered tools."""
        for name in sorted(os.listdir(self.bodies)):
            with open(os.path.join(self.bodies, name), encoding="utf-8") as file:
                body = json.load(file)["body"]
            if body.get("tools"):
                return body
        raise AssertionError("no request offered tools")


def played(project, turns, start):
    """Lets an agent play the script; `start(api)` runs it and returns (exit code, output). Returns what `saw` does,
    and the first request."""
    with Api(project, turns) as api:
        code, output = start(api)
        try:
            assert code == 0, "exit code %d" % code
            first, results = api.saw()
            return first, results, api.first_request()
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, output[-6000:])) from None


def judged(project, first, results, request, text_for_number=True):
    """Holds what the model saw to what it has to see, and the database to what was done."""
    for tool in ("feature_get_by_id", "feature_claim_and_get", "feature_mark_passing", "feature_get_ready"):
        assert any(name.endswith(tool) for name in first["tools"]), "%s is not offered: %s" % (tool, first["tools"])
    assert "Cogwork's feature database" in json.dumps(request), "the server's instructions do not reach the model"
    # Each agent wraps results in its own way, some in JSON once more.
    shown = {turn: re.sub(r"\s+", " ", text.replace("\\n", "\n").replace("\\", "")) for turn, text in results.items()}

    def shows(turn, *words):
        for word in words:
            assert word in shown[turn], "%s: %s is not in what the model saw: %s" % (turn, word, results[turn])

    shows("read", '"id":1', '"name":"Say hello"', '"status":"pending"', "grep -q hello greeting.txt")
    shows("claimed", '"status":"claimed"', '"claimed_by_you":true', "call feature_mark_passing with feature_id 1")
    shows("red", "Error (checks_failed): ", "no hello in greeting.txt")
    shows("shell", "built")
    shows("green", '"state":"passing"', '"proof":"red_green"', '"newly_ready":[2]')
    shows("unknown", "Error (not_found): ", str(UNKNOWN))
    if text_for_number:
        shows("as_text", '"id":2', '"name":"Say goodbye"')
    feature = project.feature(GREETING)
    assert (feature["status"], feature["proof"]) == ("passing", "red_green"), feature
    assert project.feature(FAREWELL)["status"] == "pending"


def claude(project, cache, turns, flags, **env):
    def start(api):
        return project.client(
            CLAUDE.program(cache, "claude"), "-p", PROMPT, "--output-format", "stream-json", "--verbose",
            "--permission-mode", "bypassPermissions", *flags,
            ANTHROPIC_BASE_URL=api.url, ANTHROPIC_API_KEY="dummy", IS_SANDBOX="1",
            CLAUDE_CONFIG_DIR=os.path.join(project.home, "claude"), CLAUDE_CODE_TMPDIR=project.env["TMPDIR"],
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1", DISABLE_AUTOUPDATER="1", DISABLE_TELEMETRY="1",
            DISABLE_ERROR_REPORTING="1", CLAUDE_CODE_MAX_RETRIES="1", **env)

    return played(project, turns, start)


def only(project, entry):
    """The flags with which Claude Code knows this one server and no settings at all, as programs start it."""
    config = project.file("mcp.json", {"mcpServers": {"cogwork": entry}})
    return ["--mcp-config", config, "--strict-mcp-config", "--setting-sources", ""]


def own_server(project, **more):
    """The entry of a server that the client starts itself."""
    server = project.server()
    return dict({"type": "stdio", "command": server[0], "args": server[1:]}, **more)


def claude_code(project, cache):
    project.install("claude")
    judged(project, *claude(project, cache, TURNS, []))


def claude_code_legacy(project, cache):
    """The same with `initialize`, as older versions and some settings have it."""
    flags = only(project, own_server(project, alwaysLoad=True))
    judged(project, *claude(project, cache, TURNS, flags, MCP_PROTOCOL_NEGOTIATION="legacy"))


def claude_code_deferred(project, cache):
    """Without `alwaysLoad`: the tools that the server marks are there at once, the others after a search."""
    search = {"tool": {"name": "ToolSearch", "input": {"query": "select:{{tool:feature_get_by_id}}"}}}
    first, results, request = claude(project, cache, {"search": search, **TURNS}, only(project, own_server(project)))
    offered = {name.rsplit("__", 1)[-1] for name in first["tools"] if name.startswith("mcp__cogwork__")}
    assert offered == {"feature_get_ready", "feature_claim_and_get", "feature_mark_passing"}, offered
    first["tools"].append("mcp__cogwork__feature_get_by_id")
    judged(project, first, results, request)


def claude_code_plugin(project, cache):
    """The plugin starts the `cogwork` that is found on PATH, in the directory that Claude Code was started in."""
    plugin = os.path.join(os.path.dirname(os.path.dirname(HERE)), "plugin")
    path = os.pathsep.join([project.programs, project.env["PATH"]])
    judged(project, *claude(project, cache, TURNS, ["--plugin-dir", plugin], PATH=path))


def codex(project, cache):
    def start(api):
        project.file("home/.codex/config.toml", "\n".join([
            'model = "mock-model"', 'model_provider = "mock"', 'approval_policy = "never"',
            'sandbox_mode = "danger-full-access"', "check_for_update_on_startup = false",
            "[analytics]", "enabled = false",
            "[model_providers.mock]", 'name = "Mock"', "base_url = %s" % json.dumps(api.url + "/v1"),
            'wire_api = "responses"', 'env_key = "MOCK_KEY"', "request_max_retries = 1", "stream_max_retries = 1",
            ""]))
        # Codex reads a project's own settings only where the user has said that they trust it.
        project.install("codex", "--scope", "user")
        return project.client(CODEX.program(cache, "codex"), "exec", "--json", PROMPT,
                              CODEX_HOME=os.path.join(project.home, ".codex"), MOCK_KEY="dummy")

    judged(project, *played(project, TURNS, start))


def gemini(project, cache):
    project.install("gemini")
    # As its dialog writes it down. With `--skip-trust` it would read a project's servers too late.
    project.file("home/.gemini/trustedFolders.json", {project.dir: "TRUST_FOLDER"})
    project.file("home/.gemini/settings.json", {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"disableAutoUpdate": True, "disableUpdateNag": True}})

    def start(api):
        return project.client(
            GEMINI.program(cache, "gemini"), "-p", PROMPT, "--yolo", "-m", "gemini-2.5-pro", "-o", "stream-json",
            GEMINI_API_KEY="dummy", GOOGLE_GEMINI_BASE_URL=api.url, GEMINI_CLI_NO_RELAUNCH="true")

    first, results, request = played(project, TURNS, start)
    # It refuses a text for a number itself; what matters is that the model is told.
    assert "must be integer" in results["as_text"], results["as_text"]
    judged(project, first, results, request, text_for_number=False)


def opencode(project, cache):
    project.install("opencode")

    def start(api):
        provider = {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": api.url + "/v1", "apiKey": "dummy"},
                    "models": {"mock-model": {"name": "Mock"}}}
        project.file("home/.config/opencode/opencode.json", {
            "$schema": "https://opencode.ai/config.json", "provider": {"mock": provider}, "model": "mock/mock-model",
            "permission": {"*": "allow"}, "autoupdate": False, "share": "disabled"})
        return project.client(
            OPENCODE.program(cache, "opencode"), "run", "--format", "json", PROMPT,
            OPENCODE_DISABLE_MODELS_FETCH="1", OPENCODE_DISABLE_AUTOUPDATE="1", OPENCODE_DISABLE_LSP_DOWNLOAD="1",
            OPENCODE_DISABLE_DEFAULT_PLUGINS="1",
            # It installs a package for plug-ins at its start; nobody is to answer it.
            NPM_CONFIG_REGISTRY="http://127.0.0.1:9/", npm_config_registry="http://127.0.0.1:9/")

    judged(project, *played(project, TURNS, start))


# Name, package, what it does, seconds it may take.
CASES = [
    ("claude-code", CLAUDE, claude_code, 90),
    ("claude-code-legacy", CLAUDE, claude_code_legacy, 90),
    ("claude-code-deferred", CLAUDE, claude_code_deferred, 90),
    ("claude-code-plugin", CLAUDE, claude_code_plugin, 90),
    ("codex", CODEX, codex, 90),
    ("gemini-cli", GEMINI, gemini, 90),
    ("opencode", OPENCODE, opencode, 120),
]
