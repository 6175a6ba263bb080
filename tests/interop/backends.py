#!/usr/bin/env python3
"""Real coding agents, driven by `cogwork run` through whole features, limits, refusals and full conversations.

    COGWORK_INTEROP_CACHE=DIR tests/interop/backends.py [--programs DIR] [--mock FILE] [AGENT[/SCENARIO]...]

DIR holds the agents as npm installs them, one directory each. Each case gets a project, a home and a model API of
its own, on loopback; no agent sees a login of the user. What counts is the project's database and the session's
journal, never what an agent prints. One line for each case, `ok|FAILED|skipped AGENT/SCENARIO SECONDS`, and 1 at the
end when one failed.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

CACHE = {
    "claude": "anthropic-ai-claude-code-2.1.329", "codex": "openai-codex-0.169.0",
    "gemini": "google-gemini-cli-0.61.0", "opencode": "opencode-ai-1.18.33",
    "acp-claude": "agentclientprotocol-claude-agent-acp-0.49.0", "acp-gemini": "google-gemini-cli-0.61.0",
    "acp-opencode": "opencode-ai-1.18.33",
}
PROGRAM = {"acp-claude": "claude-agent-acp", "acp-gemini": "gemini", "acp-opencode": "opencode"}

BUILT = "printf 'hello\\n' > built.txt && git add built.txt && git commit -q -m 'Greet' && echo committed"


def call(tool):
    return {"tool": {"name": "*" + tool, "input": {"feature_id": 1}}}


# A whole feature: looked at, handed in too soon and refused, built, handed in again.
FEATURE = [
    dict(call("feature_get_by_id"), text="I will look at the feature."), call("feature_mark_passing"),
    {"shell": BUILT}, {"write": {"path": "notes.md", "content": "done\n"}}, call("feature_mark_passing"),
    {"text": "The feature is done."},
]


def error(status, message="no", retry_after=None, times=0, **more):
    turn = {"error": dict({"status": status, "message": message}, **more), "times": times}
    return turn if retry_after is None else dict(turn, retry_after=retry_after)


# What each service says of a used-up account.
ANTHROPIC_LIMIT = error(429, times=1, headers={
    "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-representative-claim": "five_hour",
    "anthropic-ratelimit-unified-reset": "{{now+8}}"})
OPENAI_LIMIT = error(
    429, times=1, body={"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached",
                                  "plan_type": "pro", "resets_at": "{{now+8}}"}},
    headers={"x-codex-primary-used-percent": "100", "x-codex-primary-window-minutes": "300",
             "x-codex-primary-reset-at": "{{now+8}}"})
# With a limit of 0 it does not ask again by itself.
GOOGLE_LIMIT = error(429, times=1, body={"error": {
    "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You have exhausted your quota on this model, limit: 0. "
    "Your quota will reset after 8s."}})
# In the same words as a service of one's own may have; a refusal that is not to be tried again.
OTHER_LIMIT = error(403, "You've hit your limit · resets in 8s", times=1)
LIMITS = {"claude": ANTHROPIC_LIMIT, "codex": OPENAI_LIMIT, "gemini": GOOGLE_LIMIT, "opencode": OTHER_LIMIT,
          "acp-claude": ANTHROPIC_LIMIT, "acp-gemini": GOOGLE_LIMIT, "acp-opencode": OTHER_LIMIT}
TOO_LONG = {"error": {"status": 400, "body": {"error": {
    "type": "invalid_request_error", "code": "context_length_exceeded",
    "message": "prompt is too long: 215000 tokens > 200000 maximum"}}}, "times": 0}


def scenarios(agent):
    """{name: (turns, what the session, or its first pause, has to come to)}"""
    limit = LIMITS[agent]
    return {
        "feature": (FEATURE, "completed"),
        "limit": ([limit] + FEATURE, "usage_limit -> completed"),
        "limit-later": (FEATURE[:3] + [limit] + FEATURE[3:], "usage_limit -> completed"),
        "bad-key": ([error(401, "invalid api key")], "auth"),
        "throttled": ([error(429, "Too many requests", 1)], "throttled"),
        "broken": ([error(500, "oops")], "transient"),
        "too-long": ([TOO_LONG], "context_full"),
        "gives-up": ([call("feature_get_by_id"), {"text": "I could not do it. All features are passing. 429."}],
                     "completed, not passing"),
        # Nothing that the agent starts sees the secret of the attempt; its MCP server does, or it could not write.
        "token": ([{"shell": "env | grep -v '^CLAUDE_' | grep -Ec 'COGWORK_TOKEN=|[^0-9a-z]1-[0-9a-f]{12}' | "
                            "sed 's/^/secrets: /'"}] + FEATURE,
                  "completed"),
    }


class Place:
    """A project, a home, a model API."""

    def __init__(self, options, agent, turns):
        self.options, self.agent = options, agent
        self.root = tempfile.mkdtemp(prefix="cogwork-backends-", dir=options.work)
        self.dir, self.home = os.path.join(self.root, "project"), os.path.join(self.root, "home")
        self.env = {"PATH": os.environ["PATH"], "HOME": self.home, "LANG": "C.UTF-8", "TMPDIR": self.root,
                    "GIT_CONFIG_NOSYSTEM": "1"}
        self.file("home/.gitconfig", "[user]\nname = Ann\nemail = ann@example.org\n")
        self.file("project/README", "hi\n")
        self.api = subprocess.Popen(
            [options.mock, "--exit-with-parent", "--record", os.path.join(self.root, "record.jsonl"),
             "--script", self.file("script.json", {"turns": turns})],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.api.stdout.readline())["url"]
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "Begin"]):
            subprocess.run(["git", "-C", self.dir, *words], check=True, env=self.env)
        self.cogwork("import", self.file("features.json", {"features": [{
            "key": "greet", "name": "Greeting", "description": "Write built.txt", "checks": ["grep -q hello built.txt"]}]}))

    def file(self, name, content):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def cogwork(self, *words):
        done = subprocess.run([os.path.join(self.options.programs, "cogwork"), *words, "--project-dir", self.dir],
                              env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def run(self, seconds, until):
        """Runs until it ends, or until its journal holds one of the words in `until`; returns what it printed."""
        flags, env = agent_flags(self)
        words = [os.path.join(self.options.programs, "cogwork"), "run", "--project-dir", self.dir, *flags,
                 "--concurrency", "1", "--attempts", "1", "--limit-jitter-s", "2"]
        path = os.path.join(self.root, "out.txt")
        with open(path, "w", encoding="utf-8") as file:
            process = subprocess.Popen(words, env=dict(self.env, **env), stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=subprocess.STDOUT)
        end = time.time() + seconds
        while process.poll() is None and time.time() < end and not any(word in self.journal_text() for word in until):
            time.sleep(0.2)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError("it did not end when it was asked to") from None
        with open(path, encoding="utf-8") as file:
            return process.returncode, file.read()

    def journal_text(self):
        try:
            with open(os.path.join(self.dir, ".cogwork/sessions/s1/journal.ndjson"), encoding="utf-8") as file:
                return file.read()
        except OSError:
            return ""

    def came_to(self):
        """Returns what the session came to, its pauses first, as `usage_limit -> completed`."""
        words = []
        for line in self.journal_text().splitlines():
            event = json.loads(line)["event"] if line.endswith("}") else {}
            if event.get("type") == "waiting":
                words.append(event["because"]["outcome"])
            elif event.get("type") == "ended":
                words.append(event["outcome"]["outcome"])
        if words[-1:] == ["completed"] and json.loads(self.cogwork("show", "1", "--json"))["feature"]["status"] != "passing":
            words[-1] = "completed, not passing"
        return " -> ".join(words)

    def left(self):
        """Returns the processes that still carry the mark of the project."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as file:
                    if b"COGWORK_MARKER=" + self.dir.encode() in file.read():
                        found.append(pid)
            except OSError:
                pass
        return found

    def close(self):
        self.api.kill()
        self.api.communicate()
        if not self.options.keep:
            shutil.rmtree(self.root, ignore_errors=True)


