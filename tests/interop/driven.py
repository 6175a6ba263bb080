"""Real coding agents, driven by `cogwork run` through whole features, limits, refusals and silence.

Each case is one session of one agent, as one of the `scenarios` goes. What counts is the project's database, the
session's journal and what is left in the process table, never what an agent prints.
"""

import functools
import json
import os
import re
import signal
import subprocess
import time

from agents import CLAUDE, CODEX, GEMINI, OPENCODE, Api
from processes import TimedOut, marked
from project import FAREWELL, GREETING
from registry import Npm
from scenarios import OF_CLAUDE, of_all

CLAUDE_ACP = Npm("@agentclientprotocol/claude-agent-acp", "0.49.0")
# A wait is at most this much longer than the limit.
JITTER_SECONDS = "2"
# What an agent may take to end when it was asked to, and a little.
STOP_SECONDS = 40
# What an agent was told to write where it must not.
OUTSIDE = ["project/outside", "home/outside", "project/.cogwork/outside"]
# How long a session's processes may be there after its end.
SWEEP_SECONDS = 5
# What a user of OpenCode would not set: it installs a package for plug-ins at its start and asks for a list of models,
# and nobody is to answer it.
NO_NETWORK = {"NPM_CONFIG_REGISTRY": "http://127.0.0.1:9/", "npm_config_registry": "http://127.0.0.1:9/",
              "OPENCODE_DISABLE_MODELS_FETCH": "1"}


# How each agent is set up by its user, for a service at `url`: the environment, after its files are written.

