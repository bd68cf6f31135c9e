import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { clickhouseSchema } from './model/clickhouse-settings.js';
import { keySchema, quotaShape } from './model/key-settings.js';
import { clusterSchema } from './model/kafka-settings.js';
import { HOLD_TIMEOUTS } from './model/hold.js';
import { mailSchema } from './model/mail-settings.js';
import { drainSchema, heartbeatSchema, metricsListenerSchema } from './model/operations-settings.js';
import { respondSchema } from './model/response-policy.js';
import { topicSourcesSchema } from './model/source-settings.js';
import { webhookSchema } from './model/webhook-settings.js';
import { DEFAULT_ISSUER, SIGNING_ALGORITHMS } from './model/signed-message.js';

export type { MailConfig } from './model/mail-settings.js';
export { ROLES, type Role } from './model/key-settings.js';

const ms = (fallback: number) => z.number().int().positive().default(fallback);

const configSchema = z.strictObject({
  dataDir: z.string().min(1).default('parallax-data'),
  /** `observe`: everything is scored and shown, commands are only proposed. `act`: commands are sent. */
  mode: z.enum(['observe', 'act']).default('observe'),
  http: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.number().int().min(0).max(65535).default(7700),
      /** Where people find the page, when it stands behind a proxy: `https://parallax.example.com`. */
      publicUrl: z.url({ protocol: /^https?$/ }).exactOptional(),
      maxBodyBytes: z
        .number()
        .int()
        .positive()
        .default(16 * 1024 * 1024),
      /** Largest OTLP export, after decompression: the protocol's own limit. */
      maxOtlpBytes: z
        .number()
        .int()
        .positive()
        .default(64 * 1024 * 1024),
      maxRecordBytes: z
        .number()
        .int()
        .positive()
        .default(1024 * 1024),
      maxRecordsPerRequest: z.number().int().positive().default(20_000),
      maxDepth: z.number().int().positive().default(32),
      /** Bytes taken in but not yet committed; above it intake answers 429. */
      maxPendingBytes: z
        .number()
        .int()
        .positive()
        .default(64 * 1024 * 1024),
      maxStreamsPerKey: z.number().int().positive().default(32),
      heartbeatMs: ms(15_000),
      /** A second address that gives numbers (`/metrics`) and health without a key. Off when left out. */
      metrics: metricsListenerSchema.exactOptional(),
    })
    .prefault({}),
  otlp: z
    .strictObject({
      /** Longest time an export is kept open while nothing of its traces says whose they are. */
      waitMs: ms(2_000),
    })
    .prefault({}),
  keys: z.array(keySchema).default([]),
  /** What every key may send that has no quota of its own. */
  quotas: z.strictObject(quotaShape).prefault({}),
  check: z
    .strictObject({
      deadlineMs: ms(250),
      /** Answer when the deadline passes before scoring answered. */
      onTimeout: z.enum(['allow', 'hold', 'deny']).default('hold'),
    })
    .prefault({}),
  /** Calls that are held until a person decides. */
  approvals: z
    .strictObject({
      /** How long a person has. */
      holdMs: ms(10 * 60_000),
      /** How long the decision counts: an approved call may pass once within it, a rejected one is refused. */
      decisionMs: ms(10 * 60_000),
      /** What happens to a call that nobody decided about. */
      onTimeout: z.enum(HOLD_TIMEOUTS).default('deny'),
      /** Most calls of a tenant that wait at once, a tenth of them for one agent; what is beyond is refused. */
      maxWaiting: z.number().int().positive().default(1_000),
    })
    .prefault({}),
  clickhouse: clickhouseSchema.prefault({}),
  log: z
    .strictObject({
      mapBytes: z
        .number()
        .int()
        .positive()
        .default(64 * 1024 ** 3),
      retainBytes: z
        .number()
        .int()
        .positive()
        .default(8 * 1024 ** 3),
      reserveBytes: z
        .number()
        .int()
        .positive()
        .default(256 * 1024 ** 2),
    })
    .prefault({}),
  join: z
    .strictObject({
      windowMs: ms(60_000),
      /** How far behind the newest event an emitter's events may come. */
      outOfOrderMs: ms(5_000),
      allowedLatenessMs: ms(60_000),
      /** Processing time without events after which an emitter no longer holds the watermark back. */
      idleMs: ms(60_000),
      /** Event time without events after which a session counts as ended. */
      sessionTimeoutMs: ms(30 * 60_000),
      maxFutureMs: ms(60_000),
      maxSessions: z.number().int().positive().default(100_000),
      maxWindows: z.number().int().positive().default(200_000),
    })
    .prefault({}),
  detection: z
    .strictObject({
      /** Share of clean sessions that may raise an incident. */
      falseAlarmBudget: z.number().gt(0).lt(0.5).default(0.01),
      detectorsDir: z.string().default('detectors'),
      baselinesDir: z.string().default('baselines'),
      maxAgents: z.number().int().positive().default(100_000),
    })
    .prefault({}),
  sources: z
    .strictObject({
      /** Folder of the declarative mappings; relative names are looked up in the package. */
      mappingsDir: z.string().min(1).default('mappings'),
      /** Topics of others that are read into the log. */
      kafka: topicSourcesSchema.default([]),
    })
    .prefault({}),
  /** What is done about incidents, where an agent's profile says nothing else. */
  respond: respondSchema.prefault({}),
  /** Gateways that commands are sent to; others come for them over HTTP. */
  deliver: z
    .strictObject({
      webhooks: z
        .array(webhookSchema)
        .max(100)
        .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, { message: 'give each its own id' })
        .default([]),
    })
    .prefault({}),
  /** What leaves for gateways is signed with keys of this install, in `<dataDir>/keys/`. */
  signing: z
    .strictObject({
      algorithm: z.enum(SIGNING_ALGORITHMS).default('EdDSA'),
      /** Name of this install in messages; gateways' kits must be given the same. */
      issuer: z.string().min(1).max(256).default(DEFAULT_ISSUER),
      /** How long after signing a message may be taken in. */
      lifetimeMs: ms(60_000),
      /** How long the key before stays published after a rotation. */
      overlapMs: ms(24 * 60 * 60_000),
    })
    .prefault({}),
  /** The same change of behaviour in many agents of a class at once is one incident, judged by a person. */
  fleet: z
    .strictObject({
      /** Agents that must show it, and their share of the agents of the class that are active. */
      minAgents: z.number().int().min(2).default(4),
      share: z.number().gt(0).max(1).default(0.2),
      /** Event time within which they must. */
      windowMs: ms(30 * 60_000),
      /** How long a person's verdict on a change holds for agents that show it later. */
      verdictMs: ms(7 * 24 * 60 * 60_000),
      /** Detectors whose findings are changes of behaviour, and may be explained by peers. */
      detectors: z.array(z.string()).default(['new-session-shape', 'session-drift']),
    })
    .prefault({}),
  /** Many nodes over Kafka; left out, this one node keeps the log itself. */
  cluster: clusterSchema.exactOptional(),
  /** Ways to reach people; a way that is not set is off. */
  notify: z.strictObject({ mail: mailSchema.exactOptional() }).prefault({}),
  drain: drainSchema.prefault({}),
  /** Off when left out. */
  heartbeat: heartbeatSchema.exactOptional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type Config = z.infer<typeof configSchema>;
