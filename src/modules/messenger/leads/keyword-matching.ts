/**
 * Finds the words with which people ask for an appointment.
 *
 * Case, accents, styled letters, invisible characters and the kind of dash or space make no difference; a word is found
 * as a whole word (`book` not in `facebook`), in scripts that are written without spaces anywhere. A keyword that ends
 * in `*` finds every word that begins so: `termin*` finds Termine and Terminvereinbarung.
 */
export function findKeyword(text: string, keywords: readonly string[]): string | undefined {
  const folded = folding(withoutNames(text));
  return keywords.find((keyword) => isIn(folded, keyword));
}

/** Whether anything of a keyword is left to look for. */
export function isKeyword(text: string): boolean {
  return wordOf(text).word !== '';
}

function isIn(text: string, keyword: string): boolean {
  const { word, isPrefix } = wordOf(keyword);
  if (word === '') return false;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const end = at + word.length;
    if (isBoundary(text, at) && (isPrefix || isBoundary(text, end))) return true;
  }
  return false;
}

function wordOf(keyword: string): { word: string; isPrefix: boolean } {
  const trimmed = keyword.trim();
  const isPrefix = trimmed.endsWith('*');
  return { word: folding(isPrefix ? trimmed.slice(0, -1) : trimmed), isPrefix };
}

/** The names of others and addresses are not what somebody says: `@bookclub`, `https://example.com/book`. */
function withoutNames(text: string): string {
  return text.normalize('NFKC').replace(/https?:\/\/\S+|(?<![\p{L}\p{N}])@[\p{L}\p{N}._]+/giu, ' ');
}

/**
 * One form for all ways to write the same: compatibility forms (𝗕𝗼𝗼𝗸, ｂｏｏｋ), full case folding (STRASSE and straße),
 * accents of Latin, Greek and Cyrillic letters, the optional vowel marks of Arabic and Hebrew, invisible characters.
 */
function folding(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFD')
    .replace(/[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]|\p{Cf}|\ufe0f/gu, '')
    .normalize('NFC')
    .replace(/[‘’ʼ`´]/g, "'")
    .replace(/[\s\p{Pd}]+/gu, ' ')
    .trim();
}

const wordCharacter = /[\p{L}\p{N}\p{M}_]/u;
/** Where words are not set apart: every place may be their boundary. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Whether a word may begin or end there: not between two characters of one word. */
function isBoundary(text: string, at: number): boolean {
  const before = characterBefore(text, at);
  const after = String.fromCodePoint(text.codePointAt(at) ?? 0x20);
  if (unspaced.test(before) || unspaced.test(after)) return !/\p{M}/u.test(after);
  return !wordCharacter.test(before) || !wordCharacter.test(after);
}

function characterBefore(text: string, at: number): string {
  if (at === 0) return ' ';
  const last = text.charCodeAt(at - 1);
  const isSecondHalf = last >= 0xdc00 && last <= 0xdfff && at >= 2;
  return text.slice(isSecondHalf ? at - 2 : at - 1, at);
}
