import { createRequire } from 'node:module';
import pdfmake from 'pdfmake';
import type { Content, TableCell, TDocumentDefinitions } from 'pdfmake/interfaces.js';
import { type DrawnChart, drawCharts } from './chart-set.js';
import { colours, verdictColours } from './colours.js';
import { cardsOf } from './html-page.js';
import type { Report, ReportGoal, Total } from './reports.schemas.js';
import { shownTotals, Wording, writtenSpan, writtenState } from './wording.js';

type Fonts = Record<string, Record<string, string>>;

// Roboto comes with the package: Latin, Greek and Cyrillic. Of other scripts it draws empty boxes, and fails at none.
const fonts = createRequire(import.meta.url)('pdfmake/fonts/Roboto.js') as Fonts;
const fontFiles = new Set(Object.values(fonts).flatMap((styles) => Object.values(styles)));
pdfmake.setFonts(fonts);
pdfmake.setUrlAccessPolicy(() => false);
pdfmake.setLocalAccessPolicy((path) => fontFiles.has(path));

const contentWidth = 515;

/** The report on A4, with its charts as vectors. */
export async function pdfDocument(report: Report): Promise<Buffer> {
  const wording = new Wording(report.clinic);
  const charts = await drawCharts(report, wording);
  return pdfmake.createPdf(definitionOf(report, charts, wording)).getBuffer();
}

function definitionOf(report: Report, charts: DrawnChart[], wording: Wording): TDocumentDefinitions {
  return {
    pageSize: 'A4',
    pageMargins: [40, 40, 40, 48],
    language: 'en',
    info: { title: `${report.clinic.name}: ${report.title}`, creationDate: report.generatedAt },
    defaultStyle: { font: 'Roboto', fontSize: 9, color: colours.ink, lineHeight: 1.15 },
    footer: (page, pages) => footer(report, wording, `${page} / ${pages}`),
    content: [
      ...heading(report),
      ...cards(report, wording),
      ...goals(report, wording),
      ...figures(charts),
      ...totals(report, wording),
      ...providers(report, wording),
    ],
  };
}

function heading(report: Report): Content[] {
  const { clinic } = report;
  const place = clinic.location ? [{ text: `   ${clinic.location}`, color: colours.soft, bold: false }] : [];
  const mark = report.partial ? [{ text: '   partial', fontSize: 10, color: '#8a5a06' }] : [];
  return [
    { canvas: [{ type: 'rect', x: 0, y: 0, w: contentWidth, h: 3, color: colours.blue }], margin: [0, 0, 0, 12] },
    { text: [{ text: clinic.name }, ...place], bold: true, fontSize: 11 },
    { text: [{ text: report.title }, ...mark], bold: true, fontSize: 21 },
    { text: `${writtenSpan(report)} · ${clinic.currency}`, fontSize: 11, color: colours.soft },
    { text: writtenState(report), color: colours.soft, margin: [0, 6, 0, 14] },
  ];
}

function footer(report: Report, wording: Wording, page: string): Content {
  const note = `Generated ${wording.generated(report.generatedAt)}. Amounts in whole ${report.clinic.currency}; pts are percentage points.`;
  const columns = [{ text: note }, { text: page, alignment: 'right' as const, width: 50 }];
  return { columns, margin: [40, 14, 40, 0], fontSize: 7.5, color: colours.soft };
}

function cards(report: Report, wording: Wording): Content[] {
  if (report.isEmpty) return [];
  const cells = cardsOf(report).map(
    (total): TableCell => ({
      stack: [
        { text: total.name, color: colours.soft, fontSize: 8 },
        { text: wording.value(total.dataType, total.value), bold: true, fontSize: 17, margin: [0, 1, 0, 2] },
        than(wording, total.previousPeriod, `on ${report.previousPeriod.period}`),
        than(wording, total.lastYear, `on ${report.lastYear.period}`),
      ],
      fillColor: colours.tint,
      margin: [8, 8, 8, 8],
    }),
  );
  const layout = { hLineWidth: () => 0, vLineWidth: () => 6, vLineColor: () => colours.paper };
  return [{ table: { widths: cells.map(() => '*'), body: [cells] }, layout, margin: [-6, 0, -6, 16] }];
}

function than(wording: Wording, difference: Total['previousPeriod'], words: string): Content {
  const change = { text: wording.percent(difference.changePercent), bold: true, color: colourOf(difference.verdict) };
  return { text: [change, ` ${words}`], fontSize: 8, color: colours.soft };
}

