"""A real project for one case: a git repository with a feature list, in a temporary directory with a HOME of its own.

Everything about it is asked of the real `cogwork`; nothing in here reads the database itself.
"""

import json
import os
import signal
import subprocess
import time

from processes import finished, marked

FEATURES = {"features": [
    {"key": "greeting", "category": "words", "name": "Say hello", "description": "greeting.txt says hello.",
     "steps": ["Write hello into greeting.txt."],
     "checks": ["grep -q hello greeting.txt || { echo no hello in greeting.txt; exit 3; }"]},
    {"key": "farewell", "category": "words", "name": "Say goodbye", "description": "farewell.txt says goodbye.",
     "checks": ["grep -q goodbye farewell.txt"], "dependencies": ["greeting"]},
]}
GREETING, FAREWELL, UNKNOWN = 1, 2, 99


# A server looks every two seconds whether its parent lives.
SERVER_SECONDS = 5


def commandline(pid):
    try:
        with open("/proc/%d/cmdline" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().split("\0")
    except OSError:
        return []


def is_server(words):
    """Whether this is a command line of ours: `cogwork-mcp …` or `cogwork mcp …`."""
    names = [os.path.basename(word) for word in words[:2]]
    return names[:1] == ["cogwork-mcp"] or names == ["cogwork", "mcp"]


class Project:
    """The project, and the environment in which its client lives."""

    def __init__(self, root, programs, seconds):
        self.root, self.programs, self.end = root, programs, time.monotonic() + seconds
        self.dir = self.under("project")
        self.home = self.under("home")
        # Nothing of whoever runs this: no proxies, no keys, no settings.
        self.env = {"PATH": os.environ["PATH"], "HOME": self.home, "LANG": "C.UTF-8", "TMPDIR": self.under("tmp"),
                    "NO_COLOR": "1", "TERM": "dumb"}
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("config", "user.name", "Interop")
        self.git("config", "user.email", "interop@localhost")
        self.git("commit", "--quiet", "--allow-empty", "--message", "first commit")
        self.cogwork("import", self.file("features.json", FEATURES))

    def client(self, *words, cwd=None, **env):
        """Runs a client to its end within what is left of the case's time; (exit code, all it printed)."""
        return finished(words, self.end - time.monotonic(), cwd=cwd or self.dir, env=dict(self.env, **env))

    def ended(self):
        """Asserts that the servers have ended with their clients; ends whatever else a client has left."""
        late = time.monotonic() + SERVER_SECONDS
        servers = left = marked("HOME", self.home)
        while servers and time.monotonic() < late:
            time.sleep(0.05)
            left = marked("HOME", self.home)
            servers = [pid for pid in left if is_server(commandline(pid))]
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        assert not servers, "%d servers outlive their clients by %d s" % (len(servers), SERVER_SECONDS)

    def under(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path)
        return path

    def file(self, name, content):
        """Writes a file beside the project, text as it is and all else as JSON, and returns its path."""
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content, indent=1))
        return path

    def program(self, name):
        return os.path.join(self.programs, name)

    def server(self, *args):
        """The command line of the real server for this project."""
        return [self.program("cogwork-mcp"), "--project-dir", self.dir, *args]

    def install(self, client, *args):
        """Configures the server as a user does it: one command."""
        self.cogwork("mcp", "install", "--client", client, "--yes", *args)

    def git(self, *args):
        return self.command("git", *args)

    def cogwork(self, *args):
        return self.command(self.program("cogwork"), *args)

    def command(self, *words):
        done = subprocess.run(words, cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, "%s: %s" % (" ".join(words), done.stderr)
        return done.stdout

    def feature(self, feature_id):
        return json.loads(self.cogwork("show", str(feature_id), "--json"))["feature"]
