import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Director } from './director.js';
import { learnFleet, storeNote } from './learn-fleet.js';
import { Narrator } from './narrator.js';
import { outcomeTable } from './outcome-table.js';
import { makePaint } from './paint.js';
import type { DemoParts } from './parts.js';
import { Player } from './player.js';
import { ObserverView } from './seen.js';
import { Services } from './services.js';
import { STORIES } from './stories/stories.js';
import { makeWorld } from './world.js';

export interface DemoOptions {
  parts: DemoParts;
  /** Makes the world: names, requests, times, who plays which part. */
  seed: number;
  mode: 'observe' | 'act';
  /** Goes on running after the account until `signal`. */
  keep: boolean;
  env: NodeJS.ProcessEnv;
  out: (text: string) => void;
  progress: { show: (stage: string, detail: string) => void; done: () => void };
  /** Progress is drawn in place. */
  isLive: boolean;
  isColoured: boolean;
  /** Characters of a line. */
  width: number;
  /** Stops everything and cleans up. */
  signal: AbortSignal;
}

/**
 * The whole demo: a world, real services, learning, the stories, the table.
 *
 * @returns whether everything came out as expected
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const { parts, mode, env, signal } = options;
  const dir = await mkdtemp(join(tmpdir(), 'parallax-demo-'));
  const services = new Services({ parts, dir, mode, env });
  const onAbort = (): void => void services.stop();
  signal.addEventListener('abort', onAbort);
  try {
    return await tell(services, options);
  } catch (fault) {
    if (signal.aborted) return false;
    throw fault;
  } finally {
    signal.removeEventListener('abort', onAbort);
    options.progress.done();
    await services.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function tell(services: Services, options: DemoOptions): Promise<boolean> {
  const { parts, seed, mode, out, progress, width, signal } = options;
  const paint = makePaint(options.isColoured);
  const narrator = new Narrator({ out, paint, width });
  const world = makeWorld({ seed, nowMs: Date.now(), stories: STORIES });
  const sessions = new Set(world.history.flat().map(({ sessionId }) => sessionId)).size;
  narrator.say(paint.bold(`Parallax demo, world ${seed}: ${world.fleet.length} agents of five classes`));
  progress.show('starting', 'the observer');
  const { url, client } = await services.startObserver();
  progress.show('learning', `0 of ${sessions} sessions`);
  const { keys } = services;
  const learned = await learnFleet({ client, keys, parts, signal }, world.history, ({ sessions: n }) =>
    progress.show('learning', `${n} of ${sessions} sessions`),
  );
  progress.show('starting', 'the gateway');
  const gatewayUrl = await services.startGateway(
    url,
    world.acts.flatMap(({ happenings }) => happenings),
  );
  progress.done();
  narrator.say(`It learned ${learned.sessions} sessions of the days before. ${learned.promise}`);
  const player = new Player({
    observer: client,
    gatewayUrl,
    keys,
    callGateway: parts.callGateway,
    fetch: globalThis.fetch,
    now: () => Date.now(),
    signal,
  });
  const view = new ObserverView(client, keys.admin);
  const { budget } = learned;
  const director = new Director({
    player,
    view,
    client,
    services,
    parts,
    narrator,
    progress,
    budget,
    isLive: options.isLive,
  });
  for (const act of world.acts) await director.perform(act);
  const rows = [...director.rows, director.everybodyElse()];
  narrator.say('');
  narrator.say(outcomeTable(rows, paint));
  const ok = rows.every((row) => row.ok);
  const missed = rows.filter((row) => !row.ok).length;
  narrator.say('');
  narrator.say(
    ok
      ? paint.green('Everything came out as expected.')
      : paint.red(`${missed} of ${rows.length} did not come out as expected.`),
  );
  narrator.say(paint.dim(await storeNote(client, keys.admin)));
  if (mode === 'observe')
    narrator.say('This observer only watched (--mode observe): it decides and shows, and enforces nothing.');
  if (options.keep) await keepOpen({ url, gatewayUrl, services, narrator, signal });
  return ok;
}

/** Says where to look, and waits for Ctrl-C. */
async function keepOpen({
  url,
  gatewayUrl,
  services,
  narrator,
  signal,
}: {
  url: string;
  gatewayUrl: string;
  services: Services;
  narrator: Narrator;
  signal: AbortSignal;
}): Promise<void> {
  const key = `-H "Authorization: Bearer $(cat ${services.adminKeyFile})"`;
  narrator.say('');
  narrator.say('Still running. Where to look:');
  narrator.note('page', `${url}/`);
  narrator.note('key', services.adminKeyFile);
  narrator.note('gateway', gatewayUrl);
  narrator.note('mail', services.mailDir);
  narrator.say('');
  for (const path of ['/v1/incidents?status=open', '/v1/commands', '/v1/status'])
    narrator.say(`curl -s ${key} '${url}${path}'`);
  narrator.say('');
  narrator.say('Ctrl-C stops everything and removes it.');
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
