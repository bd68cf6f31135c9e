import { mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Incident } from '../../src/model/incident.js';
import type { CheckAnswer } from '../../src/model/wire.js';
import { findChromium, launchBrowser, NO_CHROMIUM, signIn, watchedPage, type WatchedPage } from '../support/browser.js';
import { ASKED_ABOUT, startPageWorld, type PageWorld, type Person } from '../support/page-world.js';
import { repositoryRoot } from '../support/recorded.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AGENTS = ['finance-ops-1', 'finance-ops-2', 'support-triage', ASKED_ABOUT];
/** Far beyond what is needed, so that a busy machine changes nothing. */
const PATIENCE_MS = 30_000;
const MAX_PICTURE_BYTES = 200_000;
/** Written over the picture in the README where this is set. */
const KEEP_PICTURE = process.env['PARALLAX_PICTURE'] === '1';

const found = findChromium();
describe.skipIf(found === undefined)(`the page in a browser${found === undefined ? ` (${NO_CHROMIUM})` : ''}`, () => {
  const directory = temporaryDirectory();
  const open: WatchedPage[] = [];
  let browser: Browser;
  let world: PageWorld;
  let incident: Incident;

  beforeAll(async () => {
    browser = await launchBrowser();
    world = await startPageWorld({ directory: directory.path, port: await freePort(), agents: AGENTS });
    for (const [i, agentId] of AGENTS.entries()) await world.work(agentId, 303 + i);
    incident = await world.hijack('finance-ops-2', 306);
  }, 240_000);

  afterEach(async () => {
    for (const watched of open.splice(0)) {
      await watched.close();
      if (watched.breaches.length > 0) throw new Error(`on the page: ${watched.breaches.join('; ')}`);
    }
  });

  afterAll(async () => {
    await browser.close();
    await world.stop();
    directory.remove();
  });

  async function opened(person: Person, path = '/', options = {}): Promise<Page> {
    const watched = await watchedPage(browser, world.service.url, options);
    open.push(watched);
    watched.page.setDefaultTimeout(PATIENCE_MS);
    await signIn(watched.page, world.service.url + path, world.keyOf(person));
    return watched.page;
  }

  it('refuses a wrong key and says so', async () => {
    const watched = await watchedPage(browser, world.service.url);
    open.push(watched);
    const { page } = watched;
    await page.goto(world.service.url);
    await page.getByLabel('Your key').fill('not-a-key-of-this-install');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toContain('not a key of this observer');
    expect(await page.locator('#view').count()).toBe(0);
  });

  it('opens the incident that a mail links to, over signing in, and explains it', async () => {
    const page = await opened('viewer', `/#${incident.id}`);
    const detail = page.locator('#detail');
    await detail.waitFor();
    expect(await detail.getAttribute('data-incident')).toBe(incident.id);
    const text = (await detail.textContent()) ?? '';
    expect(text).toContain('did something that its own history does not explain');
    expect(text).toContain('reported it independently of each other');
    expect(text).toContain(`${incident.riskNats.toFixed(1)} in all`);
    expect(await page.locator('.picture .mark.decisive').count()).toBe(1);
    for (const lane of ['reasoning', 'action', 'governance', 'parallax']) {
      expect(await page.locator(`.picture .mark.${lane}`).count()).toBeGreaterThan(0);
    }
    // Signed in already, a link from somewhere else opens it too: the browser first keeps the cookie back.
    await page.goto('about:blank');
    await page.goto(`${world.service.url}/#${incident.id}`);
    await page.locator('#detail').waitFor();
  });

  it('tells by the keyboard alone what every mark is, and opens and closes an incident', async () => {
    const page = await opened('viewer');
    const row = page.locator(`#row-${incident.id} a`);
    await row.focus();
    await page.keyboard.press('Enter');
    await page.locator('#detail').waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('detail');
    const says = page.locator('#says');
    for (let i = 0; i < 40 && !(await says.textContent())?.includes('decisive call'); i++)
      await page.keyboard.press('Tab');
    expect(await says.textContent()).toMatch(/^\d\d:\d\d:\d\d action: .*delete_account.*\(the decisive call\)$/);
    await page.keyboard.press('Escape');
    await page.locator('#detail').waitFor({ state: 'detached' });
    await expect.poll(() => page.evaluate('document.activeElement.closest("li")?.id')).toBe(`row-${incident.id}`);
  });

  it('shows a viewer no button, and refuses what the viewer sends nevertheless', async () => {
    const page = await opened('viewer', `/#${incident.id}`);
    await page.locator('#detail .command').waitFor();
    expect(await page.getByText('Lift', { exact: true }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'True positive' }).count()).toBe(0);
    const [commandId = ''] = incident.commandIds;
    const status = await page.evaluate(`fetch('/v1/commands/${commandId}/lift', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-parallax-token': document.body.dataset.token },
      body: '{"reason":"let me"}',
    }).then((answer) => answer.status)`);
    expect(status).toBe(403);
  });

  it('shows what happens without being loaded again, and keeps what is being typed', async () => {
    const page = await opened('responder');
    await page.evaluate('globalThis.notReloaded = true');
    const command = page.locator(`#all-${incident.commandIds[0] ?? ''}`);
    await command.locator('.act summary').click();
    const why = command.getByLabel('Why?');
    await why.fill('half a sen');
    const next = await world.hijack('support-triage', 308);
    await page.locator(`#row-${next.id}`).waitFor();
    expect(await page.locator(`#row-${next.id}`).textContent()).toContain('support-triage');
    expect(await page.evaluate('globalThis.notReloaded')).toBe(true);
    expect(await why.inputValue()).toBe('half a sen');
    expect(await page.evaluate('document.activeElement.closest(".command").id')).toBe(await command.getAttribute('id'));
  });

  it('lets a responder lift, and shows that the gateway has confirmed it', async () => {
    const lifted = await world.hijack('finance-ops-1', 309);
    const page = await opened('responder', `/#${lifted.id}`);
    const command = page.locator('#detail .command').first();
    await command.getByText('confirmed by gateway').waitFor();
    await command.getByText('Lift', { exact: true }).click();
    await command.getByLabel('Why?').fill('talked to the owner');
    await page.keyboard.press('Enter');
    await page.getByText('Recorded. It takes effect in a moment.').waitFor();
    await command.getByText('lifting confirmed by gateway').waitFor();
    expect(await command.locator('.state').textContent()).toBe('lifted');
    expect(await command.getByText('Lift', { exact: true }).count()).toBe(0);
    expect(world.gateway.restrictionOn('finance-ops-1', lifted.sessionId ?? '', 'send_money')).toBeUndefined();
  });

  it('lifts and closes the incident as a false positive in one step', async () => {
    const harmless = await world.hijack('finance-ops-1', 315);
    const page = await opened('responder', `/#${harmless.id}`);
    const command = page.locator('#detail .command').first();
    await command.getByText('confirmed by gateway').waitFor();
    await command.getByText('Lift', { exact: true }).click();
    await command.getByLabel('Why?').fill('a planned migration');
    await command.getByLabel(/A false positive/).check();
    await command.getByRole('button', { name: 'Lift now' }).click();
    await page.getByText('responder closed it as false-positive.').waitFor();
    await command.getByText('lifting confirmed by gateway').waitFor();
    expect(await command.locator('.state').textContent()).toBe('lifted');
  });

  it('lets a responder decide about held calls by clicking, and passes on what was decided', async () => {
    const agentId = 'support-triage';
    const order = { action: 'downgrade-posture', posture: 'approval', agentId, reason: 'look closer' };
    const { commandId } = (await world.service.post('/v1/contain', order)) as { commandId: string };
    await world.service.settled();
    const time = Date.now();
    const ask = async (callId: string): Promise<CheckAnswer> => {
      const call = {
        time,
        agentId,
        sessionId: 'held',
        callId,
        tool: 'close_ticket',
        effect: 'write',
        args: { callId },
      };
      // The route answers with this and nothing else.
      return (await world.service.post('/v1/check', call, world.setup.keys.gateway)) as CheckAnswer;
    };
    const held = [await ask('h1'), await ask('h2')];
    expect(held.map(({ decision }) => decision)).toEqual(['hold', 'hold']);
    const page = await opened('responder');
    for (const [i, verb] of ['Approve', 'Reject'].entries()) {
      const card = page.locator(`#hold-${held[i]?.holdId ?? ''}`);
      await card.getByText('this agent needs approval for everything but reading').waitFor();
      expect(await card.textContent()).toContain(`callId=h${i + 1}`);
      await card.getByText(verb, { exact: true }).click();
      await card.locator('details[open]').getByLabel('Why?').fill('spoke to the customer');
      await card.getByRole('button', { name: `${verb} now` }).click();
      await card.waitFor({ state: 'detached' });
    }
    expect(await ask('h1')).toMatchObject({
      decision: 'allow',
      approvalId: held[0]?.holdId,
      reason: 'approved by responder: spoke to the customer',
    });
    expect(await ask('h2')).toMatchObject({ decision: 'deny', reason: 'rejected by responder: spoke to the customer' });
    await world.service.post(`/v1/commands/${commandId}/lift`, { reason: 'seen enough' });
  });

  it('lets a responder decide about what the policy only proposes, by clicking', async () => {
    for (const [i, verb] of ['Reject', 'Approve'].entries()) {
      const proposed = await world.hijack(ASKED_ABOUT, 316 + i);
      const page = await opened('responder', `/#${proposed.id}`);
      const command = page.locator('#detail .command').first();
      await command.getByText('waits for a person to decide').waitFor();
      await command.getByText(verb, { exact: true }).click();
      await command.locator('details[open]').getByLabel('Why?').fill('looked at it');
      await command.getByRole('button', { name: `${verb} now` }).click();
      await command.getByText(verb === 'Reject' ? 'rejected by responder' : 'confirmed by gateway').waitFor();
      expect(await command.getByText(verb, { exact: true }).count()).toBe(0);
      const barred = world.gateway.restrictionOn(ASKED_ABOUT, proposed.sessionId ?? '', 'send_money');
      expect(barred?.decision).toBe(verb === 'Reject' ? undefined : 'deny');
    }
  });

  it('takes an analyst’s verdict', async () => {
    const judged = await world.hijack('data-analyst', 311);
    const page = await opened('analyst', `/#${judged.id}`);
    await page.getByRole('button', { name: 'False positive' }).click();
    await page.getByText('analyst closed it as false-positive.').waitFor();
    expect(await page.getByRole('button', { name: 'False positive' }).count()).toBe(0);
  });

  it('finds agents by a part of their name', async () => {
    const page = await opened('viewer');
    await page.getByRole('searchbox', { name: 'Agent' }).fill('TRIAGE');
    await expect.poll(() => page.locator('.agent-line').count()).toBe(1);
    expect(await page.locator('.agent-line').textContent()).toContain('support-triage');
    expect(new URL(page.url()).search).toBe('?agent=TRIAGE');
    await page.reload();
    await expect.poll(() => page.locator('.agent-line').count()).toBe(1);
  });

  it.each([
    ['light', 1440, 900],
    ['dark', 1440, 900],
    ['light', 400, 800],
  ] as const)('fits and can be read: %s, %i wide', async (colorScheme, width, height) => {
    const page = await opened('responder', `/#${incident.id}`, { colorScheme, viewport: { width, height } });
    await page.locator('#detail').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    expect(await page.evaluate(CONTRAST)).toEqual([]);
  });

  it('looks as the README shows it', async () => {
    const page = await opened('responder', `/#${incident.id}`, { viewport: { width: 1120, height: 820 } });
    await page.locator('#detail').waitFor();
    await page.evaluate('scrollTo(0, 0)');
    const folder = KEEP_PICTURE ? join(repositoryRoot, 'docs', 'images') : directory.path;
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, 'page.png') });
    const { size } = statSync(join(folder, 'page.png'));
    expect(size).toBeGreaterThan(20_000);
    expect(size).toBeLessThan(MAX_PICTURE_BYTES);
  });

  it('says since when it is not connected, and goes on after the observer has come back', async () => {
    const page = await opened('viewer', `/#${incident.id}`);
    await page.locator('#detail').waitFor();
    await page.evaluate('globalThis.notReloaded = true');
    await world.crash();
    await page.getByText(/Not connected since .*What is shown is from then/).waitFor();
    await world.restart();
    await page.locator('#trouble').waitFor({ state: 'hidden' });
    await page.locator('#detail').waitFor();
    expect(await page.evaluate('globalThis.notReloaded')).toBe(true);
    const later = await world.hijack('support-triage', 312);
    await page.locator(`#row-${later.id}`).waitFor();
  });

  it('signs out', async () => {
    const page = await opened('viewer');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Your key').waitFor();
    await page.goto(world.service.url);
    expect(await page.locator('#view').count()).toBe(0);
  });
});

/** Texts whose contrast is below WCAG AA, 4.5 to 1: what is behind a text is the nearest ground that is painted. */
const CONTRAST = `(() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!own || element.closest('[hidden], noscript, option, title') || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = parts(element.closest('svg') ? style.fill : style.color).slice(0, 3);
    const [a, b] = [light(ink), light(groundOf(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(element.className.baseVal ?? element.className + ': ' + ratio.toFixed(2) + ' ' + element.textContent.slice(0, 30));
  }
  return low;
})()`;

/** A port that was free a moment ago: the observer comes back at the same address. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
