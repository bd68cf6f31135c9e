/**
 * A light suffix stripper (after Harman's S-stemmer, 1991, with -ing, -ed and a final -e): enough to bring "sends",
 * "sending" and "send" together, and to compare a request's words with a tool's name.
 *
 * @param word in lower case
 */
export function stem(word: string): string {
  let w = word;
  if (w.length > 4 && w.endsWith('ies')) return `${w.slice(0, -3)}y`;
  if (w.length > 3 && w.endsWith('s') && !w.endsWith('ss') && !w.endsWith('us')) w = w.slice(0, -1);
  if (w.length > 5 && w.endsWith('ing')) w = undouble(w.slice(0, -3));
  else if (w.length > 4 && w.endsWith('ed')) w = undouble(w.slice(0, -2));
  if (w.length > 3 && w.endsWith('e')) w = w.slice(0, -1);
  return w;
}

/** "planning" loses its second n; "calling" and "passing" keep theirs. */
function undouble(w: string): string {
  const n = w.length;
  return n > 3 && w[n - 1] === w[n - 2] && w[n - 1] !== 'l' && w[n - 1] !== 's' ? w.slice(0, -1) : w;
}
