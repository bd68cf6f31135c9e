import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser of this machine: PARALLAX_CHROMIUM, or what is on the PATH; undefined where there is none. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env['PARALLAX_CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  const folders = (env['PATH'] ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** Why tests in a browser are skipped. */
export const NO_CHROMIUM = 'no Chromium here: install it, or set PARALLAX_CHROMIUM to its path';

export async function launchBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(NO_CHROMIUM);
  // Started by root, as CI does, Chromium refuses to run in its sandbox.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** Runs in the page before anything else. */
const REPORT_BREACHES = `document.addEventListener('securitypolicyviolation', (event) => {
  console.error('policy breached: ' + event.violatedDirective + ' ' + event.blockedURI);
});`;

/** A page that notes everything that must not happen on it. */
export interface WatchedPage {
  page: Page;
  /** Dialogs, errors, breaches of the content policy, and requests to anywhere but the observer. */
  breaches: string[];
  close(): Promise<void>;
}

export async function watchedPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const breaches: string[] = [];
  await context.addInitScript({ content: REPORT_BREACHES });
  const page = await context.newPage();
  page.on('dialog', (dialog) => {
    breaches.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => breaches.push(`error: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    if (/policy|refused to/i.test(text)) breaches.push(text);
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) breaches.push(`request: ${request.url()}`);
  });
  page.on('popup', (popup) => breaches.push(`window: ${popup.url()}`));
  return { page, breaches, close: () => context.close() };
}

/** Signs in with a key, as a person does. */
export async function signIn(page: Page, url: string, key: string): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Your key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('#view').waitFor();
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
