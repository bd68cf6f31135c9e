import type { Config } from './config.js';
import type { Clock } from './lib/clock.js';
import type { Notifier } from './notify/notifier.js';
import { startMail } from './notify/start-mail.js';
import type { EffectsToTell, Observer } from './observer.js';
import { classPolicies } from './respond/class-policy.js';
import { startWebhooks, type Webhooks } from './respond/webhook/start-webhooks.js';
import type { Signing } from './signing/port.js';
import type { Logger } from './telemetry/logger.js';

export interface TellingParts {
  observer: Observer;
  effects: EffectsToTell;
  /** Place in the outbox at which telling began. */
  startedAt: number;
  config: Config;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  logger: Logger;
  signing: Pick<Signing, 'signer'>;
}

/** Who tells people and gateways of effects, and what it follows. */
export interface Telling {
  effects: EffectsToTell;
  mail: Notifier | undefined;
  webhooks: Webhooks;
}

/** Begins to tell people by mail and gateways by webhook. @throws ConfigError where a secret cannot be read */
export function startTelling(parts: TellingParts): Telling {
  const { observer, effects, startedAt, config, env, clock, logger, signing } = parts;
  const onNotice = (level: 'info' | 'warn', message: string) => logger[level](message);
  const policyOf = classPolicies(config.respond, (agentId) => observer.library.profileOf(agentId));
  const shared = { env, store: effects, incidents: observer.incidents, commands: observer.commands, clock, onNotice };
  const mail = startMail({
    ...shared,
    config: config.notify.mail,
    alertFrom: (agentId) => policyOf(agentId).alert.severity,
  });
  const webhooks = startWebhooks({
    ...shared,
    configs: config.deliver.webhooks,
    source: config.http.publicUrl ?? 'urn:parallax',
    startedAt,
    sign: ({ type, sequence, data }, audience) => signing.signer.sign({ kind: type, audience, sequence, body: data }),
    acknowledge: (value) => observer.record({ type: 'ack', value }),
    random: Math.random,
  });
  return { effects, mail, webhooks };
}
