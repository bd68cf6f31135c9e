import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, readYamlObject } from '../../config.js';
import { explainIssue, issuePath } from '../../lib/explain-issue.js';
import { EFFECTS } from '../../model/observation.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import { RULE_DECISIONS } from './rules.js';

const posture = z.enum(['open', 'closed']);
const ms = (fallback: number) => z.number().int().positive().default(fallback);
const count = (fallback: number) => z.number().int().positive().default(fallback);
const agentName = z.string().min(1).max(MAX_NAME_CHARS);
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
  message: 'must be the name of an environment variable; the value itself does not belong into this file',
});

/** No underscore: `server__tool` has one meaning only. */
const serverName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,23}$/, {
  message: 'is no usable name of a server; use 1 to 24 of a-z, 0-9 and "-", beginning with a letter or digit',
});

const annotations = z.enum(['trust', 'ignore']).default('trust');

/** A server as a process of its own: `command`, spoken with over standard input and output. */
const stdioServer = z.strictObject({
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  /** The server's variable -> the variable of this process that holds the value. */
  env: z.record(variable, variable).default({}),
  cwd: z.string().min(1).exactOptional(),
  /** `pass`: the server's own standard error goes to this one's; it may hold what the server should not say. */
  stderr: z.enum(['discard', 'pass']).default('discard'),
  annotations,
});

/** A server over Streamable HTTP. */
const httpServer = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).refine((url) => !new URL(url).password && !new URL(url).username, {
    message: 'must hold no user or password; use headers, which name environment variables',
  }),
  /** Header -> the environment variable that holds its value. */
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), variable).default({}),
  annotations,
});

/** One of the two, told apart by what is written, so that a message names the field that is wrong. */
const serverSchema = z.unknown().transform((value, context): StdioServer | HttpServer => {
  const isHttp = typeof value === 'object' && value !== null && 'url' in value;
  const parsed = (isHttp ? httpServer : stdioServer).safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const text = issue.code === 'unrecognized_keys' ? UNKNOWN : explainIssue(issue, value);
    const field = issuePath(issue);
    context.addIssue({ code: 'custom', path: field === '' ? [] : field.split('.'), message: text });
  }
  return z.NEVER;
});

const clientSchema = z
  .strictObject({
    id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, { message: 'use 1 to 64 letters, digits, ".", "_" and "-"' }),
    /** The agent behind this key; its id when left out. Never what the client says of itself. */
    agentId: agentName.exactOptional(),
    keyEnv: variable.exactOptional(),
    keyFile: z.string().min(1).exactOptional(),
    /** SHA-256 of the key, hex. */
    keySha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .exactOptional(),
  })
  .refine((c) => [c.keyEnv, c.keyFile, c.keySha256].filter((s) => s !== undefined).length === 1, {
    message: 'give exactly one of keyEnv, keyFile, keySha256',
  });

const ruleSchema = z.strictObject({
  /** For the audit: `mcp:<id>`; the rule's place when left out. */
  id: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, { message: 'use 1 to 64 letters, digits, ".", "_" and "-"' })
    .exactOptional(),
  tools: z.array(z.string().min(1).max(MAX_NAME_CHARS)).min(1),
  decision: z.enum(RULE_DECISIONS).exactOptional(),
  effect: z.enum(EFFECTS).exactOptional(),
  /** Told to whoever made the call. */
  reason: z.string().min(1).max(500).exactOptional(),
});

