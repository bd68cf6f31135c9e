export { inertText, MAX_LINE_CHARS, quotedText } from '../lib/text/inert-text.js';
