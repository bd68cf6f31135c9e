import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { expect, it } from 'vitest';
import { ProgressRelay } from '../../../../src/gateway/mcp/progress.js';

it('only ever grows, over waiting and whatever a server reports', () => {
  const sent: Progress[] = [];
  const relay = new ProgressRelay((progress) => sent.push(progress));
  relay.waiting('a person is asked');
  relay.waiting('a person is asked');
  relay.relay({ progress: 0, total: 4 });
  relay.relay({ progress: 1, total: 4, message: 'one' });
  relay.relay({ progress: 1, total: 4 });
  relay.relay({ progress: 4, total: 4 });
  const numbers = sent.map(({ progress }) => progress);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(new Set(numbers).size).toBe(6);
  expect(sent.at(3)).toEqual({ progress: 1, total: 4, message: 'one' });
});
