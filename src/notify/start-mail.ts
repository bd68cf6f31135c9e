import { readFileSync } from 'node:fs';
import type { CommandBoard, IncidentBoard } from '../api/port.js';
import { ConfigError, type MailConfig } from '../config.js';
import type { Clock } from '../lib/clock.js';
import type { Severity } from '../model/incident.js';
import { MailChannel } from './mail.js';
import { Notifier, type NotifierOptions } from './notifier.js';

/** Wait before a message, so that an incident and the commands it caused come together, ms. */
const SETTLE_MS = 2_000;
/** Least time between two messages about an open incident, ms. */
const UPDATE_EVERY_MS = 10 * 60_000;

export interface MailParts {
  /** Absent: mail is off. */
  config: MailConfig | undefined;
  env: NodeJS.ProcessEnv;
  store: NotifierOptions['store'];
  incidents: Pick<IncidentBoard, 'get'>;
  commands: Pick<CommandBoard, 'get'>;
  clock: Clock;
  /** From which severity on people are told of an agent's incidents. */
  alertFrom: (agentId: string) => Severity;
  onNotice: NotifierOptions['onNotice'];
}

/** Starts sending mail. @throws ConfigError where the password cannot be read */
export function startMail(parts: MailParts): Notifier | undefined {
  const { config, env, clock, store, incidents, commands, alertFrom, onNotice } = parts;
  if (config === undefined) return undefined;
  const notifier = new Notifier({
    store,
    incidents,
    commands,
    onNotice,
    clock,
    channel: openMail(config, env, clock),
    rules: { minSeverity: config.minSeverity, alertFrom, settleMs: SETTLE_MS, updateEveryMs: UPDATE_EVERY_MS },
    maxPerHour: config.maxPerHour,
  });
  notifier.start();
  return notifier;
}

/** The mail channel of a configuration. @throws ConfigError where the password cannot be read */
export function openMail(config: MailConfig, env: NodeJS.ProcessEnv, clock: Clock): MailChannel {
  const { host, port, secure, from, to, baseUrl, user } = config;
  return new MailChannel({
    host,
    port: port ?? (secure ? 465 : 587),
    secure,
    from,
    to,
    clock,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(user === undefined ? {} : { login: { user, password: passwordOf(config, env) } }),
  });
}

function passwordOf({ passwordEnv, passwordFile }: MailConfig, env: NodeJS.ProcessEnv): string {
  if (passwordFile !== undefined) {
    try {
      return readFileSync(passwordFile, 'utf8').trim();
    } catch {
      throw new ConfigError(
        `notify.mail.passwordFile ${passwordFile}: cannot be read; check the path and its permissions`,
      );
    }
  }
  const password = env[passwordEnv ?? ''];
  if (password === undefined || password === '') {
    throw new ConfigError(`notify.mail.passwordEnv ${passwordEnv ?? ''}: is not set; export it before starting`);
  }
  return password;
}