export type KeyConfig = Config['keys'][number];
export type WebhookConfig = z.infer<typeof webhookSchema>;

/** A configuration that cannot be used; the message names file, path and fix. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

const ENV_PREFIX = 'PARALLAX_';
/** Environment names with the prefix that are not configuration paths. */
const ENV_RESERVED = new Set(['PARALLAX_CHROMIUM', 'PARALLAX_CONFIG', 'PARALLAX_DATA', 'PARALLAX_KEY', 'PARALLAX_URL']);

/**
 * Reads one YAML file (optional) and the environment over it, and checks the whole.
 *
 * `PARALLAX_HTTP__PORT=8080` overrides `http.port`; two underscores separate the levels, case does not matter.
 *
 * @param file path of the YAML file, or undefined for defaults and environment only
 * @param env usually `process.env`
 * @throws ConfigError naming file, path and fix
 */
export function loadConfig(file: string | undefined, env: NodeJS.ProcessEnv): Config {
  const raw = file === undefined ? {} : readYamlObject(file);
  const secrets = secretVariables(raw);
  /** Which variable a setting came from, so that a mistake is looked for where it was made. */
  const variables = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || value === undefined || ENV_RESERVED.has(name) || secrets.has(name)) continue;
    variables.set(setPath(raw, name, value), name);
  }
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) throw new ConfigError(describeIssues(file ?? 'environment', parsed.error, variables));
  const config = parsed.data;
  if (file !== undefined) config.dataDir = resolve(dirname(file), config.dataDir);
  return config;
}

