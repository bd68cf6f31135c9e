import { describe, expect, it } from 'vitest';
import { attempt, call, prompt } from '../../support/behaviour.js';
import { live, office } from '../../support/office.js';
import { random } from '../../support/random.js';

/** An agent that pays, in each of its sessions, somebody drawn from `next`. */
function paying(sessions: number, next: (n: number) => string) {
  const { registry } = office();
  let [surprises, fresh] = [0, 0];
  const known = new Set<string>();
  for (let n = 0; n < sessions; n++) {
    const where = { sessionId: `s${n}`, at: n * 1_000 };
    const to = next(n);
    const acting = { tool: 'pay', effect: 'write' as const, args: { to }, origin: 'result' as const };
    registry.apply(prompt(where, 'Pay what is due'));
    if (n >= sessions / 2) {
      // What a payee never seen would be worth now, against how often one really comes.
      const never = { ...acting, args: { to: `never-${n}` } };
      const { measures } = registry.assess(attempt({ ...where, at: where.at + 1, callId: 'q' }, never));
      surprises += Math.exp(-(measures.get('newTarget')?.nats ?? 0));
      if (!known.has(to)) fresh++;
    }
    known.add(to);
    live(registry, [call({ ...where, at: where.at + 2, callId: 'c' }, acting)]);
  }
  const half = sessions / 2;
  return { said: surprises / half, real: fresh / half, registry };
}

describe('the probability of something new', () => {
  it('is what really comes: where nothing new comes any more, and where something always does', () => {
    const closed = paying(200, (n) => `payee-${n % 8}`);
    expect(closed.real).toBe(0);
    // One in the number of payments, and no more than that.
    expect(closed.said).toBeLessThan(0.01);
    const open = paying(200, (n) => `payee-${n}`);
    expect(open.real).toBe(1);
    expect(open.said).toBeGreaterThan(0.98);
  });

  it('is within a factor of two of it for payees of which few are frequent and most are rare', () => {
    const chance = random(5);
    // Zipf's law over two thousand payees.
    const zipf = paying(600, () => `payee-${Math.floor(2_000 ** chance.next())}`);
    expect(zipf.real).toBeGreaterThan(0.1);
    expect(zipf.said / zipf.real).toBeGreaterThan(0.5);
    expect(zipf.said / zipf.real).toBeLessThan(2);
  });

  it('shrinks with evidence, for a tool as for a target', () => {
    const surprise = (sessions: number, measure: string) => {
      const { registry } = paying(sessions, (n) => `payee-${n % 4}`);
      const acting = { tool: 'wipe', effect: 'write' as const, args: { to: 'mallory' }, origin: 'result' as const };
      return (
        registry.assess(attempt({ sessionId: 'q', at: 1e9, callId: 'q' }, acting)).measures.get(measure)?.nats ?? 0
      );
    };
    for (const measure of ['newTool', 'newTarget']) {
      expect(surprise(160, measure)).toBeGreaterThan(surprise(20, measure) + 1);
    }
  });
});
