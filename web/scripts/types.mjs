// Writes src/api from the product's own schema: `{"openapi": ..., "asyncapi": ...}` on standard input, the folder to
// write to as the first argument. tools/web-types runs it; types are never written by hand.
import { mkdir, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { compile } from "json-schema-to-typescript";

const BANNER = "// Made by tools/web-types from the product's schema; do not edit.\n";
const folder = process.argv[2] ?? "src/api";
const { openapi, asyncapi } = JSON.parse(await text(process.stdin));

/** A document's schemas as TypeScript. */
async function types(schemas) {
  const definitions = structuredClone(schemas);
  for (const [name, schema] of Object.entries(definitions)) {
    schema.title = name;
    relink(schema);
  }
  const whole = { title: "Whole", type: "object", definitions, additionalProperties: false };
  const made = await compile(whole, "Whole", {
    additionalProperties: false,
    bannerComment: BANNER,
    style: { printWidth: 120 },
    unreachableDefinitions: true,
  });
  return made
    .replace(/\n\nexport interface Whole \{\}/, "")
    .replace(/ \*\n \* This interface was referenced by `Whole`'s JSON-Schema\n \* via the `definition` "\w+"\.\n/g, "");
}

/** Point references at `definitions` and leave out what types cannot say. */
function relink(schema) {
  if (Array.isArray(schema)) return schema.forEach(relink);
  if (schema === null || typeof schema !== "object") return;
  if (typeof schema.$ref === "string") schema.$ref = schema.$ref.replace("#/components/schemas/", "#/definitions/");
  // A tuple of fixed shape is more than the tool follows; a list of unknown length will do.
  if (schema.prefixItems) {
    schema.items = schema.prefixItems;
    schema.minItems = schema.maxItems = schema.prefixItems.length;
    delete schema.prefixItems;
  }
  if (!Array.isArray(schema.items)) {
    delete schema.minItems;
    delete schema.maxItems;
  }
  for (const [key, value] of Object.entries(schema)) {
    if (key === "discriminator") delete schema[key];
    else if (key !== "default" && key !== "enum") relink(value);
  }
}

const nameOf = (schema) => {
  const ref = schema?.$ref?.split("/").pop();
  return ref ? `Schema.${ref}` : "unknown";
};

function tsOf(schema) {
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return [...new Set(schema.anyOf.filter((one) => one.type !== "null").map(tsOf))].join(" | ");
  return { integer: "number", number: "number", boolean: "boolean" }[schema.type] ?? "string";
}

/** The table of routes: what each takes and gives. */
function routes(document) {
  const lines = [];
  for (const [path, operations] of Object.entries(document.paths)) {
    if (!path.startsWith("/api/v1/")) continue; // GeoReport is for others
    for (const [method, operation] of Object.entries(operations)) {
      const list = (place) => {
        const found = operation.parameters.filter((one) => one.in === place);
        if (!found.length) return "{}";
        return `{ ${found.map((one) => `${one.name}${one.required ? "" : "?"}: ${tsOf(one.schema)}`).join("; ")} }`;
      };
      const content = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
      const [, answer] = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
      const body = content ? (content.$ref ? nameOf(content) : "object") : "never";
      lines.push(`  /** ${operation.summary} ${operation.description} */`);
      lines.push(
        `  "${method.toUpperCase()} ${path.replace("/api/v1", "")}": { path: ${list("path")}; query: ${list("query")}; ` +
          `body: ${body}; answer: ${nameOf(answer.content?.["application/json"]?.schema)} };`,
      );
    }
  }
  return `${BANNER}import type * as Schema from "./rest";\n\nexport interface Routes {\n${lines.join("\n")}\n}\n`;
}

/** The messages of each socket in both directions, as unions told apart by `type`. */
function unions(document) {
  const names = { receive_crew: "FromCrew", send_crew: "ToCrew", receive_console: "FromConsole", send_console: "ToConsole" };
  return Object.entries(names)
    .map(([operation, name]) => {
      const messages = document.operations[operation].messages.map(({ $ref }) => $ref.split("/").pop());
      return `export type ${name} = ${messages.join(" | ")};\n`;
    })
    .join("");
}

await mkdir(folder, { recursive: true });
await writeFile(`${folder}/rest.ts`, await types(openapi.components.schemas));
await writeFile(`${folder}/routes.ts`, routes(openapi));
await writeFile(`${folder}/sockets.ts`, `${await types(asyncapi.components.schemas)}\n${unions(asyncapi)}`);
