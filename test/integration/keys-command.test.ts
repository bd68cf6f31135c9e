import { afterEach, beforeEach, expect, it } from 'vitest';
import { keys } from '../../src/cli/keys.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';

let api: ApiStack;
beforeEach(async () => {
  api = await startApi();
});
afterEach(async () => {
  await api.close();
});

async function run(positionals: string[], values: Record<string, string> = {}, key = 'admin'): Promise<string> {
  let out = '';
  const code = await keys.run({
    values: { url: api.url, ...values },
    positionals,
    env: { PARALLAX_KEY: secretOf(key) },
    console: { out: (text) => (out += text), err: () => {}, isTerminal: false },
  });
  expect(code).toBe(0);
  return out;
}

it('shows the keys, and signs with a new one at once', async () => {
  const [before = ''] = (await run(['list'])).split('\n');
  expect(before).toMatch(/^[\w-]{43} {2}EdDSA$/);
  const rotated = await run(['rotate']);
  expect(rotated).toMatch(/^[\w-]{43} is published and signs from now on\n$/);
  const kid = rotated.slice(0, 43);
  expect(await run(['list'])).toBe(`${before}\n${kid}  EdDSA\n`);
});

it('publishes a new key ahead of its time', async () => {
  const rotated = await run(['rotate'], { lead: '24' });
  expect(rotated).toMatch(/^[\w-]{43} is published and signs from 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC on\n$/);
  expect((await run(['list'])).split('\n')).toHaveLength(3);
});

it('is for who oversees the install, and says what is wrong', async () => {
  await expect(run(['rotate'], {}, 'responder')).rejects.toThrow('needs a key with role admin');
  await expect(run(['rotate'], {}, 'stranger')).rejects.toThrow('the keys serve all tenants of this install');
  await expect(run(['rotate'], { lead: '-1' })).rejects.toThrow('--lead -1: give hours, from 0 to 720');
  await expect(run(['rotate'], { lead: 'soon' })).rejects.toThrow('--lead soon');
  await expect(run(['destroy'])).rejects.toThrow('parallax keys list | rotate');
  expect((await run(['list'])).split('\n')).toHaveLength(2);
});
