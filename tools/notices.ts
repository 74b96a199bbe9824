/**
 * node tools/notices.ts [NAME=FILE ...] > THIRD-PARTY-NOTICES
 * Prints the licences of everything that the bundle may contain, from the lock file and node_modules, and of
 * the image's other parts (NAME=FILE; names a file that the base image lacks). Exits 1 if a package states no
 * licence.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Locked {
  version?: string;
  license?: string;
  dev?: boolean;
}

const root = join(import.meta.dirname, "..");
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/** Every package that is needed at run time, by its folder below the root, in the lock file's order. */
function lockedPackages(): [string, Locked][] {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries<Locked>(lock.packages).filter(([folder, { dev }]) => folder !== "" && !dev);
}

function section(title: string, ...texts: string[]): string {
  const line = "=".repeat(80);
  return [line, title, line, "", ...texts.map((text) => `${text.trim()}\n`)].join("\n");
}

function packageSection(folder: string, { version, license }: Locked): string {
  const path = join(root, folder);
  const name = folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length);
  // An optional package that npm did not install here: the lock file is all there is.
  const files = existsSync(path) ? readdirSync(path).filter((file) => LICENCE_FILE.test(file)) : [];
  if (!license && files.length === 0) throw new Error(`${name} ${version}: states no licence`);
  const texts = files.sort().map((file) => readFileSync(join(path, file), "utf8"));
  if (texts.length === 0) texts.push(`Its package has no licence text; it states: ${license}${author(path)}`);
  return section(`${name} ${version} (${license ?? "see below"})`, ...texts);
}

function author(path: string): string {
  const file = join(path, "package.json");
  if (!existsSync(file)) return "";
  const { author: person } = JSON.parse(readFileSync(file, "utf8"));
  const name = typeof person === "string" ? person : person?.name;
  return name ? `. Copyright ${name}` : "";
}

function extraSection(argument: string): string {
  const [name = "", file = ""] = argument.split("=");
  const text = existsSync(file) ? readFileSync(file, "utf8") : `This base image holds no ${file}.`;
  return section(name, text);
}

const sections = [
  ...lockedPackages().map(([folder, locked]) => packageSection(folder, locked)),
  ...process.argv.slice(2).map(extraSection),
];
process.stdout.write(sections.join("\n"));
