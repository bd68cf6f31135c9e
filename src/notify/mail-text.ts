import type { Story } from './mail-story.js';

/** A message as plain text. */
export function mailText(story: Story): string {
  const width = Math.max(...story.facts.map(([label]) => label.length));
  const parts = [
    `${story.headline}\n${story.lead}`,
    story.facts.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join('\n'),
    ...story.sections.map(({ title, lines }) => `${title}\n${lines.map((line) => `- ${line}`).join('\n')}`),
  ];
  if (story.link !== undefined) parts.push(`Open it: ${story.link}`);
  parts.push('Sent by Parallax. Addresses that an agent wrote are taken apart on purpose.');
  return `${parts.join('\n\n')}\n`;
}
