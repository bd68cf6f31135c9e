import { z } from 'zod';

const days = (fallback: number) => z.number().int().positive().default(fallback);
/** Goes into statements as text. */
const name = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, { message: 'use letters, digits and _ only' });

/** Certificates as PEM files; read when the store is opened, so that renewed ones need no other setting. */
const tlsSchema = z
  .strictObject({
    /** Who signed the server's certificate, where that is nobody the system trusts. */
    caFile: z.string().min(1).exactOptional(),
    /** Shown to a server that asks who connects. */
    certFile: z.string().min(1).exactOptional(),
    keyFile: z.string().min(1).exactOptional(),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    message: 'give certFile and keyFile together, or neither',
  });

export const clickhouseClusterSchema = z.strictObject({
  /** As it stands in the servers' `remote_servers`. */
  name,
  /** Replicated tables, which need a Keeper and the macros `{shard}` and `{replica}`. */
  replicated: z.boolean().default(true),
  /** Replicas that must have an insert before it counts; `auto` is most of them, 0 the one that took it. */
  insertQuorum: z.union([z.literal('auto'), z.number().int().min(0).max(100)]).default(0),
});

/** `clickhouse`. */
export const clickhouseSchema = z
  .strictObject({
    /** `embedded`, or the URL of a server. */
    url: z.string().default('embedded').superRefine(checkStoreUrl),
    username: z.string().default('default'),
    passwordEnv: z.string().exactOptional(),
    passwordFile: z.string().min(1).exactOptional(),
    tls: tlsSchema.exactOptional(),
    /** The tables of several servers instead of one. */
    cluster: clickhouseClusterSchema.exactOptional(),
    database: name.default('parallax'),
    /** How long rows are gathered before they are written as one block, ms: less shows them sooner and costs more. */
    lingerMs: z.number().int().positive().default(5_000),
    observationDays: days(90),
    payloadDays: days(7),
    /** Whole states of baselines: how long, and how much of them on disk. */
    baselineDays: days(365),
    baselineBytes: z
      .number()
      .int()
      .positive()
      .default(8 * 1024 ** 3),
  })
  .refine(({ passwordEnv, passwordFile }) => passwordEnv === undefined || passwordFile === undefined, {
    path: ['passwordFile'],
    message: 'give passwordEnv or passwordFile, not both',
  })
  .refine(({ tls, url }) => tls === undefined || url.startsWith('https:'), {
    path: ['tls'],
    message: 'needs clickhouse.url to begin with https:',
  })
  .refine(({ cluster, url }) => cluster === undefined || url !== 'embedded', {
    path: ['cluster'],
    message: 'needs the URL of a server in clickhouse.url; the embedded engine is no cluster',
  });

export type ClickHouseConfig = z.infer<typeof clickhouseSchema>;
export type TlsFiles = z.infer<typeof tlsSchema>;
export type ClickHouseCluster = z.infer<typeof clickhouseClusterSchema>;

/** The URL is printed and shown at `/v1/status`, so it may carry no secret. */
function checkStoreUrl(url: string, context: z.RefinementCtx): void {
  if (url === 'embedded') return;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    context.addIssue('must be "embedded", or the URL of a server such as "http://clickhouse:8123"');
  } else if (parsed.username !== '' || parsed.password !== '' || parsed.search !== '') {
    context.addIssue('must hold no user, password or parameters; use clickhouse.username and clickhouse.passwordEnv');
  }
}
