"""Starts programs: each in a process group of its own, with a time limit, and ended by that group's id alone.

Knows nothing of clients. Where this machine allows it, `loopback_only` gives a prefix for a command line that takes
every network but loopback away.
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


class TimedOut(Exception):
    """The time limit was over; `output` is what there was until then."""

    def __init__(self, output):
        super().__init__("the time limit was over")
        self.output = output


def finished(command, seconds, **more):
    """Runs a command to its end and returns (exit code, stdout and stderr together)."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True, **more) as child:
        try:
            output, _ = child.communicate(timeout=max(1, seconds))
            return child.returncode, output
        except subprocess.TimeoutExpired:
            end_group(child)
            # What has left the group may still hold the pipe.
            try:
                output, _ = child.communicate(timeout=2)
            except subprocess.TimeoutExpired as late:
                child.stdout.close()
                output = (late.output or b"").decode(errors="replace")
            raise TimedOut(output) from None
        finally:
            end_group(child)


def end_group(child):
    """Ends what is left of a process group; it is ours for as long as its leader is not reaped or has members."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def marked(name, value):
    """Returns the processes but this one that have this in their environment; none where there is no /proc."""
    found, wanted = [], ("%s=%s" % (name, value)).encode()
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else []):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if wanted in file.read().split(b"\0") and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            continue
    return found


def loopback_only():
    """Returns the words before a command that leave it nothing but loopback; none where that is not allowed here."""
    unshare = shutil.which("unshare")
    if not unshare:
        return []
    who = [] if os.geteuid() == 0 else ["--map-root-user"]
    prefix = [unshare, *who, "--net", "--", sys.executable, os.path.abspath(__file__)]
    done = subprocess.run([*prefix, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return prefix if done.returncode == 0 else []


def loopback_up():
    """Switches loopback on, which is off in a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


if __name__ == "__main__":
    loopback_up()
    os.execvp(sys.argv[1], sys.argv[1:])
