"""FastMCP 4.x as a client: `fastmcp_4.py PLAN`.

It builds typed objects from the output schemas, so a schema that does not hold shows here. Prints what it saw as one
JSON object.
"""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def seen(client, step):
    result = await client.call_tool(step["tool"], step["arguments"], raise_on_error=False)
    return {"is_error": bool(result.is_error), "structured": result.structured_content,
            "text": "\n".join(block.text for block in result.content),
            "typed": None if result.data is None else type(result.data).__name__}


async def main(plan):
    command, *args = plan["server"]
    transport = StdioTransport(command, args, cwd=plan["cwd"], env=plan["env"])
    async with Client(transport) as client:
        tools = await client.list_tools()
        answers = []
        for step in plan["steps"]:
            if "write" in step:
                with open(step["write"], "w", encoding="utf-8") as file:
                    file.write(step["text"])
                continue
            answers.append(await seen(client, step))
    print(json.dumps({"protocol": None, "server": None, "tools": [tool.name for tool in tools], "answers": answers}))


with open(sys.argv[1], encoding="utf-8") as plan_file:
    asyncio.run(main(json.load(plan_file)))
