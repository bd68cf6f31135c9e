import { z } from 'zod';
import { CONTENT_LEVELS } from './content-level.js';
import { STREAMS } from './observation.js';

/** What a key may do. `ingest` writes observations; `gateway` also asks, subscribes and acknowledges. */
export const ROLES = ['ingest', 'gateway', 'viewer', 'analyst', 'responder', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** How much may come; what is not given is not limited. */
export const quotaShape = {
  recordsPerSecond: z.number().positive().exactOptional(),
  /** For each agent. */
  agentRecordsPerSecond: z.number().positive().exactOptional(),
  /** Seconds' worth that may come at once. */
  burstSeconds: z.number().positive().max(3_600).default(10),
};

/** One entry of `keys:`. */
export const keySchema = z
  .strictObject({
    id: z.string().min(1).max(64),
    role: z.enum(ROLES),
    tenant: z.string().min(1).max(64).default('default'),
    streams: z.array(z.enum(STREAMS)).default([]),
    /** Agent ids this key may speak for; `*` alone means any, a trailing `*` a prefix. */
    agents: z.array(z.string().min(1).max(256)).default(['*']),
    /** What is kept of its records' words; `redacted` when left out. */
    content: z.enum(CONTENT_LEVELS).exactOptional(),
    /** What the key may send, instead of `quotas`. */
    quota: z.strictObject(quotaShape).exactOptional(),
    /** Ed25519 keys that the emitter signs its batches with. */
    signatures: z
      .strictObject({
        publicKeys: z
          .array(z.strictObject({ id: z.string().regex(/^[\w.-]{1,64}$/), file: z.string().min(1) }))
          .min(1)
          .max(8),
        /** Whether batches that are not signed are refused. */
        required: z.boolean().default(true),
      })
      .exactOptional(),
    /** Silence after which the emitter is named in an incident, ms. */
    silentAfterMs: z.number().int().positive().exactOptional(),
    secretEnv: z.string().min(1).exactOptional(),
    secretFile: z.string().min(1).exactOptional(),
    /** SHA-256 of the secret, hex: lets the file be shared without giving the key away. */
    secretSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .exactOptional(),
  })
  .refine((k) => [k.secretEnv, k.secretFile, k.secretSha256].filter((s) => s !== undefined).length === 1, {
    message: 'give exactly one of secretEnv, secretFile, secretSha256',
  });
