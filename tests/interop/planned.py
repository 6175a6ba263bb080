"""Real coding agents, planning: `cogwork plan` from a specification, with a second round.

What counts is which features the project has afterwards and what the sessions were told, never what an agent prints.
"""

import functools
import json
import os

from agents import Api
from driven import AGENTS
from scenarios import shell

PLANNERS = ["claude", "codex", "gemini", "opencode"]


def call(tool, **arguments):
    return {"tool": {"name": "*" + tool, "input": arguments}}


def wanted(key, name, checks=(), after=()):
    return {"key": key, "category": "more", "name": name, "description": "It %ss." % key, "steps": ["Try it."],
            "checks": [{"command": command} for command in checks], "depends_on": list(after)}


# The first is refused as a whole, for a dependency that does not exist; then one has no check. A planner writes no file.
FIRST = [
    call("feature_get_stats"),
    shell("echo x > written.txt"),
    call("feature_create_bulk", features=[wanted("wave", "Wave", ["test -f wave.txt"], ["nobody"])]),
    call("feature_create_bulk", features=[
        wanted("wave", "Wave", ["test -f wave.txt"], ["greeting"]), wanted("bow", "Bow", after=["wave"])]),
    {"text": "Two features are planned."},
]
SECOND = [
    call("feature_set_checks", feature_id=4, checks=[{"command": "test -f bow.txt"}]),
    {"text": "Each has a check."},
]
# Gemini CLI does not say which of its sessions asks: there the second goes on where the first has ended.
SCRIPT = {"scenarios": {"default": {"turns": FIRST + SECOND}, "second": {"turns": SECOND}},
          "select": [{"prompt": "# Second round", "scenario": "second"}]}


def plan(agent, project, cache):
    spec = project.file("more.md", "It also waves and bows.\n")
    with Api(project, {}, script=SCRIPT) as api:
        env = agent.setup(project, api.url)
        words = ["plan", "--spec", spec, "--json", *agent.flags(cache, env)]
        code, output = project.client(project.program("cogwork"), *words, **env)
    assert code == 0, output[-3000:]
    found = json.loads(output[output.index("{"):])
    assert found == {"created": [3, 4], "total": 4, "rounds": 2, "findings": []}, found
    wave, bow = project.feature(3), project.feature(4)
    assert (wave["key"], wave["dependencies"], bow["dependencies"]) == ("wave", [1], [3]), (wave, bow)
    assert [check["command"] for check in bow["checks"]] == ["test -f bow.txt"], bow
    assert not os.path.exists(os.path.join(project.dir, "written.txt")), "a planner wrote a file"
    told = [prompt(project, session) for session in (1, 2)]
    assert "It also waves and bows." in told[0] and "- 1 `greeting` Say hello" in told[0], told[0]
    assert "#4 Bow: it has no check" in told[1], told[1]


def prompt(project, session):
    with open(os.path.join(project.dir, ".cogwork/sessions/s%d/prompt.md" % session), encoding="utf-8") as file:
        return file.read()


# Name, package, what it does, seconds it may take.
CASES = [("plan-%s" % name, AGENTS[name].package, functools.partial(plan, AGENTS[name]), 120) for name in PLANNERS]