/** Reads a YAML file that must hold one object. @throws ConfigError naming the file and the line */
export function readYamlObject(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read (${errorCode(error)}); check the path and its permissions`);
  }
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (error) {
    throw new ConfigError(`${file}: not valid YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new ConfigError(`${file}: must hold a mapping at the top level, for example "mode: observe"`);
  }
  return { ...value };
}

/** One line per problem: `file or variable: path: what is wrong`. */
function describeIssues(file: string, error: z.ZodError, variables: ReadonlyMap<string, string>): string {
  return error.issues
    .flatMap((issue) => {
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys : [undefined];
      return unknown.map((key) => {
        const path = [...issue.path, ...(key === undefined ? [] : [key])].join('.');
        const what = key === undefined ? issue.message : 'is no setting; "parallax config --print" shows all there are';
        return `${variables.get(path) ?? file}: ${path === '' ? '(top level)' : path}: ${what}`;
      });
    })
    .join('\n');
}

/** Secrets come from variables that the user names freely; those are not configuration paths. */
function secretVariables(raw: Record<string, unknown>): Set<string> {
  const names = new Set<string>();
  const keys = raw['keys'];
  if (Array.isArray(keys)) for (const key of keys) addName(names, key, 'secretEnv');
  addName(names, raw['clickhouse'], 'passwordEnv');
  const { notify, deliver, cluster, sources } = raw;
  addKafkaNames(names, cluster);
  if (isGroup(sources) && Array.isArray(sources['kafka'])) {
    for (const source of sources['kafka']) addKafkaNames(names, source);
  }
  if (typeof deliver === 'object' && deliver !== null && 'webhooks' in deliver && Array.isArray(deliver.webhooks)) {
    for (const webhook of deliver.webhooks) addName(names, webhook, 'secretEnv');
  }
  if (typeof notify === 'object' && notify !== null && 'mail' in notify) addName(names, notify.mail, 'passwordEnv');
  return names;
}

/** The password of a group of settings that has a connection to Kafka. */
function addKafkaNames(names: Set<string>, group: unknown): void {
  if (isGroup(group) && isGroup(group['kafka'])) addName(names, group['kafka']['sasl'], 'passwordEnv');
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function addName(names: Set<string>, group: unknown, setting: string): void {
  if (typeof group !== 'object' || group === null) return;
  for (const [name, value] of Object.entries(group)) if (name === setting) names.add(String(value));
}

/** @returns the path that was set, `http.port` */
function setPath(root: Record<string, unknown>, variable: string, value: string): string {
  const path = variable.slice(ENV_PREFIX.length).split('__').map(camelCase);
  const last = path.pop();
  if (last === undefined || last === '') throw new ConfigError(`${variable}: names no setting; see "parallax config"`);
  let level = root;
  for (const step of path) {
    const next = level[step] ?? {};
    if (typeof next !== 'object' || next === null || Array.isArray(next)) {
      throw new ConfigError(`${variable}: "${step}" is not a group of settings; see "parallax config --print"`);
    }
    const copy: Record<string, unknown> = { ...next };
    level[step] = copy;
    level = copy;
  }
  level[last] = parseScalar(value);
  return [...path, last].join('.');
}

/** `ALLOWED_LATENESS_MS` -> `allowedLatenessMs`. */
function camelCase(part: string): string {
  const words = part.toLowerCase().split('_');
  return words.map((word, i) => (i === 0 ? word : word.slice(0, 1).toUpperCase() + word.slice(1))).join('');
}

function parseScalar(text: string): unknown {
  try {
    return parseYaml(text);
  } catch {
    return text;
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
