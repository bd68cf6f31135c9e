import { describe, expect, it } from 'vitest';
import { AGENT_CAPS, AgentBaseline, POOL_CAPS } from '../../../src/baseline/agent-baseline.js';
import { RequestExpectation } from '../../../src/baseline/expectation.js';
import { FactReader } from '../../../src/baseline/fact-reader.js';
import type { Fact } from '../../../src/baseline/facts.js';
import { mix } from '../../../src/baseline/keys.js';
import { Provenance } from '../../../src/baseline/provenance.js';
import { ScoringState } from '../../../src/baseline/scoring-state.js';
import { recordOf } from '../../../src/baseline/session-record.js';
import { identifierWords } from '../../../src/lib/text/words.js';
import { call, prompt, SEED, type Acting } from '../../support/behaviour.js';
import { prior } from '../../support/office.js';

const reader = new FactReader(SEED);
const none = new Provenance();

function session(text: string, ...acts: Acting[]): Fact[] {
  return [reader.prompt(prompt({ at: 0 }, text)), ...acts.map((act, i) => reader.call(call({ at: i + 1 }, act), none))];
}

function expectation(text: string, own: AgentBaseline, pool: AgentBaseline): RequestExpectation {
  const state = new ScoringState();
  for (const fact of session(text)) state.apply(fact);
  return new RequestExpectation(own, pool, state, prior.toolExpectation);
}

const own = new AgentBaseline(AGENT_CAPS);
const pool = new AgentBaseline(POOL_CAPS);
for (let i = 0; i < 20; i++) {
  const pay = session(`pay invoice number${i} of the plumber`, {
    tool: 'wire_funds',
    effect: 'write',
    args: { to: 'plumber' },
  });
  const read = session(`summarise chapter${i} of the novel`, { tool: 'open_book', args: { name: 'novel' } });
  const chore = session(`do the chores${i} on my list`, {
    tool: 'send_mail',
    effect: 'write',
    args: { to: `p${i}` },
    origin: 'result',
  });
  for (const facts of [pay, read, chore]) for (const baseline of [own, pool]) baseline.learn(recordOf(facts), 1);
}
const surprise = (text: string, tool: string) =>
  expectation(text, own, pool).toolSurprise(reader.name(tool), identifierWords(tool, SEED));

describe('RequestExpectation', () => {
  it('expects what similar requests used', () => {
    const text = 'pay the invoice of the plumber';
    expect(surprise(text, 'wire_funds')).toBeLessThan(surprise(text, 'open_book'));
    expect(surprise('summarise the novel', 'open_book')).toBeLessThan(surprise('summarise the novel', 'wire_funds'));
  });

  it('expects a tool that the request names, though nobody ever used it', () => {
    expect(surprise('please archive folder', 'archive_folder')).toBeLessThan(
      surprise('please archive folder', 'wipe_disk'),
    );
  });

  it('knows requests that leave their targets to what is read', () => {
    expect(expectation('do the chores on my list', own, pool).delegated).toBeGreaterThan(
      expectation('pay invoice of the plumber', own, pool).delegated + 0.3,
    );
  });

  it('knows the values of similar requests', () => {
    const asked = expectation('pay invoice of the plumber', own, pool);
    const fact = reader.call(call({ at: 1 }, { tool: 'wire_funds', args: { to: 'plumber' } }), none);
    const [target] = fact.targets;
    expect(asked.valueKnown(target?.kind ?? 0, target?.value ?? 0)).toBeGreaterThan(0.5);
    expect(asked.valueKnown(target?.kind ?? 0, 12_345)).toBe(0);
    expect(asked.originRate(mix(fact.tool, target?.field ?? 0), 'asked', 0.2)).toBeGreaterThan(0.5);
  });

  it('leans on other agents, less than on the agent itself', () => {
    const fresh = new AgentBaseline(AGENT_CAPS);
    const text = 'pay the invoice of the plumber';
    const of = (baseline: AgentBaseline) =>
      expectation(text, baseline, pool).toolSurprise(reader.name('wire_funds'), identifierWords('wire_funds', SEED));
    expect(of(own)).toBeLessThan(of(fresh));
    expect(of(fresh)).toBeLessThan(
      expectation(text, fresh, new AgentBaseline(POOL_CAPS)).toolSurprise(
        reader.name('wire_funds'),
        identifierWords('wire_funds', SEED),
      ),
    );
  });

  it('knows nothing of an empty world, and stays finite', () => {
    const nothing = new AgentBaseline(AGENT_CAPS);
    const empty = expectation('', nothing, nothing);
    expect([empty.best, Number.isFinite(empty.delegated)]).toEqual([0, true]);
    expect(Number.isFinite(empty.toolSurprise(1, []))).toBe(true);
  });
});
