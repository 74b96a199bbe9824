import { isIP, isIPv6 } from "node:net";

/** One place where Postgres may listen. */
export interface DbServer {
  /** A name, an IP address without brackets, or the folder of a socket. */
  host: string;
  port: number;
}

/** Whether a host is the folder of a Unix socket, as libpq and Django have it. */
export function isSocketFolder(host: string): boolean {
  return host.startsWith("/");
}

/** host:port for people, IPv6 in brackets; a socket by the path of its file. */
export function placeOf({ host, port }: DbServer): string {
  if (isSocketFolder(host)) return `${host.replace(/(?<!\/)\/+$/, "")}/.s.PGSQL.${port}`;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * libpq's lists: hosts and ports separated by commas, one port for each host or one for all. undefined for each that is none.
 * IPv6 with or without brackets.
 */
export function pairHosts(hosts: string, ports: string): { hosts?: string[]; servers?: DbServer[] } {
  const names = hosts.split(",").map((host) => host.trim().replace(/^\[(.*)\]$/, "$1"));
  if (!names.every(isHost)) return {};
  const numbers = ports.split(",").map((port) => portOf(port.trim()));
  const fits = numbers.length === 1 || numbers.length === names.length;
  if (!fits || numbers.includes(undefined)) return { hosts: names };
  const servers = names.map((host, i) => ({ host, port: numbers[numbers.length === 1 ? 0 : i] as number }));
  return { hosts: names, servers };
}

/** Letters of any script, as names may be internationalised; no blank, colon, quote or slash. */
function isHost(host: string): boolean {
  return isIP(host) !== 0 || isSocketFolder(host) || /^[\p{L}\p{N}_.-]{1,253}$/u.test(host);
}

function portOf(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
