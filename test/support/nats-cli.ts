/** A stand-in for the nats CLI with the few options that the remedies use. NATS_URL is the server. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { connect } from "nats";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "js-domain": { type: "string" },
    subject: { type: "string" },
    config: { type: "string" },
    force: { type: "boolean" },
    json: { type: "boolean" },
  },
});
const [noun, verb, name = "", ...more] = positionals;
if (noun !== "stream" || more.length > 0) throw new Error(`not known here: ${positionals.join(" ")}`);
const domain = values["js-domain"];
const connection = await connect({ servers: process.env.NATS_URL ?? "" });
const { streams } = await connection.jetstreamManager({
  checkAPI: false,
  timeout: 60_000,
  ...(domain && { domain }),
});
if (verb === "purge" && values.force && values.subject) await streams.purge(name, { filter: values.subject });
else if (verb === "info" && values.json) console.log(JSON.stringify(await streams.info(name)));
else if (verb === "rm" && values.force) await streams.delete(name);
else if (verb === "add" && values.config) {
  const { config } = JSON.parse(readFileSync(values.config, "utf8"));
  // What a newer server says of a stream and an older client library does not know goes as well.
  await connection
    .request(`$JS.${domain}.API.STREAM.CREATE.${name}`, JSON.stringify(config))
    .then((answer) => {
      const { error } = answer.json<{ error?: { description: string } }>();
      if (error) throw new Error(error.description);
    });
} else throw new Error(`not known here: ${process.argv.slice(2).join(" ")}`);
await connection.close();
