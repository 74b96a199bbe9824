import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { Language } from "../../src/messages/define.ts";
import type { Report } from "../../src/output/report.ts";
import { tempDir } from "../support/guard.ts";
import { fullReport, pageOf, withText } from "../support/page.ts";

/** A browser, if this machine has one: Debian's is the package `chromium`. */
const BROWSER = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name)))
  .find(existsSync);

const folder = tempDir("page");
/** Paths that the browser asked for, and the page at `/`. */
const asked: string[] = [];
let page = "";
const server = createServer(({ url = "" }, response) => {
  asked.push(url);
  response.writeHead(url === "/" ? 200 : 404, { "content-type": "text/html" }).end(url === "/" ? page : "");
});

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(() => {
  server.close();
  folder.remove();
});

/** Opens the page as a reader does; returns what the browser says on its console. */
async function open(...options: string[]): Promise<string[]> {
  const { port } = server.address() as AddressInfo;
  const { stderr } = await promisify(execFile)(
    BROWSER as string,
    [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"],
      `--user-data-dir=${join(folder.path, "profile")}`,
      ...options,
      `http://127.0.0.1:${port}/`,
    ],
    { timeout: 240_000 },
  );
  return stderr.split("\n").filter((line) => line.includes("CONSOLE"));
}

describe("the report's page in a browser", { skip: BROWSER ? false : "no chromium on the PATH" }, () => {
  const show = async (report: Report, language: Language, ...options: string[]) => {
    page = pageOf(report, language).page;
    asked.length = 0;
    return open(...options);
  };

  for (const [language, count, pages] of [
    ["en", 200, 20],
    ["zh", 20, 3],
  ] as const) {
    test(`asks for nothing but itself, and prints (${language})`, async () => {
      const file = join(folder.path, `${language}.pdf`);
      assert.deepEqual(
        await show(fullReport(count), language, "--no-pdf-header-footer", `--print-to-pdf=${file}`),
        [],
      );
      assert.deepEqual(asked, ["/"]);
      const pdf = readFileSync(file, "latin1");
      assert.match(pdf, /^%PDF-/);
      const counts = [...pdf.matchAll(/\/Type \/Pages\s+\/Count (\d+)/g)].map(([, count]) => Number(count));
      assert.ok(Math.max(...counts) >= pages, `${counts} pages`);
    });
  }

  test("runs and loads nothing that a name asks for", async () => {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/hit`;
    const hostile = `</td></script></style><img src="${url}" onerror="console.log(1)"><script>console.log(2)</script><a style="background:url(${url})">`;
    assert.deepEqual(
      await show(withText(fullReport(3), hostile), "en", `--screenshot=${join(folder.path, "page.png")}`),
      [],
    );
    assert.deepEqual(asked, ["/"]);
  });
});
