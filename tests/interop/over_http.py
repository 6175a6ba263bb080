"""The same server over HTTP: one process for several clients, which lives longer than each of them."""

import json
import os
import subprocess

import agents
from project import GREETING, UNKNOWN
from sdks import INSPECTOR

TOKEN = "interop-0123456789abcdef"


class Serving:
    """The server on a free port of loopback; ends with this block."""

    def __init__(self, project):
        self.project = project

    def __enter__(self):
        env = dict(self.project.env, COGWORK_HTTP_TOKEN=TOKEN)
        self.process = subprocess.Popen(self.project.server("--http", "127.0.0.1:0"), env=env, cwd=self.project.dir,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True)
        line = self.process.stderr.readline()
        assert "serving http://" in line, "the server did not start: %s" % line
        return "http://" + line.split("http://", 1)[1].split(";")[0].strip()

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def inspector_http(project, cache):
    """Here a claim lives on between two commands, so that a red check can become green."""
    with Serving(project) as url:
        def asked(*args, token=TOKEN):
            return project.client(
                INSPECTOR.program(cache, "mcp-inspector"), "--cli", "--server-url", url, "--transport", "http",
                "--header", "Authorization: Bearer %s" % token, "--format", "json", "--method", *args)

        def called(tool, feature_id):
            return asked("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps({"feature_id": feature_id}))

        def answered(outcome, code, *words):
            assert outcome[0] == code and all(word in outcome[1] for word in words), "%s: exit code %d, %s" % (
                words, *outcome)

        answered(asked("tools/list"), 0, "feature_mark_passing")
        answered(called("feature_claim_and_get", GREETING), 0, "claimed_by_you")
        answered(called("feature_mark_passing", GREETING), 5, "checks_failed", "no hello in greeting.txt")
        with open(os.path.join(project.dir, "greeting.txt"), "w", encoding="utf-8") as file:
            file.write("hello\n")
        answered(called("feature_mark_passing", str(GREETING)), 0, "red_green")
        answered(called("feature_get_by_id", UNKNOWN), 5, "not_found")
        answered(asked("resources/list"), 0, "feature://ready")
        answered(asked("resources/read", "--uri", "feature://%d" % GREETING), 0, "Say hello")
        answered(asked("prompts/list"), 0, "work_on")
        answered(asked("prompts/get", "--prompt-name", "work_on", "--prompt-args", "feature_id=2"), 0, "Say goodbye")
        refused, output = asked("tools/list", token="somebody-elses-token")
        assert refused != 0 and "feature_mark_passing" not in output, output
    feature = project.feature(GREETING)
    assert (feature["status"], feature["proof"]) == ("passing", "red_green"), feature


def claude_code_http(project, cache):
    with Serving(project) as url:
        entry = {"type": "http", "url": url, "headers": {"Authorization": "Bearer " + TOKEN}, "alwaysLoad": True}
        agents.judged(project, *agents.claude(project, cache, agents.TURNS, agents.only(project, entry)))


# Name, package, what it does, seconds it may take.
CASES = [
    ("inspector-http", INSPECTOR, inspector_http, 120),
    ("claude-code-http", agents.CLAUDE, claude_code_http, 90),
]
