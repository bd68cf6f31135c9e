import { expect, it } from 'vitest';
import { lift } from '../../../src/cli/lift.js';

const console = { out: () => {}, err: () => {}, isTerminal: false };
const run = (positionals: string[], values: Record<string, string | boolean>) =>
  lift.run({ values, positionals, env: { PARALLAX_KEY: 'k', PARALLAX_URL: 'http://127.0.0.1:9' }, console });

it.each<[string, string[], Record<string, string | boolean>]>([
  ['a command and all of them', ['cmd_1'], { all: true, reason: 'r' }],
  ['a class without --all', [], { class: 'support', reason: 'r' }],
  ['both persons at once', [], { all: true, confirm: 'lift_1', reason: 'r' }],
  ['yes and no', [], { confirm: 'lift_1', reject: 'lift_1', reason: 'r' }],
])('refuses %s', async (_, positionals, values) => {
  await expect(run(positionals, values)).rejects.toThrow(/^say one of COMMAND_ID, --all \[--class CLASS\], --confirm/);
});

it('wants a reason from either person', async () => {
  await expect(run([], { all: true })).rejects.toThrow('say --reason TEXT');
  await expect(run([], { confirm: 'lift_1' })).rejects.toThrow('say --reason TEXT');
});
