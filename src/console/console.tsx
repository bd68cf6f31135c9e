import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { PageFile, PageRequest, Pages } from '../api/port.js';
import { packageRoot } from '../lib/package-root.js';
import { boardFor } from './board.js';
import { Document, SignIn } from './document.js';
import type { ConsoleSources } from './port.js';
import { View } from './view.js';

const DOCTYPE = '<!doctype html>';

/** The page for people, over what the observer holds in memory. @throws when the package lacks the page's files */
export function createConsole(sources: ConsoleSources): Pages {
  const script = readAsset('page.js', 'text/javascript; charset=utf-8');
  const style = readAsset('page.css', 'text/css; charset=utf-8');
  const icon = readAsset('icon.svg', 'image/svg+xml');
  const build = createHash('sha256').update(script.body).update(style.body).digest('hex').slice(0, 12);
  const view = (request: PageRequest) => <View board={boardFor(sources, request)} request={request} build={build} />;
  return {
    script,
    style,
    icon,
    view: (request) => htmlOf(view(request)),
    board: (request) =>
      `${DOCTYPE}${htmlOf(
        <Document title="Parallax" page="board" token={request.token}>
          <p id="trouble" class="banner" role="status" hidden></p>
          <p id="done" class="banner calm" role="status" hidden></p>
          {view(request)}
          <noscript>
            <p class="banner">This page needs its script to open incidents and to stay up to date.</p>
          </noscript>
        </Document>,
      )}`,
    signIn: (trouble) =>
      `${DOCTYPE}${htmlOf(
        <Document title="Sign in to Parallax" page="sign-in">
          <SignIn trouble={trouble} keyHint={sources.keyHint} />
        </Document>,
      )}`,
  };
}

/** Nothing on the page waits for anything, so it is drawn at once. */
function htmlOf(node: JSX.Element): string {
  if (node instanceof Promise) throw new TypeError('no part of the page may wait');
  return node.toString();
}

function readAsset(file: string, type: string): PageFile {
  return { type, body: readFileSync(join(packageRoot(), 'src', 'console', 'assets', file), 'utf8') };
}
