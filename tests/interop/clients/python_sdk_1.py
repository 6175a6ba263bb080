"""The Python SDK 1.x as a client: `python_sdk_1.py PLAN`, where PLAN is a file that clients/README explains.

Prints what it saw as one JSON object.
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def seen(result):
    return {"is_error": bool(result.isError), "structured": result.structuredContent,
            "text": "\n".join(block.text for block in result.content)}


async def main(plan):
    command, *args = plan["server"]
    server = StdioServerParameters(command=command, args=args, cwd=plan["cwd"], env=plan["env"])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        greeting = await session.initialize()
        tools = (await session.list_tools()).tools
        answers = []
        for step in plan["steps"]:
            if "write" in step:
                with open(step["write"], "w", encoding="utf-8") as file:
                    file.write(step["text"])
                continue
            answers.append(seen(await session.call_tool(step["tool"], step["arguments"])))
    print(json.dumps({"protocol": str(greeting.protocolVersion), "server": greeting.serverInfo.name,
                      "tools": [tool.name for tool in tools], "answers": answers}))


with open(sys.argv[1], encoding="utf-8") as plan_file:
    asyncio.run(main(json.load(plan_file)))
