// Reads an AsyncAPI document on stdin, prints what is wrong with it (an array, empty if nothing is) as JSON.
import parser from "@asyncapi/parser";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const diagnostics = await new parser.Parser().validate(Buffer.concat(chunks).toString("utf8"));
process.stdout.write(JSON.stringify(diagnostics.map(({ message, path, severity }) => ({ message, path, severity }))));
