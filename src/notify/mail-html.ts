import type { Severity } from '../model/incident.js';
import type { Section, Story } from './mail-story.js';

const COLOURS: Record<Severity, string> = { low: '#3b6ea8', medium: '#b7791f', high: '#c0392b', critical: '#8e1b12' };
const CALM = '#0b7a75';

export interface Dress {
  /** Colours the bar at the top; absent for messages that are no alarm. */
  severity?: Severity;
  /** A picture that is part of the message. */
  picture?: { cid: string; alt: string; width: number; height: number };
}

/** A message as HTML: nothing is loaded from anywhere, and the only link is the one from the configuration. */
export function mailHtml(story: Story, { severity, picture }: Dress): string {
  const colour = severity === undefined ? CALM : COLOURS[severity];
  const image =
    picture === undefined
      ? ''
      : `<p style="margin:16px 0"><img src="cid:${escapeHtml(picture.cid)}" width="${picture.width}" ` +
        `height="${picture.height}" alt="${escapeHtml(picture.alt)}" ` +
        `style="display:block;max-width:100%;height:auto;border:1px solid #d9dee4"></p>`;
  const link =
    story.link === undefined
      ? ''
      : `<p style="margin:16px 0"><a href="${escapeHtml(story.link)}" style="color:#0b5cad">Open it in Parallax</a></p>`;
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no">' +
    `<title>${escapeHtml(story.headline)}</title></head>` +
    '<body style="margin:0;padding:16px;background:#f3f5f7;color:#1f2933;' +
    "font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif\">" +
    `<div style="max-width:680px;margin:0 auto;background:#ffffff;border-top:6px solid ${colour};padding:20px 24px">` +
    `<p style="margin:0;color:${colour};font-weight:600">${escapeHtml(story.lead)}</p>` +
    `<h1 style="margin:4px 0 16px;font-size:20px;line-height:1.3;overflow-wrap:anywhere">${escapeHtml(story.headline)}</h1>` +
    `<table role="presentation" cellpadding="0" cellspacing="0">${story.facts.map(fact).join('')}</table>` +
    image +
    story.sections.map(section).join('') +
    link +
    '<p style="margin:20px 0 0;color:#616e7c;font-size:13px">Sent by Parallax. Addresses that an agent wrote are taken ' +
    'apart on purpose.</p></div></body></html>'
  );
}

function fact([label, value]: readonly [string, string]): string {
  return (
    `<tr><td style="padding:1px 16px 1px 0;color:#616e7c;vertical-align:top">${escapeHtml(label)}</td>` +
    `<td style="padding:1px 0;overflow-wrap:anywhere">${escapeHtml(value)}</td></tr>`
  );
}

function section({ title, lines }: Section): string {
  const items = lines.map((line) => `<li style="overflow-wrap:anywhere">${escapeHtml(line)}</li>`).join('');
  return (
    `<h2 style="margin:20px 0 4px;font-size:15px">${escapeHtml(title)}</h2>` +
    `<ul style="margin:0;padding-left:20px">${items}</ul>`
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** Text for element content and for attribute values in quotes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"'`]/g, (char) => ESCAPES[char] ?? '');
}
