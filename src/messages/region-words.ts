import { type Asked, fill, formatBytes, type Language, plural, quoteForShell, unverified, type Words, warning } from "./define.ts";
import { wordsIn } from "./words.ts";

/** A cloud region's mirror of the bucket, as the report has it. */
export interface RegionEntry {
  id: number;
  /** Empty if the table does not have the region or cannot be read. */
  name: string;
  reachable: boolean;
  /** Messages that the mirror still lacks; null if it was not reached. */
  lag: number | null;
  /** Keys. */
  missing: string[];
  damaged: string[];
  /** Chunks of replaced objects that the mirror keeps; null if that is not known. */
  deadBytes: number | null;
}

type Named = Pick<RegionEntry, "id" | "name">;

/** Formats a region: `2 (Shanghai)`. */
export function regionName({ id, name }: Named, language: Language): string {
  if (name === "") return String(id);
  return language === "zh" ? `${id}（${name}）` : `${id} (${name})`;
}

/** Returns the state of a mirror in words, part by part. */
export function regionParts({ reachable, lag, missing, damaged, deadBytes }: RegionEntry, language: Language): string[] {
  const say = wordsIn(language);
  if (!reachable) return [say("unreachable")];
  const parts = [
    ...(lag ? [say("behind", { count: lag })] : []),
    ...(missing.length > 0 ? [say("lacking", { count: missing.length })] : []),
    ...(damaged.length > 0 ? [say("damaged", { count: damaged.length })] : []),
    ...(deadBytes ? [say("dead", { bytes: deadBytes })] : []),
  ];
  return parts.length > 0 ? parts : [say("level")];
}

/** Keys that a message names; the report has all of them. */
const NAMED = 10;

function keysOf(keys: readonly string[], language: Language): string {
  const more = keys.length - NAMED;
  const some = keys.slice(0, NAMED).join(language === "zh" ? "、" : ", ");
  return more > 0 ? (language === "zh" ? `${some} 等 ${keys.length} 个` : `${some} and ${more} more`) : some;
}

function lacks({ missing, damaged }: Pick<RegionEntry, "missing" | "damaged">, language: Language): string {
  const parts = language === "zh" ? (["缺少 ", "已损坏："] as const) : (["missing: ", "damaged: "] as const);
  return [missing, damaged].flatMap((keys, index) => (keys.length > 0 ? [`${parts[index]}${keysOf(keys, language)}`] : [])).join(language === "zh" ? "；" : "; ");
}

/** Chunk subjects in one command. */
const PURGED = 50;

/** Returns the command that frees dead chunks: one purge for each chunk subject. */
function purge({ id, bucket, nuids }: Dead): string {
  const subjects = nuids.slice(0, PURGED).map((nuid) => quoteForShell(`$O.${bucket}.C.${nuid}`));
  const one = (subject: string) => `nats --js-domain leaf-${id} stream purge OBJ_${bucket} --force --subject ${subject}`;
  return subjects.length === 1 ? one(subjects.join("")) : `for s in ${subjects.join(" ")}; do ${one('"$s"')}; done`;
}

const again = (count: number, language: Language) =>
  count <= PURGED ? "" : language === "zh" ? `（前 ${PURGED} 个；之后请再运行一次）` : ` (the first ${PURGED}; then run this job again for the others)`;

/** Returns a warning about a region; its cause goes on after the region's name. */
const about = <const En extends Words<never>, const Zh extends Words<never>>(en: En, zh: Zh) =>
  warning(
    [(params: Named & Asked<En>) => `cloud region ${regionName(params, "en")}: ${fill(en[0], params as never)}`, en[1]],
    [(params: Named & Asked<Zh>) => `云区域 ${regionName(params, "zh")}：${fill(zh[0], params as never)}`, zh[1]],
  );

const REACH = {
  en: "check that the region's nats-server runs and that its leaf node is connected to the hub; leave region {id} out with REGIONS if it is not in use",
  zh: "请确认该区域的 nats-server 正在运行，且其 leaf 节点已连接到中心；如未使用云区域 {id}，请用 REGIONS 将其排除",
} as const;

/** The command that creates a mirror again from its own configuration. */
const RECREATE =
  "nats --js-domain leaf-{id} stream info OBJ_{bucket} --json > mirror.json && nats --js-domain leaf-{id} stream rm OBJ_{bucket} --force && nats --js-domain leaf-{id} stream add OBJ_{bucket} --config mirror.json";

