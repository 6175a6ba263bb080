// The TypeScript SDK 1.x as a client: `node typescript_sdk_1.mjs PLAN`. The plan's `sdk` is the directory the package
// was installed into. Prints what it saw as one JSON object.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
// Found from where it was installed, not from where this file is.
const from = createRequire(plan.sdk + "/package.json");
const { Client } = from("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = from("@modelcontextprotocol/sdk/client/stdio.js");

const seen = (result) => ({
  is_error: result.isError === true,
  structured: result.structuredContent ?? null,
  text: result.content.map((block) => block.text).join("\n"),
});

const [command, ...args] = plan.server;
const client = new Client({ name: "interop", version: "1.0.0" });
await client.connect(new StdioClientTransport({ command, args, cwd: plan.cwd, env: plan.env }));
const { tools } = await client.listTools();
const answers = [];
for (const step of plan.steps) {
  if (step.write) {
    writeFileSync(step.write, step.text);
  } else {
    answers.push(seen(await client.callTool({ name: step.tool, arguments: step.arguments })));
  }
}
await client.close();
const server = client.getServerVersion().name;
console.log(JSON.stringify({ protocol: null, server, tools: tools.map((tool) => tool.name), answers }));
