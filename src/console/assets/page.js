// The script of the page: opens incidents, keeps what is shown up to date, and sends what a person decides.
// It never makes HTML itself. What it shows was made, and escaped, by the observer.

const REFRESH_MS = 2_000;
const HIDDEN_MS = 15_000;
const SLOWEST_MS = 5_000;
const FILTER_PAUSE_MS = 250;
const TOLD_MS = 8_000;

const policy = globalThis.trustedTypes?.createPolicy('parallax', { createHTML: (text) => text });
const byId = (id) => document.getElementById(id);

/** How far the observer's clock is ahead of this one, ms. */
let clockAheadMs = 0;

// --- Times in words --------------------------------------------------------------------------------------------------

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

function words(ms) {
  const [unit, size] = UNITS.find(([, unitMs]) => ms >= 2 * unitMs) ?? ['s', 1_000];
  return `${Math.floor(ms / size)} ${unit}`;
}

function tellTimes(root = document) {
  const now = Date.now() + clockAheadMs;
  for (const element of root.querySelectorAll('time[data-ago], time[data-until]')) {
    const at = Date.parse(element.dateTime);
    const isUntil = element.hasAttribute('data-until');
    const ms = isUntil ? at - now : now - at;
    const text = ms < 5_000 ? (isUntil ? 'now' : 'just now') : isUntil ? `in ${words(ms)}` : `${words(ms)} ago`;
    if (element.textContent !== text) element.textContent = text;
  }
}

// --- Swapping what changed -------------------------------------------------------------------------------------------

