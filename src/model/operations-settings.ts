import { z } from 'zod';

const ms = (fallback: number) => z.number().int().positive().default(fallback);

/** Where numbers may be read without a key: for a collector on the same machine or in a closed network. */
export const metricsListenerSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1'),
  port: z.number().int().min(0).max(65535),
});

/** How the process stops when it is asked to. */
export const drainSchema = z.strictObject({
  /** How long requests are still taken after `/readyz` began to say no: let balancers notice. 0 without one. */
  lameDuckMs: z.number().int().nonnegative().default(0),
  /** What is not finished by then is left to the next start, which goes on from the log. */
  deadlineMs: ms(30_000),
});

/** A sign of life pushed to an outside system that tells people when it stops. */
export const heartbeatSchema = z
  .strictObject({
    url: z.string().max(2_048).superRefine(checkUrl).exactOptional(),
    /** Instead of `url`, where the URL itself is the secret. */
    urlFile: z.string().min(1).exactOptional(),
    everyMs: ms(30_000),
    timeoutMs: ms(10_000),
    /** Certificates to trust instead of the system's, PEM. */
    caFile: z.string().min(1).exactOptional(),
    /** Ranges that are not public and may be connected to all the same, also without TLS. */
    allowAddresses: z
      .array(z.union([z.cidrv4(), z.cidrv6()], { error: 'use a range such as 10.1.0.0/16 or fd00::/8' }))
      .max(64)
      .default([]),
  })
  .refine((h) => [h.url, h.urlFile].filter((s) => s !== undefined).length === 1, {
    message: 'give exactly one of url, urlFile',
  });

export type HeartbeatConfig = z.infer<typeof heartbeatSchema>;

/** Why a URL cannot be posted to; undefined when it can. */
export function refuseHeartbeatUrl(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    return 'must be a URL such as "https://hc.example.com/ping/..."';
  }
  const isPlain = parsed.username === '' && parsed.password === '' && parsed.hash === '';
  return isPlain ? undefined : 'must hold no user, password or fragment';
}

function checkUrl(url: string, context: z.RefinementCtx): void {
  const refusal = refuseHeartbeatUrl(url);
  if (refusal !== undefined) context.addIssue(refusal);
}