def claude(_, url):
    # With a key instead of a login there would be no limits of a subscription.
    return {"ANTHROPIC_BASE_URL": url, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy"}


def codex(project, url):
    project.file("home/.codex/config.toml", "\n".join([
        'model = "mock-model"', 'model_provider = "mock"', "[analytics]", "enabled = false",
        "[model_providers.mock]", 'name = "Mock"', "base_url = %s" % json.dumps(url + "/v1"),
        'wire_api = "responses"', 'env_key = "OPENAI_API_KEY"', "request_max_retries = 1", ""]))
    return {"OPENAI_API_KEY": "dummy"}


def gemini(project, url):
    project.file("home/.gemini/settings.json", "// a user's own\n" + json.dumps({
        "security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False}, "general": {"maxAttempts": 3}}))
    return {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": url}


def opencode(project, url):
    project.file("home/.config/opencode/opencode.json", {
        "$schema": "https://opencode.ai/config.json", "model": "mock/mock-model", "permission": {"*": "allow"},
        "provider": {"mock": {"npm": "@ai-sdk/openai-compatible", "models": {"mock-model": {"name": "Mock"}},
                              "options": {"baseURL": url + "/v1", "apiKey": "dummy"}}}})
    return NO_NETWORK


def claude_acp(project, url):
    # Its program asks again ten times by itself, and Cogwork does not know whose it is.
    return dict(claude(project, url), CLAUDE_CODE_MAX_RETRIES="2", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1")


class Agent:
    """One way to drive a program: its package, its setup, the service it speaks to, its words for `--agent`."""

    def __init__(self, package, program, setup, dialect, acp=None):
        self.package, self.program, self.setup, self.dialect, self.acp = package, program, setup, dialect, acp

    def flags(self, cache, env):
        program = self.package.program(cache, self.program)
        if self.acp is None:
            model = ["--model", "gemini-2.5-pro"] if self.program == "gemini" else []
            return ["--agent", self.program, "--program", program, *model]
        return ["--agent", "acp:" + " ".join([program, *self.acp]),
                *(word for name in env for word in ("--pass-env", name))]


AGENTS = {
    "claude": Agent(CLAUDE, "claude", claude, "claude"),
    "codex": Agent(CODEX, "codex", codex, "codex"),
    "gemini": Agent(GEMINI, "gemini", gemini, "gemini"),
    "opencode": Agent(OPENCODE, "opencode", opencode, "opencode"),
    "claude-acp": Agent(CLAUDE_ACP, "claude-agent-acp", claude_acp, "claude", []),
    "gemini-acp": Agent(GEMINI, "gemini", gemini, "gemini", ["--acp", "--skip-trust", "-m", "gemini-2.5-pro"]),
    "opencode-acp": Agent(OPENCODE, "opencode", opencode, "opencode", ["acp"]),
}


def drive(agent, scenario, project, cache):
    project.cogwork("delete", str(FAREWELL), "--yes")
    with Api(project, dict(enumerate(scenario.turns))) as api:
        env = agent.setup(project, api.url)
        code, output = run(project, [*agent.flags(cache, env), *scenario.flags], env, scenario.pauses)
    found = came_to(project, scenario)
    if agent.acp is not None:
        found = DETOUR.sub("usage_limit -> ", found)
    last = "\n".join(line[:400] for line in journal(project).splitlines()[-12:])
    assert found == scenario.expected, "came to `%s`, not to `%s`, with exit code %s\n%s\n%s" % (
        found, scenario.expected, code, output[-1500:], last)
    assert not re.search("secrets: [1-9]", journal(project)), last
    refused = sum("Cogwork's policy: " in line for line in journal(project).splitlines())
    assert refused == scenario.refused, "%d tools were refused, not %d\n%s" % (refused, scenario.refused, last)
    written = [path for path in OUTSIDE if os.path.exists(os.path.join(project.root, path))]
    assert not written, "it wrote outside its workspace: %s" % written
    late = time.monotonic() + SWEEP_SECONDS
    while (left := marked("COGWORK_MARKER", project.dir)) and time.monotonic() < late:
        time.sleep(0.1)
    assert not left, "processes are left after %d s: %s" % (SWEEP_SECONDS, left)


def run(project, flags, env, pauses):
    """Lets `cogwork run` come to its end, or to the pause that is not waited out; (exit code, what it printed).

    One whose time is over is stopped and is late: what it came to by that says nothing about the agent.
    """
    late = False
    words = [project.program("cogwork"), "run", *flags, "--concurrency", "1", "--attempts", "1",
             "--limit-jitter-s", JITTER_SECONDS]
    out = os.path.join(project.root, "out.txt")
    with open(out, "w", encoding="utf-8") as file:
        process = subprocess.Popen(words, cwd=project.dir, env=dict(project.env, **env), stdin=subprocess.DEVNULL,
                                   stdout=file, stderr=subprocess.STDOUT)
    try:
        while process.poll() is None and not late:
            if pauses and '"type":"waiting"' in journal(project):
                break
            time.sleep(0.1)
            late = time.monotonic() > project.end - STOP_SECONDS
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)
    finally:
        process.kill()
    with open(out, encoding="utf-8") as file:
        output = file.read()
    if late:
        raise TimedOut(output)
    return process.returncode, output


def journal(project):
    try:
        with open(os.path.join(project.dir, ".cogwork/sessions/s1/journal.ndjson"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def came_to(project, scenario):
    """Returns what the session came to, its pauses first, in the words of a scenario."""
    words = []
    for line in journal(project).splitlines():
        event = json.loads(line)["event"]
        if event["type"] == "waiting":
            words.append(event["because"]["outcome"])
        elif event["type"] == "ended":
            words.append(event["outcome"]["outcome"])
    if words[-1:] == ["completed"] and project.feature(GREETING)["status"] != "passing":
        words[-1] = "completed, not passing"
    return words[0] + " -> ..." if scenario.pauses and words else " -> ".join(words)


# Scenarios that an agent does not come through as the others do, for what is its own doing: one that asks a service
# again for ever and does not say so is noticed by its silence alone. Where one that nobody knows keeps its things, a
# person has to say.
LEFT_OUT = {"opencode-acp": {"limit", "limit-later", "bad-key", "throttled", "broken", "too-long", "sandbox"},
            "gemini-acp": {"sandbox"}, "claude-acp": {"sandbox"}}
# A conversation that an agent of that protocol does not find again after a limit is begun anew; the script then begins
# anew, too, with the same limit.
DETOUR = re.compile(r"usage_limit -> transient -> (usage_limit -> )?")


def cases():
    for name, agent in AGENTS.items():
        scenarios = of_all(agent.dialect) | (OF_CLAUDE if name == "claude" else {})
        scenarios = {word: scenario for word, scenario in scenarios.items() if word not in LEFT_OUT.get(name, ())}
        for word, scenario in scenarios.items():
            yield "%s/%s" % (name, word), agent.package, functools.partial(drive, agent, scenario), 180


# Name, package, what it does, seconds it may take.
CASES = list(cases())
