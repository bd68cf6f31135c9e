import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Puts text into its own section of a file of results, and leaves every other section as it is. */
export function writeSection(file: string, name: string, text: string): void {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
  const section = `${begin}\n${text.trim()}\n${end}\n`;
  const held = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const [from, to] = [held.indexOf(begin), held.indexOf(end)];
  if (from < 0 || to < from) {
    writeFileSync(file, held === '' ? section : `${held.trimEnd()}\n\n${section}`);
    return;
  }
  writeFileSync(file, held.slice(0, from) + section + held.slice(to + end.length).trimStart());
}
