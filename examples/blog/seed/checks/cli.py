"""`python3 -m blog NAME WORD...` runs blog/commands/NAME.py."""

import os
import shutil

from lib import TMP, blog, has, same

# A copy with two commands of our own among those that are there already.
shutil.copytree("blog", TMP / "copy" / "blog", ignore=shutil.ignore_patterns("__pycache__"))
commands = TMP / "copy" / "blog" / "commands"
commands.mkdir(exist_ok=True)
(commands / "echo.py").write_text("def run(arguments):\n    print(arguments)\n    return 0\n")
(commands / "seven.py").write_text("def run(arguments):\n    return 7\n")

same(blog("echo", "a b", "*", "", root=TMP / "copy")[0], "['a b', '*', '']\n", "the words of a command")
blog("seven", code=7, root=TMP / "copy")

there = sorted(name[:-3] for name in os.listdir(commands) if name.endswith(".py") and name[0] != "_")
for name in ("frobnicate", "../echo", "echo.py", "os", "__init__", ""):
    error = blog(name, code=2, root=TMP / "copy")[1]
    same(error, f"blog: there is no command '{name}'; there are: {', '.join(there)}\n", "an unknown command")
has(blog(code=2)[1], "usage: python3 -m blog COMMAND", "no command")
