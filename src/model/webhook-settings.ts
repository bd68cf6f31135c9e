import { z } from 'zod';

const ms = (fallback: number) => z.number().int().positive().default(fallback);

/** A gateway that commands are posted to. */
export const webhookSchema = z
  .strictObject({
    /** Part of stored names: a webhook that is renamed starts with the full state. */
    id: z.string().regex(/^[a-z0-9-]{1,40}$/, { message: 'use lower-case letters, digits and hyphens' }),
    /** Whom its confirmations count for, and whom messages are signed for; the id of the gateway's key where it has one. */
    gatewayId: z.string().min(1).max(64).exactOptional(),
    url: z.string().max(2_048).superRefine(checkWebhookUrl),
    tenant: z.string().min(1).max(64).default('default'),
    /** Agents whose commands it is sent; `*` alone means any, a trailing `*` a prefix. */
    agents: z.array(z.string().min(1).max(256)).min(1).default(['*']),
    /** `whsec_...`; several, separated by spaces or lines, while one takes the other's place. */
    secretEnv: z.string().min(1).exactOptional(),
    secretFile: z.string().min(1).exactOptional(),
    /** Ed25519 private key in PEM: adds a signature that the gateway can check without a shared secret. */
    keyFile: z.string().min(1).exactOptional(),
    /** Certificates to trust for this gateway instead of the system's, PEM. */
    caFile: z.string().min(1).exactOptional(),
    /** Ranges that are not public and may be connected to all the same, also without TLS. */
    allowAddresses: z
      .array(z.union([z.cidrv4(), z.cidrv6()], { error: 'use a range such as 10.1.0.0/16 or fd00::/8' }))
      .max(64)
      .default([]),
    timeoutMs: ms(10_000),
    /** Without news for so long the full state is sent as a sign of life. */
    refreshMs: ms(60_000),
    /** What could not be delivered for so long gives way to the full state. */
    staleMs: ms(60_000),
  })
  .refine((w) => [w.secretEnv, w.secretFile].filter((s) => s !== undefined).length === 1, {
    message: 'give exactly one of secretEnv, secretFile',
  });

function checkWebhookUrl(url: string, context: z.RefinementCtx): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    context.addIssue('must be a URL such as "https://gateway.example.com/parallax"');
  } else if (parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') {
    context.addIssue('must hold no user, password or fragment; the signature says who sends');
  }
}
