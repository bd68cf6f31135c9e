import { describe, expect, it } from 'vitest';
import { DetectorMemory } from '../../../src/detect/detector-memory.js';
import { IndexedDetectorRunner } from '../../../src/detect/runner.js';
import { SequenceMemory } from '../../../src/detect/sequence-memory.js';
import { StoredState } from '../../support/stored-state.js';
import { assessCall } from './assessments.js';
import { setOf } from './detector-text.js';

const set = setOf({
  id: 'read-use-send',
  when: 'tool == "send"',
  extra: 'kind: sequence\nafter:\n  - when: tool == "read"\n  - when: tool == "login"\nwithinSeconds: 60',
});

interface World {
  runner: IndexedDetectorRunner;
  memory: DetectorMemory;
}

function world(kept?: StoredState): World {
  const memory = new DetectorMemory();
  if (kept !== undefined) memory.restore(kept.entries);
  return { memory, runner: new IndexedDetectorRunner({ set, memory }) };
}

let calls = 0;
/** One call, so many seconds into the session. @returns whether the sequence was complete */
function call({ runner }: World, tool: string, second: number, sessionId = 's1'): boolean {
  const id = `o${++calls}`;
  const assessment = assessCall({ id, callId: id, tool, sessionId });
  assessment.observation.time = 1_000_000 + second * 1_000;
  return runner.event(assessment).length > 0;
}

describe('a sequence', () => {
  it('fires at its last step, with other events in between', () => {
    const w = world();
    expect(['read', 'list', 'login', 'list', 'send'].map((tool, i) => call(w, tool, i))).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it('needs every step, in order', () => {
    const w = world();
    for (const tool of ['login', 'read', 'send']) expect(call(w, tool, 1)).toBe(false);
    expect(call(w, 'login', 2)).toBe(false);
    expect(call(w, 'send', 3)).toBe(true);
  });

  it('ends within its time, counted from the latest first step that can still be continued', () => {
    const late = world();
    call(late, 'read', 0);
    call(late, 'login', 30);
    expect(call(late, 'send', 61)).toBe(false);
    const again = world();
    call(again, 'read', 0);
    call(again, 'read', 20);
    call(again, 'login', 50);
    expect(call(again, 'send', 80)).toBe(true);
    const stale = world();
    call(stale, 'read', 0);
    call(stale, 'login', 10);
    call(stale, 'read', 50);
    // The second reading was never followed by a login.
    expect(call(stale, 'send', 70)).toBe(false);
  });

  it('stays within its session, and is forgotten with it', () => {
    const w = world();
    call(w, 'read', 0);
    call(w, 'login', 1);
    expect(call(w, 'send', 2, 's2')).toBe(false);
    w.runner.sessionClosed({ tenant: 't1', agentId: 'a1', sessionId: 's1' });
    expect(call(w, 'send', 3)).toBe(false);
    expect(w.memory.sequences.size).toBe(0);
  });

  it('goes on after a restart, and starts anew with another set', () => {
    const kept = new StoredState();
    const before = world();
    call(before, 'read', 0);
    kept.take(before.memory);
    const between = world(kept);
    call(between, 'login', 1);
    kept.take(between.memory);
    const after = world(kept);
    expect(call(after, 'send', 2)).toBe(true);
    after.runner.adopt(set);
    expect(call(after, 'send', 3)).toBe(false);
    kept.take(after.memory);
    expect(kept.entries('sequence/')).toEqual([]);
  });

  it('goes on when the set at work is activated once more, as a start before the first checkpoint does', () => {
    const kept = new StoredState();
    const w = world();
    w.runner.adopt(set);
    call(w, 'read', 0);
    w.runner.adopt(set);
    call(w, 'login', 1);
    kept.take(w.memory);
    const after = world(kept);
    after.runner.adopt(set);
    expect(call(after, 'send', 2)).toBe(true);
    after.runner.adopt(setOf({ id: 'another' }));
    kept.take(after.memory);
    expect(kept.entries('sequence/')).toEqual([]);
  });

  it('keeps no more than so many sessions, and says what it forgot', () => {
    const memory = new SequenceMemory(2);
    for (const key of ['a', 'b', 'c']) memory.set(key, [1]);
    expect([memory.size, memory.evicted, memory.starts('a'), memory.starts('c')]).toEqual([2, 1, undefined, [1]]);
    const { puts, deletes } = memory.changes();
    expect([puts.map(({ key }) => key), deletes]).toEqual([['b', 'c'], ['a']]);
  });
});

describe('the file of a sequence', () => {
  it('names what is missing, misplaced or wrong', () => {
    expect(() => setOf({ id: 'x', extra: 'kind: sequence' })).toThrow(/after: is required for kind: sequence/);
    expect(() => setOf({ id: 'x', extra: 'withinSeconds: 5' })).toThrow(/withinSeconds: belongs to kind: sequence/);
    const wrong = 'kind: sequence\nafter:\n  - when: tolo == "read"\nwithinSeconds: 60';
    expect(() => setOf({ id: 'x', extra: wrong })).toThrow(/after\.0\.when: unknown variable "tolo"/);
  });
});