/** Makes `from` like `to` with as few changes as possible: focus, selection, open parts and half-typed words stay. */
function morph(from, to) {
  if (from.hasAttribute('data-keep')) return;
  for (const { name } of Array.from(from.attributes)) {
    if (!to.hasAttribute(name) && !(name === 'open' && from.localName === 'details')) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  morphChildren(from, to);
}

function morphChildren(from, to) {
  const wanted = [...to.childNodes];
  const wantedIds = new Set(wanted.map((node) => node.id).filter(Boolean));
  for (const child of Array.from(from.children)) if (child.id && !wantedIds.has(child.id)) child.remove();
  const held = new Map([...from.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = from.firstChild;
  for (const node of wanted) {
    const match = node.id ? held.get(node.id) : place;
    if (match && isSameKind(match, node)) {
      if (match === place) place = place.nextSibling;
      else from.insertBefore(match, place);
      if (match.nodeType === Node.ELEMENT_NODE) morph(match, node);
      else if (match.data !== node.data) match.data = node.data;
    } else from.insertBefore(document.adoptNode(node), place);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function isSameKind(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? '') === (b.id ?? '');
}

function parse(text) {
  const page = new DOMParser().parseFromString(policy?.createHTML(text) ?? text, 'text/html');
  return page.getElementById('view');
}

// --- Keeping up to date ----------------------------------------------------------------------------------------------

let asked = 0;
let shown = { query: '', tag: '' };
let timer;
let lostSince;
let failures = 0;

function openId() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

function query() {
  const form = document.querySelector('form.filter');
  const search = new URLSearchParams();
  for (const [name, value] of form === null ? [] : new FormData(form)) if (value !== '') search.set(name, value);
  return search;
}

async function refresh() {
  clearTimeout(timer);
  const turn = ++asked;
  const search = query();
  if (openId() !== '') search.set('open', openId());
  const wanted = String(search);
  try {
    const headers = shown.query === wanted && shown.tag !== '' ? { 'If-None-Match': shown.tag } : {};
    const answer = await fetch(`/view?${wanted}`, { headers, cache: 'no-store' });
    // A later question was asked meanwhile: its answer counts.
    if (turn !== asked) return;
    if (answer.status === 401) return location.reload();
    if (answer.status !== 304 && !answer.ok) throw new Error(String(answer.status));
    clockAheadMs = Math.round((Date.parse(answer.headers.get('date') ?? '') || Date.now()) - Date.now());
    if (Math.abs(clockAheadMs) < 1_500) clockAheadMs = 0;
    if (answer.status === 200) {
      show(await answer.text());
      shown = { query: wanted, tag: answer.headers.get('etag') ?? '' };
    }
    found();
  } catch {
    if (turn !== asked) return;
    lost();
  }
  timer = setTimeout(
    () => void refresh(),
    document.hidden ? HIDDEN_MS : Math.min(REFRESH_MS * (1 + failures / 4), SLOWEST_MS),
  );
}

function show(text) {
  const view = byId('view');
  const next = parse(text);
  if (view === null || next === null) return;
  if (view.dataset.build !== next.dataset.build) return location.reload();
  tellTimes(next);
  morph(view, next);
}

function lost() {
  failures++;
  lostSince ??= new Date();
  const banner = byId('trouble');
  if (banner === null) return;
  banner.textContent = `Not connected since ${lostSince.toLocaleTimeString()}. What is shown is from then; trying again.`;
  banner.hidden = false;
  document.body.classList.add('stale');
}

function found() {
  failures = 0;
  lostSince = undefined;
  const banner = byId('trouble');
  if (banner !== null) banner.hidden = true;
  document.body.classList.remove('stale');
}

async function openIncident() {
  await refresh();
  const detail = byId('detail');
  if (openId() === '' || detail === null) return;
  detail.scrollIntoView({ block: 'start' });
  detail.focus({ preventScroll: true });
}

function closeIncident() {
  const row = byId(`row-${openId()}`);
  history.replaceState(null, '', location.pathname + location.search);
  void refresh();
  row?.querySelector('a')?.focus();
}

// --- What a person does ----------------------------------------------------------------------------------------------

async function send(form, submitter) {
  const body = {};
  for (const [name, value] of new FormData(form, submitter)) if (value !== '') body[name] = value;
  for (const box of form.querySelectorAll('input[type=checkbox]:checked')) body[box.name] = true;
  const buttons = [...form.querySelectorAll('button')];
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await post(form.dataset.post, body);
    if (answer.ok) {
      form.reset();
      form.closest('details')?.removeAttribute('open');
      tell('Recorded. It takes effect in a moment.');
      await refresh();
    } else {
      const { error } = await answer.json().catch(() => ({}));
      tell(`Refused: ${error?.message ?? answer.status}`);
    }
  } catch {
    tell('Not sent: the observer cannot be reached. Try again.');
  }
  for (const button of buttons) button.disabled = false;
}

function post(path, body) {
  const headers = { 'Content-Type': 'application/json', 'X-Parallax-Token': document.body.dataset.token ?? '' };
  return fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

let telling;

function tell(text) {
  const banner = byId('done');
  if (banner === null) return;
  banner.textContent = text;
  banner.hidden = false;
  clearTimeout(telling);
  telling = setTimeout(() => (banner.hidden = true), TOLD_MS);
}

function say(target) {
  const mark = target instanceof Element ? target.closest('[data-says]') : null;
  const says = byId('says');
  if (mark !== null && says !== null) says.textContent = mark.dataset.says;
}

function moveBetweenRows(event) {
  const row = event.target instanceof Element ? event.target.closest('.incidents .rows li') : null;
  const next = event.key === 'ArrowDown' ? row?.nextElementSibling : row?.previousElementSibling;
  if (row === null || !next) return;
  event.preventDefault();
  next.querySelector('a')?.focus();
}

function startBoard() {
  addEventListener('hashchange', () => void openIncident());
  document.addEventListener('visibilitychange', () => void (document.hidden || refresh()));
  document.addEventListener('submit', (event) => {
    event.preventDefault();
    if (event.target.dataset.post !== undefined) void send(event.target, event.submitter);
    else void filter();
  });
  let pause;
  const filter = () => {
    clearTimeout(pause);
    const search = String(query());
    history.replaceState(null, '', `${location.pathname}${search === '' ? '' : `?${search}`}${location.hash}`);
    return refresh();
  };
  document.addEventListener('input', (event) => {
    if (event.target.closest('form.filter') === null) return;
    clearTimeout(pause);
    pause = setTimeout(() => void filter(), FILTER_PAUSE_MS);
  });
  document.addEventListener('click', (event) => {
    if (event.target.closest('.close') !== null) {
      event.preventDefault();
      closeIncident();
    } else if (event.target.closest('[data-logout]') !== null) {
      void post('/logout', {}).finally(() => location.replace('/'));
    }
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') moveBetweenRows(event);
    else if (event.key === 'Escape' && openId() !== '') closeIncident();
  });
  document.addEventListener('focusin', (event) => say(event.target));
  document.addEventListener('mouseover', (event) => say(event.target));
  setInterval(tellTimes, 1_000);
  tellTimes();
  void openIncident();
}

/** The incident that a mail linked to stays in the address over signing in. */
async function startSignIn() {
  const form = document.querySelector('form');
  const keep = () => form.setAttribute('action', `/login${location.hash}`);
  addEventListener('hashchange', keep);
  keep();
  // Who comes by a link from elsewhere is signed in without the browser having said so: ask again from here.
  if (location.search === '?again' || location.pathname !== '/') return;
  const answer = await fetch('/', { cache: 'no-store' }).catch(() => undefined);
  const page = (await answer?.text()) ?? '';
  if (page.includes('<body data-page="board"')) location.replace(`/?again${location.hash}`);
}

if (document.body.dataset.page === 'board') startBoard();
else void startSignIn();
