import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Incident } from '../../src/model/incident.js';
import type { WireObservation } from '../../src/model/wire.js';
import { findChromium, launchBrowser, NO_CHROMIUM, signIn, watchedPage, type WatchedPage } from '../support/browser.js';
import { HOSTILE_TEXTS, STEERING } from '../support/hostile-texts.js';
import { preparePeople } from '../support/page-world.js';
import { ServiceProcess } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Longest name that intake takes, characters. */
const NAME_CHARS = 256;
const LONG_CHARS = 100_000;
/** Everything that an agent does is a broken rule, so that all it wrote comes to the page. */
const DETECTOR = `id: everything
title: Everything
description: For a test.
lane: event
observes: [tool_call]
when: effect == "write"
evidence: { violation: true }
streams: [action]
severity: high
tags: [ASI02]
reason: 'a rule was broken by {tool}'
observed: '{tool}'
expected: 'not {tool}'
cases:
  - { name: it fires, events: [{ call: x, effect: write }], expect: fires }
  - { name: it is silent, events: [{ prompt: hello }], expect: silent }
`;

const found = findChromium();
describe.skipIf(found === undefined)(
  `what agents write, in a browser${found === undefined ? ` (${NO_CHROMIUM})` : ''}`,
  () => {
    const directory = temporaryDirectory();
    let browser: Browser;
    let service: ServiceProcess;
    let watched: WatchedPage;
    let incidents: Incident[];

    beforeAll(async () => {
      const detectorsDir = join(directory.path, 'detectors');
      mkdirSync(detectorsDir);
      writeFileSync(join(detectorsDir, 'everything.yaml'), DETECTOR);
      const { setup, keyOf } = preparePeople(directory.path, 0, { detection: { detectorsDir } });
      service = await ServiceProcess.start(setup);
      for (const [i, [, text]] of HOSTILE_TEXTS.entries()) await attack(service, text, i);
      await service.settled();
      const answer = await service.get('/v1/incidents?limit=1000');
      // The route answers with this and nothing else.
      incidents = (answer as { incidents: Incident[] }).incidents;
      browser = await launchBrowser();
      watched = await watchedPage(browser, service.url);
      await signIn(watched.page, service.url, keyOf('responder'));
    }, 120_000);

    afterAll(async () => {
      await browser.close();
      await service.stop();
      directory.remove();
    });

    it('comes to the page', async () => {
      // Half a character is no text; intake may refuse it.
      expect(incidents.length).toBeGreaterThanOrEqual(HOSTILE_TEXTS.length - 1);
      expect(await watched.page.locator('.incidents .rows li').count()).toBe(incidents.length);
    });

    it.each([1280, 400])(
      'does nothing there, %i wide: no script, dialog, request, link or broken layout',
      async (width) => {
        const { page, breaches } = watched;
        await page.setViewportSize({ width, height: 900 });
        for (const { id } of incidents) {
          await page.evaluate(`location.hash = ${JSON.stringify(id)}`);
          await page.locator(`#detail[data-incident="${id}"]`).waitFor();
          const seen = await page.evaluate<Seen>(LOOK);
          expect(seen.width).toBe(width);
          expect(seen.marks).toBeGreaterThan(3);
          for (const target of seen.targets) expect(target).toMatch(/^(?:#|\/(?:$|icon|page|v1\/))/);
          expect(seen.foreign).toEqual([]);
          expect(Array.from(seen.text).filter((char) => STEERING.has(char))).toEqual([]);
          expect(seen.text.length).toBeLessThan(100_000);
        }
        expect(breaches).toEqual([]);
      },
      120_000,
    );

    it('would be noticed if it did', async () => {
      const { page, breaches } = watched;
      await page.evaluate('setTimeout(() => alert(1)), undefined');
      await page.evaluate('document.body.append(Object.assign(new Image(), { src: "https://evil.example/x.png" }))');
      await expect.poll(() => breaches.filter((one) => one.startsWith('dialog')).length).toBe(1);
      await expect.poll(() => breaches.filter((one) => one.includes('img-src')).length).toBeGreaterThan(0);
    });
  },
);

interface Seen {
  width: number;
  marks: number;
  targets: string[];
  foreign: string[];
  text: string;
}

/** Runs in the page: touches every mark, opens what can be opened, and says what is there. */
const LOOK = `(() => {
  for (const details of document.querySelectorAll('details')) details.open = true;
  const marks = [...document.querySelectorAll('.picture .mark')];
  for (const mark of marks) mark.focus();
  const all = [...document.querySelectorAll('*')];
  const targets = all.flatMap((e) => ['href', 'src', 'action', 'data-post'].map((name) => e.getAttribute(name)));
  const known = ['link', 'script', 'img', 'a', 'form'];
  const foreign = all.filter((e) =>
    e.matches('iframe, object, embed, base, style, foreignObject, animate, math, #view #view, [style], [onload]') ||
    [...e.attributes].some(({ name }) => name.startsWith('on')) ||
    (!known.includes(e.localName) && (e.hasAttribute('href') || e.hasAttribute('src'))));
  return {
    width: document.documentElement.scrollWidth,
    marks: marks.length,
    targets: targets.filter((value) => value !== null),
    foreign: foreign.map((e) => e.outerHTML.slice(0, 200)),
    text: document.body.innerText,
  };
})()`;

/** One session in which everything that may hold a text holds this one. */
async function attack(service: ServiceProcess, text: string, n: number): Promise<void> {
  const name = text.slice(0, NAME_CHARS);
  const long = text.repeat(Math.ceil(LONG_CHARS / text.length)).slice(0, LONG_CHARS);
  const base = (i: number) => ({
    time: Date.now() - 10_000 + 100 * i,
    agentId: name,
    sessionId: `${name.slice(0, 250)} ${n}`,
  });
  const call: WireObservation = {
    ...base(3),
    id: `attack-${n}`,
    stream: 'action',
    kind: 'tool_call',
    tool: name,
    operation: name,
    effect: 'write',
    args: { [name]: long, deep: { [name]: [text.slice(0, 1_000)] } },
    decision: 'allow',
    rawDecision: name,
    reason: text.slice(0, 4_000),
    ruleId: name,
    error: name,
  };
  await service.observe('agent-runtime', [
    { ...base(1), stream: 'reasoning', kind: 'prompt', text: long },
    {
      ...base(2),
      stream: 'reasoning',
      kind: 'message',
      text: long,
      model: name,
      declared: [{ tool: name, callId: name }],
    },
  ]);
  await service.observe('governance', [
    { ...base(0), stream: 'governance', kind: 'session_start', tools: [name], reason: text.slice(0, 4_000) },
  ]);
  await service.observe('platform', [{ ...base(2), stream: 'metric', kind: 'sample', values: { [name]: 1 } }]);
  await service.observe('gateway', [call]);
}