const settingsSchema = z.strictObject({
  observer: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }),
      keyEnv: variable.exactOptional(),
      keyFile: z.string().min(1).exactOptional(),
      /** Name under which it signs, where it was given one of its own (`signing.issuer`). */
      issuer: z.string().min(1).max(256).exactOptional(),
      /** Longest wait for an answer, ms. */
      deadlineMs: ms(1_000),
      /** Silence after which calls fall to the posture without being asked about, ms. */
      silentAfterMs: ms(60_000),
      /** What happens with calls while it does not answer, by effect. */
      posture: z
        .strictObject({
          read: posture.exactOptional(),
          write: posture.exactOptional(),
          auth: posture.exactOptional(),
          unknown: posture.exactOptional(),
        })
        .prefault({}),
    })
    .refine((o) => (o.keyEnv === undefined) !== (o.keyFile === undefined), {
      message: 'give exactly one of keyEnv, keyFile',
    }),
  /** The id of this gateway's key at the observer, which signs its commands for it. */
  gatewayId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .default('gateway'),
  /** The agent that is watched where there is one client only (standard input and output). */
  agentId: agentName.exactOptional(),
  servers: z.record(serverName, serverSchema),
  rules: z
    .strictObject({
      default: z.enum(RULE_DECISIONS).default('allow'),
      tools: z.array(ruleSchema).max(1_000).default([]),
    })
    .prefault({}),
  /** The folder of a reference library (`tools.yaml`, `profiles/`): says what a tool does where nothing else does. */
  baselinesDir: z.string().min(1).exactOptional(),
  /** Where tool definitions are remembered between runs; without it only while it runs. */
  stateDir: z.string().min(1).exactOptional(),
  /** A tool whose definition changed after it was first seen. */
  changedTools: z.enum(['refuse', 'report']).default('refuse'),
  /** Who may connect over HTTP. */
  clients: z.array(clientSchema).max(1_000).default([]),
  http: z
    .strictObject({
      /** Further names under which this gateway is reached (`Host`), and pages that may call it (`Origin`). */
      hosts: z.array(z.string().min(1)).default([]),
      origins: z.array(z.url()).default([]),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      /** For a server to start and list what it has. */
      startMs: ms(30_000),
      /** For an answer to a call without any progress. */
      callMs: ms(120_000),
      /** For a person to decide. Shorter than the client's own patience (often 60 s), or the client gives up first. */
      approvalMs: z.number().int().min(0).default(50_000),
      /** An HTTP session without a request is closed after this. */
      idleMs: ms(30 * 60_000),
      restartBaseMs: ms(500),
      restartMaxMs: ms(30_000),
    })
    .prefault({}),
  limits: z
    .strictObject({
      toolsPerServer: count(512),
      /** One tool's definition as JSON. */
      definitionChars: count(64 * 1024),
      /** Longest name shown to clients; most put `mcp__<their name for us>__` before it and stop at 64 in all. */
      toolNameChars: z.number().int().min(32).max(128).default(48),
      argumentChars: count(256 * 1024),
      /** Longest message of a server, and of a client over HTTP. */
      messageBytes: count(10 * 1024 * 1024),
      callsPerSession: count(32),
      sessions: count(256),
    })
    .prefault({}),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type McpSettings = z.infer<typeof settingsSchema>;
export type StdioServer = z.infer<typeof stdioServer>;
export type HttpServer = z.infer<typeof httpServer>;

const UNKNOWN = 'is no setting here; remove it, or see docs/mcp-gateway.md for the settings there are';

/**
 * Reads the gateway's YAML file. Paths in it are taken from the file's own folder.
 *
 * @throws ConfigError with one line per problem: file, path, fix
 */
export function loadMcpSettings(file: string): McpSettings {
  return withPathsFrom(dirname(file), settingsFrom(readYamlObject(file), file));
}

/** Checks settings that were read. @param origin for messages @throws ConfigError with one line per problem */
export function settingsFrom(raw: Record<string, unknown>, origin = 'settings'): McpSettings {
  const parsed = settingsSchema.safeParse(raw);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.flatMap((issue) => linesOf(issue, raw, origin)).join('\n'));
  }
  if (Object.keys(parsed.data.servers).length === 0) {
    throw new ConfigError(`${origin}: servers: is empty; name at least one MCP server to stand in front of`);
  }
  return parsed.data;
}

function linesOf(issue: z.core.$ZodIssue, raw: unknown, origin: string): string[] {
  const keys = issue.code === 'unrecognized_keys' ? issue.keys : [undefined];
  return keys.map((key) => {
    const path = [...issue.path, ...(key === undefined ? [] : [key])].join('.');
    const isOwn = issue.code === 'custom' || issue.code === 'invalid_format' || issue.code === 'invalid_key';
    const what = key !== undefined ? UNKNOWN : isOwn ? ownMessage(issue) : explainIssue(issue, raw);
    return `${origin}: ${path === '' ? '(top level)' : path}: ${what}`;
  });
}

/** The message that the schema above gives, also where it stands inside an invalid key. */
function ownMessage(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

function withPathsFrom(folder: string, settings: McpSettings): McpSettings {
  const at = (path: string): string => resolve(folder, path);
  const { observer, clients, baselinesDir, stateDir, servers } = settings;
  return {
    ...settings,
    observer: observer.keyFile === undefined ? observer : { ...observer, keyFile: at(observer.keyFile) },
    clients: clients.map((one) => (one.keyFile === undefined ? one : { ...one, keyFile: at(one.keyFile) })),
    servers: Object.fromEntries(
      Object.entries(servers).map(([name, server]) => [
        name,
        'command' in server && server.cwd !== undefined ? { ...server, cwd: at(server.cwd) } : server,
      ]),
    ),
    ...(baselinesDir === undefined ? {} : { baselinesDir: at(baselinesDir) }),
    ...(stateDir === undefined ? {} : { stateDir: at(stateDir) }),
  };
}
