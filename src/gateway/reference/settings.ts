import { readFileSync } from 'node:fs';
import { z } from 'zod';

const posture = z.enum(['open', 'closed']);

const settingsSchema = z.strictObject({
  observerUrl: z.url(),
  /** Id of the gateway's key at the observer. */
  gatewayId: z.string().min(1).default('gateway'),
  /** Name under which the observer signs, where it has one of its own. */
  issuer: z.string().min(1).exactOptional(),
  /** File in which restrictions in force are kept over a restart. */
  stateFile: z.string().min(1).exactOptional(),
  /** Silence of the observer after which calls fall to the posture, ms. */
  silentAfterMs: z.number().int().positive().default(60_000),
  /** Files that hold the keys, one line each. */
  observerKeyFile: z.string().min(1),
  callerKeyFile: z.string().min(1),
  approverKeyFile: z.string().min(1).exactOptional(),
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(0).max(65535).default(0),
  enforce: z.enum(['hold', 'subscribe', 'none']).default('hold'),
  holdMs: z.number().int().min(0).default(60_000),
  deadlineMs: z.number().int().positive().default(250),
  posture: z
    .strictObject({
      read: posture.exactOptional(),
      write: posture.exactOptional(),
      auth: posture.exactOptional(),
      unknown: posture.exactOptional(),
    })
    .prefault({}),
  trustCaller: z.boolean().default(false),
  auditWaitMs: z.number().int().min(0).default(0),
  /** Longest wait for the full restriction state before the first call is taken, ms. */
  startWaitMs: z.number().int().min(0).default(5_000),
  /** NDJSON of what the simulated tools answer. */
  outcomesFile: z.string().min(1).exactOptional(),
});
export type GatewaySettings = z.infer<typeof settingsSchema>;

/** Reads the gateway's JSON settings. @throws Error naming file, field and what is wrong */
export function readSettings(file: string): GatewaySettings {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (fault) {
    throw new Error(`${file}: cannot be read as JSON: ${fault instanceof Error ? fault.message : String(fault)}`, {
      cause: fault,
    });
  }
  const parsed = settingsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map((i) => `${file}: ${i.path.join('.')}: ${i.message}`).join('\n'));
}

/** Reads a key file. @throws Error when it is empty or cannot be read */
export function readKey(file: string): string {
  const key = readFileSync(file, 'utf8').trim();
  if (key === '') throw new Error(`${file}: is empty; it must hold the key`);
  return key;
}
