import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { packageRoot } from '../lib/package-root.js';
import type { ChildService, KeyName, ObserverClient } from '../sources/port.js';
import { MailCatcher } from './mail-catcher.js';
import type { DemoParts } from './parts.js';
import type { Happening } from './rhythm.js';

export interface ServicesOptions {
  parts: DemoParts;
  /** Folder for everything, removed by the caller. */
  dir: string;
  mode: 'observe' | 'act';
  env: NodeJS.ProcessEnv;
}

const START_MS = 60_000;
const STOP_MS = 15_000;
/** Nobody sits at the demo to approve: a held call is given up soon, ms. */
const HOLD_MS = 50;
/** Generous, because a demo may run on a machine that is busy with other things, ms. */
const DEADLINE_MS = 5_000;
const AUDIT_WAIT_MS = 10_000;

/** The processes of the demo: a real observer, a real gateway, a real mail server. */
export class Services {
  readonly catcher: MailCatcher;
  readonly mailDir: string;
  readonly #options: ServicesOptions;
  readonly #running: ChildService[] = [];
  #keys: Record<KeyName, string> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: ServicesOptions) {
    this.#options = options;
    this.mailDir = join(options.dir, 'mail');
    this.catcher = new MailCatcher(this.mailDir);
  }

  get keys(): Record<KeyName, string> {
    if (this.#keys === undefined) throw new Error('the observer is not started');
    return this.#keys;
  }

  get adminKeyFile(): string {
    return this.#options.parts.keyFile(this.#options.dir, 'admin');
  }

  /** @throws when it does not start; the message holds its last words */
  async startObserver(): Promise<{ url: string; client: ObserverClient }> {
    const { parts, dir, mode } = this.#options;
    await mkdir(this.mailDir, { mode: 0o700 });
    const smtpPort = await this.catcher.start();
    if (this.#stopping !== undefined) {
      // It was stopped before it had begun to listen, so nobody else will end it.
      await this.catcher.stop();
      throw new Error('the demo was stopped');
    }
    this.#keys = await parts.writeKeys(dir);
    const config = await parts.writeObserverConfig(dir, {
      mode,
      check: { deadlineMs: DEADLINE_MS },
      notify: {
        mail: { host: '127.0.0.1', port: smtpPort, from: 'parallax@demo.example', to: ['oncall@demo.example'] },
      },
    });
    const script = join(packageRoot(), 'bin', 'parallax.js');
    const { url } = await this.#start('observer', [process.execPath, script, 'serve', '--config', config]);
    return { url, client: parts.connect(url) };
  }

  /** @param happenings everything that will be played: the gateway's simulated tools answer from it */
  async startGateway(observerUrl: string, happenings: Iterable<Happening>): Promise<string> {
    const { parts, dir } = this.#options;
    const outcomesFile = join(dir, 'outcomes.jsonl');
    await pipeline(Readable.from(outcomeLines(happenings)), createWriteStream(outcomesFile, { mode: 0o600 }));
    const settings = join(dir, 'gateway.json');
    const content = {
      observerUrl,
      gatewayId: 'gateway',
      observerKeyFile: parts.keyFile(dir, 'gateway'),
      callerKeyFile: parts.keyFile(dir, 'caller'),
      stateFile: join(dir, 'gateway-state.json'),
      enforce: 'hold',
      holdMs: HOLD_MS,
      deadlineMs: DEADLINE_MS,
      // The world's clock runs faster than the wall's, so the agents bring the time along.
      trustCaller: true,
      auditWaitMs: AUDIT_WAIT_MS,
      outcomesFile,
    };
    await parts.writeSecret(settings, JSON.stringify(content));
    const script = join(packageRoot(), 'dist', 'src', 'gateway', 'reference', 'main.js');
    const { url } = await this.#start('gateway', [process.execPath, script, '--config', settings]);
    return url;
  }

  /** Resolves when nothing runs any more, however often it is called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    for (const service of this.#running.splice(0).reverse()) await service.stop();
    await this.catcher.stop();
  }

  async #start(name: string, command: [string, ...string[]]): Promise<ChildService> {
    const { parts, dir, env } = this.#options;
    const service = await parts.startService({
      name,
      command,
      cwd: packageRoot(),
      env: parts.childEnvironment(env),
      logFile: join(dir, `${name}.log`),
      startMs: START_MS,
      stopMs: STOP_MS,
    });
    this.#running.push(service);
    if (this.#stopping !== undefined) {
      await service.stop();
      throw new Error('the demo was stopped');
    }
    return service;
  }
}

function* outcomeLines(happenings: Iterable<Happening>): Generator<string> {
  for (const happening of happenings) {
    if (happening.speaker !== 'gateway') continue;
    const { call, effect, planned } = happening;
    const { result = '', error } = planned;
    const outcome = {
      sessionId: call.sessionId,
      callId: call.callId,
      tool: call.tool,
      effect,
      ...(error === undefined ? {} : { error }),
      resultClass: result === '' ? 0 : result.length < 4_096 ? 1 : 2,
      ...(planned.result === undefined ? {} : { text: result }),
    };
    yield `${JSON.stringify(outcome)}\n`;
  }
}