function figures(charts: DrawnChart[]): Content[] {
  const wide = charts.filter(({ isNarrow }) => !isNarrow).map((drawn) => figure(drawn, contentWidth));
  const narrow = charts.filter(({ isNarrow }) => isNarrow).map((drawn) => figure(drawn, (contentWidth - 16) / 2));
  return narrow.length > 0 ? [...wide, { columns: narrow, columnGap: 16 }] : wide;
}

function figure({ chart, svg }: DrawnChart, width: number): Content {
  const parts: Content[] = [
    { text: chart.title, bold: true, fontSize: 10, margin: [0, 0, 0, 4] },
    { svg, width },
  ];
  return { stack: parts, unbreakable: true, margin: [0, 0, 0, 16] };
}

function totals(report: Report, wording: Wording): Content[] {
  if (report.isEmpty) return [];
  const names = ['Metric', 'This period', report.previousPeriod.period, 'Change', report.lastYear.period, 'Change'];
  const shown = shownTotals(report);
  const rows = shown.flatMap((total, index): TableCell[][] => {
    const row = totalRow(total, wording);
    return total.group === shown[index - 1]?.group ? [row] : [groupRow(total.group, names.length), row];
  });
  return [section('All figures', names, rows)];
}

function groupRow(group: string, width: number): TableCell[] {
  const cell = {
    text: group,
    colSpan: width,
    bold: true,
    color: colours.soft,
    margin: [0, 6, 0, 0] as [number, number, number, number],
  };
  return [cell, ...Array.from({ length: width - 1 }, () => ({ text: '' }))];
}

function totalRow({ name, dataType, value, previousPeriod, lastYear }: Total, wording: Wording): TableCell[] {
  const earlier = [previousPeriod, lastYear].flatMap((each) => {
    return [
      right(wording.value(dataType, each.value)),
      right(wording.wholeChange(dataType, each), { color: colourOf(each.verdict) }),
    ];
  });
  return [{ text: name }, right(wording.value(dataType, value), { bold: true }), ...earlier];
}

function goals(report: Report, wording: Wording): Content[] {
  if (report.goals.length === 0) return [];
  const rows = report.goals.map((goal) => goalRow(goal, wording));
  return [section('Goals', ['Goal', 'Target', 'So far', 'Progress', 'Standing', 'Until'], rows)];
}

function goalRow(goal: ReportGoal, wording: Wording): TableCell[] {
  const target = `${goal.direction === 'at_most' ? 'at most ' : ''}${wording.value(goal.dataType, goal.target)}`;
  return [
    { text: goal.providerName ? `${goal.name}, ${goal.providerName}` : goal.name },
    right(target),
    right(wording.value(goal.dataType, goal.current), { bold: true }),
    right(wording.value('percentage', goal.progressPercent)),
    right(goal.standing),
    right(goal.endsOn),
  ];
}

function providers({ providers: { columns, rows } }: Report, wording: Wording): Content[] {
  if (rows.length === 0) return [];
  const lines = rows.map(({ name, values }): TableCell[] => {
    const cells = columns.map(({ metric, dataType }) =>
      right(wording.value(dataType, values.find((each) => each.metric === metric)?.value ?? null)),
    );
    return [{ text: name }, ...cells];
  });
  return [section('Providers', ['Provider', ...columns.map(({ name }) => name)], lines)];
}

/** The heading is a row of the table, so that no page ends with it; both heads are repeated on each page. */
function section(title: string, names: string[], rows: TableCell[][]): Content {
  const head = names.map((name, index) =>
    index === 0 ? headCell(name) : { ...headCell(name), alignment: 'right' as const },
  );
  const layout = {
    hLineWidth: (line: number) => (line < 2 ? 0 : 0.5),
    hLineColor: (line: number) => (line === 2 ? colours.line : colours.faint),
    vLineWidth: () => 0,
    paddingLeft: (column: number) => (column === 0 ? 0 : 6),
    paddingRight: () => 4,
    paddingTop: () => 3,
    paddingBottom: () => 3,
  };
  const heading = { text: title, bold: true, fontSize: 12, colSpan: names.length };
  const body = [[heading, ...names.slice(1).map(() => ({ text: '' }))], head, ...rows];
  const widths = names.map((_, index) => (index === 0 ? '*' : 'auto'));
  return {
    table: { headerRows: 2, keepWithHeaderRows: 2, dontBreakRows: true, widths, body },
    layout,
    margin: [0, 4, 0, 12],
  };
}

function headCell(text: string): { text: string; bold: boolean; color: string; fontSize: number } {
  return { text, bold: true, color: colours.soft, fontSize: 8 };
}

function right(text: string, more: { bold?: boolean; color?: string } = {}): TableCell {
  return { text, alignment: 'right', noWrap: true, ...more };
}

function colourOf(verdict: Total['previousPeriod']['verdict']): string {
  return verdictColours[verdict ?? 'same'];
}
