"""Installs the real clients, each at one version, into the cache directory.

Owns the cache and talks to npm and pip; nothing else in here reaches beyond loopback. What is in the cache already
is not asked for again. Whatever keeps a client from being installed and is no fault of ours is a `Skip`.
"""

import glob
import json
import os
import shutil
import sys
import time

from processes import TimedOut, finished


class Skip(Exception):
    """A client cannot be had here; the text says why."""


class Silence(Exception):
    """The registry does not answer."""


class Package:
    """One package at one version, from one registry."""

    def __init__(self, name, version):
        self.name, self.version = name, version

    def place(self, cache):
        return os.path.join(cache, "%s-%s" % (self.name.strip("@").replace("/", "-"), self.version))


class Npm(Package):
    """A package from npm."""

    def installed(self, cache):
        try:
            with open(os.path.join(self.place(cache), "node_modules", self.name, "package.json"), encoding="utf-8") as file:
                return json.load(file)["version"] == self.version
        except (OSError, ValueError):
            return False

    def program(self, cache, name):
        return os.path.join(self.place(cache), "node_modules", ".bin", name)

    def commands(self, cache):
        npm = shutil.which("npm")
        if not npm or not shutil.which("node"):
            raise Skip("node and npm are not installed here")
        place = self.place(cache)
        return [[npm, "install", "--prefix", place, "--no-audit", "--no-fund", "--loglevel=error",
                 "%s@%s" % (self.name, self.version)]]

    def question(self):
        return [shutil.which("npm") or "npm", "ping", "--fetch-retries=0"]


class PyPI(Package):
    """A package from PyPI, in a virtual environment of its own."""

    def installed(self, cache):
        name = self.name.replace("-", "_")
        pattern = os.path.join(self.place(cache), "lib", "python3*", "site-packages",
                               "%s-%s.dist-info" % (name, self.version))
        return bool(glob.glob(pattern))

    def question(self):
        # pip gives up by itself.
        return None

    def python(self, cache):
        return os.path.join(self.place(cache), "bin", "python")

    def commands(self, cache):
        place = self.place(cache)
        return [[sys.executable, "-m", "venv", place],
                [self.python(cache), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2",
                 "--timeout", "20", "%s==%s" % (self.name, self.version)]]


# What the tools say when it is not there or nobody answers; anything else is a failure.
MISSING = ("E404", "ETARGET", "No matching distribution", "Could not find a version")
SILENT = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH",
          "ERR_SOCKET_TIMEOUT", "E500", "E502", "E503", "E504", "E429", "Connection broken",
          "NewConnectionError", "Max retries exceeded", "Temporary failure in name resolution", "Read timed out")
NO_VENV = ("ensurepip is not available", "No module named venv", "No module named ensurepip")

NOBODY = "the registry does not answer"
ASKING_SECONDS = 20
# A registry that was silent once is not asked again in this run.
silent = set()


def install(package, cache, seconds):
    """Returns whether anything had to be installed; raises `Skip` when it cannot be."""
    if package.installed(cache):
        return False
    if type(package) in silent:
        raise Skip(NOBODY)
    try:
        fetch(package, cache, seconds)
    except Silence as silence:
        silent.add(type(package))
        raise Skip(NOBODY) from silence
    return True


def fetch(package, cache, seconds):
    end = time.monotonic() + seconds
    commands = package.commands(cache)
    if package.question():
        # Asked first, and briefly: npm tries for minutes to reach a registry that is not there.
        asked(package.question(), min(ASKING_SECONDS, seconds))
    # A half-made installation is no beginning.
    shutil.rmtree(package.place(cache), ignore_errors=True)
    os.makedirs(package.place(cache))
    try:
        for command in commands:
            run(package, command, end - time.monotonic(), "it was not installed within the time there was")
        if not package.installed(cache):
            raise RuntimeError("%s %s was installed and is not there" % (package.name, package.version))
    except BaseException:
        shutil.rmtree(package.place(cache), ignore_errors=True)
        raise


def asked(question, seconds):
    """Raises `Skip` when nobody answers; a registry that refuses the question has answered it."""
    try:
        _, output = finished(question, seconds)
    except TimedOut as late:
        raise Silence from late
    if any(word in output for word in SILENT):
        raise Silence


def run(package, command, seconds, when_late):
    try:
        code, output = finished(command, seconds)
    except TimedOut:
        raise Skip(when_late) from None
    if code == 0:
        return
    # Nobody answering comes first: pip ends such an output with `No matching distribution` too.
    if any(word in output for word in SILENT):
        raise Silence
    if any(word in output for word in MISSING):
        raise Skip("the registry has no %s %s" % (package.name, package.version))
    if any(word in output for word in NO_VENV):
        raise Skip("this Python makes no virtual environments")
    raise RuntimeError("%s\n%s" % (" ".join(command), output[-4000:]))