type Lacking = Pick<RegionEntry, "missing" | "damaged">;
interface Dead {
  id: number;
  bucket: string;
  bytes: number | null;
  nuids: readonly string[];
}
interface Required {
  regions: readonly RegionEntry[];
}

/** Cloud regions. */
export const regions = {
  "region.unconnected": about(
    ["no JetStream server of domain leaf-{id} is connected, so its mirror was not checked", REACH.en],
    ["没有域为 leaf-{id} 的 JetStream 服务端连接，未检查其镜像", REACH.zh],
  ),
  "region.silent": about(["no answer within {seconds} s, so its mirror was not checked", REACH.en], ["{seconds} 秒内未应答，未检查其镜像", REACH.zh]),
  "region.denied": about(
    [
      "its mirror was not checked: no permission to publish to {said}",
      'allow this job\'s user to publish to "$JS.*.API.STREAM.INFO.OBJ_{bucket}" and "$JS.*.API.STREAM.MSG.GET.OBJ_{bucket}" (leaf-* is no wildcard), or set REGIONS=none',
    ],
    ["未检查其镜像：无权发布到 {said}", '请允许本任务的用户发布到 "$JS.*.API.STREAM.INFO.OBJ_{bucket}" 和 "$JS.*.API.STREAM.MSG.GET.OBJ_{bucket}"（leaf-* 不是通配符），或设置 REGIONS=none'],
  ),
  "region.absent": about(
    ["its server has no mirror of the bucket (stream OBJ_{bucket})", "set up the region again on BK-Lite's page; leave region {id} out with REGIONS if it is not in use"],
    ["其服务端没有该存储桶的镜像（流 OBJ_{bucket}）", "请在 BK-Lite 页面上重新部署该区域；如未使用云区域 {id}，请用 REGIONS 将其排除"],
  ),
  "region.failed": about(
    ["its mirror was not checked: {said}", "look at nats --js-domain leaf-{id} stream info OBJ_{bucket}, and at the log of the region's nats-server"],
    ["未检查其镜像：{said}", "请查看 nats --js-domain leaf-{id} stream info OBJ_{bucket} 以及该区域 nats-server 的日志"],
  ),
  "region.incomplete": about(
    [
      (region: Lacking) => `the mirror does not have what the bucket has (${lacks(region, "en")}), so its nodes cannot install these packages, or install an old one`,
      `create the mirror again and wait until it is filled, as the region's nodes cannot install until then: ${RECREATE}`,
    ],
    [(region: Lacking) => `镜像与存储桶不一致（${lacks(region, "zh")}），该区域的节点无法安装这些探针包，或会安装旧内容`, `请重建镜像并等待同步完成（此前该区域的节点无法安装）：${RECREATE}`],
  ),
  "region.dead": about(
    [
      ({ bytes, nuids }: Dead) => `the mirror keeps ${bytes === null ? "" : `${formatBytes(bytes)} of `}chunks that the bucket has purged (${plural(nuids.length, "replaced object")})`,
      (region: Dead) => `purge them there${again(region.nuids.length, "en")}: ${purge(region)}`,
    ],
    [
      ({ bytes, nuids }: Dead) => `镜像中仍保留存储桶已清除的分块（${nuids.length} 个已被替换的对象${bytes === null ? "" : `，${formatBytes(bytes)}`}）`,
      (region: Dead) => `请在该区域清除${again(region.nuids.length, "zh")}：${purge(region)}`,
    ],
  ),
  "region.id": warning(
    ["node_mgmt_cloudregion has {count:row} whose id is no plain number: not checked", "name the regions to check in REGIONS, such as REGIONS=2,3"],
    ["node_mgmt_cloudregion 中有 {count} 条记录的 id 不是普通数字：未检查", "请在 REGIONS 中写明要检查的云区域，如 REGIONS=2,3"],
  ),
  "region.required": unverified(
    [
      ({ regions }: Required) => `REQUIRE names cloud regions that are not complete: ${regions.map((one) => `region/${one.id} (${regionParts(one, "en").join(", ")})`).join("; ")}`,
      "follow the warning of each region, raise WAIT_TIMEOUT if it is still being filled, or remove the entry from REQUIRE",
    ],
    [
      ({ regions }: Required) => `REQUIRE 指定的云区域不完整：${regions.map((one) => `region/${one.id}（${regionParts(one, "zh").join("，")}）`).join("；")}`,
      "请按各区域的告警处理；如仍在同步，请调大 WAIT_TIMEOUT；或从 REQUIRE 中去掉该项",
    ],
  ),
};