def installed(options, agent):
    program = os.path.join(options.cache, CACHE[agent], "node_modules", ".bin", PROGRAM.get(agent, agent))
    return program if os.path.exists(program) else None


def passed(names):
    return [word for name in names for word in ("--pass-env", name)]


def agent_flags(place):
    """How `cogwork run` is told about the agent, and the environment of a user who has set it up."""
    program, url = installed(place.options, place.agent), place.url
    protocol, _, agent = place.agent.rpartition("-")
    command = program + {"claude": "", "gemini": " --acp --skip-trust -m gemini-2.5-pro", "opencode": " acp"}.get(agent, "")
    flags = ["--agent", "acp:" + command] if protocol else ["--agent", agent, "--program", program]
    if agent == "claude":
        # With a key there are no limits of a subscription.
        env = {"ANTHROPIC_BASE_URL": url, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy"}
        if protocol:
            env.update(CLAUDE_CODE_MAX_RETRIES="2", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1")
    elif agent == "codex":
        place.file("home/.codex/config.toml", "\n".join([
            'model = "mock-model"', 'model_provider = "mock"', "[analytics]", "enabled = false",
            "[model_providers.mock]", 'name = "Mock"', "base_url = %s" % json.dumps(url + "/v1"),
            'wire_api = "responses"', 'env_key = "OPENAI_API_KEY"', "request_max_retries = 1", ""]))
        env = {"OPENAI_API_KEY": "dummy"}
    elif agent == "gemini":
        place.file("home/.gemini/settings.json", "// a user's own\n" + json.dumps({
            "security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False}, "general": {"maxAttempts": 3}}))
        flags += [] if protocol else ["--model", "gemini-2.5-pro"]
        env = {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": url}
    else:
        place.file("home/.config/opencode/opencode.json", {
            "$schema": "https://opencode.ai/config.json", "model": "mock/mock-model", "permission": {"*": "allow"},
            "provider": {"mock": {"npm": "@ai-sdk/openai-compatible", "models": {"mock-model": {"name": "Mock"}},
                                  "options": {"baseURL": url + "/v1", "apiKey": "dummy"}}}})
        # It installs a package for plug-ins at its start, and asks for a list of models; nobody is to answer it.
        env = {"NPM_CONFIG_REGISTRY": "http://127.0.0.1:9/", "npm_config_registry": "http://127.0.0.1:9/",
               "OPENCODE_DISABLE_MODELS_FETCH": "1"}
        return flags + passed(env), env
    return flags + (passed(env) if protocol else []), env


def play(options, agent, name):
    turns, expected = scenarios(agent)[name]
    ends = expected.endswith("completed") or expected.startswith("completed")
    place = Place(options, agent, turns)
    try:
        # A long wait is not waited out.
        code, output = place.run(options.seconds, [] if ends else ['"type":"waiting"'])
        found = place.came_to()
        assert name != "token" or "secrets: 0" in place.journal_text(), place.journal_text()[-3000:]
        left = place.left()
        assert not left, "processes are left: %s" % left
        assert (found if ends else found.split(" -> ")[0]) == expected, "came to `%s`, exit code %s, not to `%s`\n%s\n%s" % (
            found, code, expected, output[-1500:],
            "\n".join(line[:400] for line in place.journal_text().splitlines()[-12:]))
        return found
    finally:
        place.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="AGENT[/SCENARIO]")
    parser.add_argument("--cache", default=os.environ.get("COGWORK_INTEROP_CACHE")
                        or os.path.join(ROOT, "target", "interop"))
    parser.add_argument("--programs", default=os.path.join(ROOT, "target", "debug"))
    parser.add_argument("--mock", help="the model API [default: mock-model-api beside the programs]")
    parser.add_argument("--seconds", type=float, default=180, help="what a run may take")
    parser.add_argument("--keep", action="store_true", help="leave the projects where they are")
    parser.add_argument("--work", help="where the projects are made")
    options = parser.parse_args()
    options.mock = options.mock or os.path.join(options.programs, "mock-model-api")
    failed = False
    for agent in CACHE:
        for name in scenarios(agent):
            case = "%s/%s" % (agent, name)
            if options.cases and case not in options.cases and agent not in options.cases:
                continue
            if not installed(options, agent):
                print("skipped %s: it is not in %s" % (case, options.cache))
                continue
            began = time.time()
            try:
                found = play(options, agent, name)
                print("ok %s %.1f: %s" % (case, time.time() - began, found), flush=True)
            except AssertionError as reason:
                failed = True
                print("FAILED %s %.1f: %s" % (case, time.time() - began, reason), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
