import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readOutput } from "../../src/config/job-settings.ts";

describe("the language of what people read", () => {
  const cases: [string, Record<string, string>, "en" | "zh"][] = [
    ["is English where nothing says otherwise", {}, "en"],
    ["is what LOG_LANG says, whatever the locale", { LOG_LANG: "en", LC_ALL: "zh_CN.UTF-8" }, "en"],
    ["is Chinese by LOG_LANG", { LOG_LANG: "zh" }, "zh"],
    ["follows LANG", { LANG: "zh_CN.UTF-8" }, "zh"],
    ["follows LC_MESSAGES before LANG", { LC_MESSAGES: "zh_TW", LANG: "C" }, "zh"],
    ["follows LC_ALL before the others", { LC_ALL: "C.UTF-8", LC_MESSAGES: "zh_CN", LANG: "zh_CN" }, "en"],
    ["takes an empty variable for one that is not set", { LC_ALL: "", LANG: "zh_CN.UTF-8" }, "zh"],
    ["follows the locale with auto, and with a bad value", { LOG_LANG: "auto", LANG: "zh_CN" }, "zh"],
  ];
  for (const [name, environment, language] of cases) {
    test(name, () => assert.equal(readOutput(environment).language, language));
  }
});
