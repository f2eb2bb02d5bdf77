import { type SaxesAttributePlain, SaxesParser, type SaxesTagPlain } from 'saxes';
import { SharedStrings } from './shared-strings.js';
import { unreadable } from './unreadable.js';
import type { Zip } from './zip.js';

/** What a sheet's cells lean on (ECMA-376 part 1, 18.2 workbook, 18.4 shared strings, 18.8 styles). */
export interface Workbook {
  /** The part of the sheet that was asked for. */
  sheet: string;
  countsFrom1904: boolean;
  strings: SharedStrings;
  /** By the index that cells name: whether numbers of this style are dates. */
  dateStyles: readonly boolean[];
}

/** Texts that stand in the memory of the service while the sheet is read. */
const maximumStringBytes = 48 * 1024 ** 2;

type Attributes = Record<string, SaxesAttributePlain | string>;

/** @param wanted the name of the sheet; the first that is not hidden unless given */
export async function readWorkbook(zip: Zip, wanted: string | undefined): Promise<Workbook> {
  const { sheets, countsFrom1904 } = await readSheets(zip);
  const chosen =
    wanted === undefined ? sheets.find(({ isHidden }) => !isHidden) : sheets.find(({ name }) => name === wanted);
  if (!chosen)
    throw unreadable(wanted === undefined ? 'The workbook has no sheet.' : 'The workbook has no sheet of this name.');
  const sheet = (await readTargets(zip)).get(chosen.id);
  if (!sheet || !zip.has(sheet)) throw unreadable('The sheet of the workbook is missing.');
  return { sheet, countsFrom1904, strings: await readStrings(zip), dateStyles: await readDateStyles(zip) };
}

async function readSheets(zip: Zip) {
  const sheets: { name: string; id: string; isHidden: boolean }[] = [];
  let countsFrom1904 = false;
  await parseXml(zip, 'xl/workbook.xml', {
    onOpen: (tag, attributes) => {
      if (tag === 'workbookPr') countsFrom1904 = ['1', 'true'].includes(attributes['date1904'] ?? '');
      if (tag === 'sheet')
        sheets.push({
          name: attributes['name'] ?? '',
          id: attributes['id'] ?? '',
          isHidden: (attributes['state'] ?? 'visible') !== 'visible',
        });
    },
  });
  return { sheets, countsFrom1904 };
}

/** Relation -> part. */
async function readTargets(zip: Zip): Promise<Map<string, string>> {
  const targets = new Map<string, string>();
  await parseXml(zip, 'xl/_rels/workbook.xml.rels', {
    onOpen: (tag, { Id = '', Target = '' }) => {
      if (tag === 'Relationship') targets.set(Id, Target.startsWith('/') ? Target.slice(1) : `xl/${Target}`);
    },
  });
  return targets;
}

async function readStrings(zip: Zip): Promise<SharedStrings> {
  const part = 'xl/sharedStrings.xml';
  const strings = new SharedStrings();
  if (!zip.has(part)) return strings;
  if (zip.sizeOf(part) > maximumStringBytes)
    throw unreadable('The workbook holds more text than can be read: save the sheet as CSV.');
  let text = '';
  await parseXml(zip, part, {
    onOpen: (tag) => {
      if (tag === 'si') text = '';
    },
    onText: (tags, piece) => {
      // Phonetic readings (rPh) stand beside the text and are not of it.
      if (tags.at(-1) === 't' && !tags.includes('rPh')) text += piece;
    },
    onClose: (tag) => {
      if (tag === 'si') strings.add(text);
    },
  });
  return strings;
}

async function readDateStyles(zip: Zip): Promise<boolean[]> {
  const part = 'xl/styles.xml';
  if (!zip.has(part)) return [];
  const formats = new Map<string, string>();
  const styles: boolean[] = [];
  await parseXml(zip, part, {
    onOpen: (tag, attributes, tags) => {
      if (tag === 'numFmt') formats.set(attributes['numFmtId'] ?? '', attributes['formatCode'] ?? '');
      if (tag !== 'xf' || !tags.includes('cellXfs')) return;
      const id = attributes['numFmtId'] ?? '0';
      const code = formats.get(id);
      styles.push(code === undefined ? isBuiltInDate(Number(id)) : isDateFormat(code));
    },
  });
  return styles;
}

/** 18.8.30: 14-17 and 22 are dates; 27-36 and 50-58 are those of East Asian locales. 18-21 and 45-47 are times alone. */
const isBuiltInDate = (id: number): boolean =>
  (id >= 14 && id <= 17) || id === 22 || (id >= 27 && id <= 36) || (id >= 50 && id <= 58);

/** A format that shows a day or a year, outside of literal text, colours and locales. */
function isDateFormat(code: string): boolean {
  return /[dy]/i.test(code.replace(/"[^"]*"|\[[^\]]*\]|\\.|_./g, ''));
}

interface XmlHandlers {
  onOpen?: (tag: string, attributes: Partial<Record<string, string>>, tags: readonly string[]) => void;
  onText?: (tags: readonly string[], text: string) => void;
  onClose?: (tag: string) => void;
}

async function parseXml(zip: Zip, part: string, handlers: XmlHandlers): Promise<void> {
  const parser = xmlParser(handlers, part);
  for await (const text of zip.text(part)) parser.write(text);
  parser.close();
}

/** Tags and attributes come without their prefixes, which differ between the programs that write workbooks. */
export function xmlParser({ onOpen, onText, onClose }: XmlHandlers, part: string): SaxesParser {
  const parser = new SaxesParser();
  const tags: string[] = [];
  parser.on('error', () => {
    throw unreadable(`The part ${part} of the workbook is not XML.`);
  });
  parser.on('opentag', (tag: SaxesTagPlain) => {
    const name = localName(tag.name);
    tags.push(name);
    onOpen?.(name, localAttributes(tag.attributes), tags);
  });
  if (onText) parser.on('text', (text) => onText(tags, text));
  parser.on('closetag', () => onClose?.(tags.pop() ?? ''));
  return parser;
}

const localName = (name: string): string => name.slice(name.indexOf(':') + 1);

function localAttributes(attributes: Attributes): Record<string, string> {
  const named: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) named[localName(name)] = String(value);
  return named;
}
