import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Command } from '../../src/model/command.js';
import {
  prepareService,
  runParallax,
  ServiceProcess,
  type Outcome,
  type ServiceSetup,
} from '../support/service-process.js';
import { speakerKeys } from '../support/session-traffic.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const directory = temporaryDirectory();
let setup: ServiceSetup;
let service: ServiceProcess;

beforeAll(async () => {
  const file = (id: string) => join(directory.path, 'observer', 'keys', `${id}.key`);
  const keys = [
    ...speakerKeys(file),
    { id: 'admin', role: 'admin', secretFile: file('admin') },
    { id: 'bob', role: 'responder', secretFile: file('bob') },
    { id: 'bound', role: 'responder', secretFile: file('bound'), agents: ['support-*'] },
  ];
  setup = prepareService(join(directory.path, 'observer'), { mode: 'act', keys });
  for (const id of ['bob', 'bound']) writeFileSync(file(id), `key-of-${id}-0123456789`, { mode: 0o600 });
  service = await ServiceProcess.start(setup);
}, 300_000);

afterAll(async () => {
  await service.stop();
  directory.remove();
});

function as(who: string, ...args: string[]): Promise<Outcome> {
  const key = join(setup.directory, 'keys', `${who}.key`);
  return runParallax([...args, '--key-file', key, '--url', service.url]);
}

async function restricted(): Promise<string[]> {
  const { commands } = (await service.get('/v1/commands')) as { commands: Command[] };
  return commands.filter(({ state }) => !['undone', 'expired'].includes(state)).map(({ agentId }) => agentId);
}

it('lifts for a whole class when two persons say so, over a kill between them', async () => {
  for (const agent of ['support-1', 'support-2', 'coder-1']) {
    await as('admin', 'contain', agent, '--suspend', '--reason', 'odd', '--unseen', '--wait', '1s');
  }
  expect((await restricted()).sort()).toEqual(['coder-1', 'support-1', 'support-2']);

  const proposed = await as('admin', 'lift', '--all', '--class', 'support', '--reason', 'the release was fine');
  expect(proposed).toMatchObject({ code: 0, err: '' });
  expect(proposed.out).toMatch(/class support: 2 containments of 2 agents; proposed by admin, open until /);
  const id = /lift_\w+/.exec(proposed.out)?.[0] ?? '';
  expect(proposed.out).toContain(`parallax lift --confirm ${id} --reason TEXT`);
  expect(await restricted()).toHaveLength(3);

  const again = await as('admin', 'lift', '--confirm', id, '--reason', 'I am sure');
  expect(again.code).toBe(1);
  expect(again.err).toContain('this key proposed it; lifting for many agents needs two different persons');
  const bound = await as('bound', 'lift', '--confirm', id, '--reason', 'me too');
  expect([bound.code, bound.err]).toEqual([1, expect.stringContaining('this key is bound to some agents')]);
  expect(await restricted()).toHaveLength(3);

  await service.kill();
  service = await ServiceProcess.start(setup);
  expect((await as('bob', 'lift', '--pending')).out).toContain(`${id}  class support`);
  const confirmed = await as('bob', 'lift', '--confirm', id, '--reason', 'checked');
  expect(confirmed).toMatchObject({ code: 0, err: '' });
  expect(confirmed.out).toContain('proposed by admin, confirmed by bob: the release was fine');
  expect(await restricted()).toEqual(['coder-1']);
  expect((await as('bob', 'lift', '--pending')).out).toBe('nothing waits for a second person\n');
}, 300_000);
