"""The Python SDK 2.x as a client: `python_sdk_2.py PLAN`. The plan's `mode` is `auto` or `legacy`.

Prints what it saw as one JSON object.
"""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters


def seen(result):
    return {"is_error": bool(result.is_error), "structured": result.structured_content,
            "text": "\n".join(block.text for block in result.content)}


async def main(plan):
    command, *args = plan["server"]
    server = StdioServerParameters(command=command, args=args, cwd=plan["cwd"], env=plan["env"])
    async with Client(server, mode=plan["mode"]) as client:
        tools = (await client.list_tools()).tools
        answers = []
        for step in plan["steps"]:
            if "write" in step:
                with open(step["write"], "w", encoding="utf-8") as file:
                    file.write(step["text"])
                continue
            answers.append(seen(await client.call_tool(step["tool"], step["arguments"])))
        print(json.dumps({"protocol": client.protocol_version, "server": client.server_info.name,
                          "tools": [tool.name for tool in tools], "answers": answers}))


with open(sys.argv[1], encoding="utf-8") as plan_file:
    asyncio.run(main(json.load(plan_file)))
