import { describe, expect, it } from 'vitest';
import { containmentNotice, type Trouble } from '../../../src/correlate/containment-notice.js';
import { explanation } from '../../../src/console/explanation.js';
import type { Incident } from '../../../src/model/incident.js';
import { afterIncident } from '../../../src/notify/grouping.js';
import { storyOf } from '../../../src/notify/mail-story.js';
import { sampleCommand } from '../../support/samples.js';

const command = sampleCommand({ id: 'cmd_1', deliveries: 3 });
const unconfirmed: Trouble = { kind: 'unconfirmed', command, gateways: ['gw-2'] };
const bypass: Trouble = {
  kind: 'bypass',
  command,
  gateways: ['gw-1'],
  hadConfirmed: true,
  call: { id: 'obs_1', tool: 'send_money' },
};

/** What becomes of troubles one after the other, where each incident is found by the next. */
function told(troubles: readonly Trouble[], close?: string): Incident[] {
  const held = new Map<string, Incident>();
  for (const [i, trouble] of troubles.entries()) {
    const notice = containmentNotice(trouble, 1_000 + i, (id) => {
      const found = held.get(id);
      return found?.title === close && found !== undefined ? { ...found, status: 'closed' } : found;
    });
    if (notice !== undefined) held.set(notice.incident.id, notice.incident);
  }
  return [...held.values()];
}

describe('the notice of a containment in trouble', () => {
  it('is an incident of its own: high where nobody confirms, critical where a call went through', () => {
    const incidents = told([unconfirmed, bypass]);
    expect(incidents.map(({ severity, title, status }) => [severity, title, status])).toEqual([
      ['high', 'containment not confirmed: freeze-tool of agent-a, by gw-2', 'open'],
      [
        'critical',
        'containment bypassed: gw-1 executed send_money in spite of its confirmation (freeze-tool of agent-a)',
        'open',
      ],
    ]);
    expect(new Set(incidents.map(({ id }) => id)).size).toBe(2);
  });

  it('reaches people by mail, and is not explained by statistics', () => {
    for (const incident of told([unconfirmed, bypass])) {
      const rules = { minSeverity: 'high' as const, settleMs: 5, updateEveryMs: 5 };
      expect(afterIncident(undefined, incident, 1_000, rules)).toMatchObject({ incidentId: incident.id, dueAt: 1_005 });
      const notice = {
        kind: 'opened',
        key: 'k',
        threadKey: 'k',
        subject: 's',
        incident,
        commands: [],
        changes: [],
      } as const;
      const story = JSON.stringify(storyOf(notice, undefined));
      expect(story).toContain(incident.title);
      expect(story).toContain('the observer saw it itself');
      expect(explanation(incident, [])).toEqual([`${incident.timeline.at(-1)?.text}.`]);
    }
  });

  it('lifts nothing when it is closed as a false alarm', () => {
    expect(told([unconfirmed, bypass]).flatMap(({ commandIds }) => commandIds)).toEqual([]);
  });

  it('gathers what happens at one gateway, keeps other gateways apart, and is calm once it is confirmed', () => {
    const other = { ...bypass, gateways: ['gw-3'], hadConfirmed: false };
    const [first, second, third] = told([
      bypass,
      bypass,
      other,
      unconfirmed,
      { kind: 'confirmed', command, gateways: ['gw-2'] },
    ]);
    expect(first?.timeline).toHaveLength(2);
    expect(second?.title).toContain('without having confirmed it');
    expect(third).toMatchObject({
      status: 'contained',
      timeline: [{}, { text: expect.stringContaining('confirmed now') }],
    });
  });

  it('says no more about what a person has closed, and nothing about a confirmation that was never missed', () => {
    const title = 'containment not confirmed: freeze-tool of agent-a, by gw-2';
    expect(told([unconfirmed, unconfirmed], title)[0]?.timeline).toHaveLength(1);
    expect(told([{ kind: 'confirmed', command, gateways: ['gw-1'] }])).toEqual([]);
  });
});
