import { colours, verdictColours } from './colours.js';
import { escaped } from './markup.js';
import type { Report, Total } from './reports.schemas.js';
import { shownTotals, Wording, writtenSpan, writtenState } from './wording.js';

/**
 * A report as mail programs can show it: tables with inline styles, no drawings (few show SVG), and the same figures as
 * plain text. The charts are in the attached PDF.
 */
export function mailBody(report: Report): { text: string; html: string } {
  const wording = new Wording(report.clinic);
  return { text: plainText(report, wording), html: markup(report, wording) };
}

function plainText(report: Report, wording: Wording): string {
  const lines = report.isEmpty ? [] : shownTotals(report).map((total) => plainLine(total, report, wording));
  return [
    `${report.clinic.name}: ${report.title}`,
    writtenSpan(report),
    writtenState(report),
    ...(lines.length > 0 ? ['', ...lines] : []),
    '',
    closing(report, wording),
    '',
  ].join('\n');
}

function plainLine(
  { name, dataType, value, previousPeriod, lastYear }: Total,
  report: Report,
  wording: Wording,
): string {
  const before = `${report.previousPeriod.period}: ${wording.value(dataType, previousPeriod.value)}`;
  const lastYears = `${report.lastYear.period}: ${wording.value(dataType, lastYear.value)}`;
  return `${name}: ${wording.value(dataType, value)} (${before}; ${lastYears})`;
}

function closing(report: Report, wording: Wording): string {
  const generated = `Generated ${wording.generated(report.generatedAt)}.`;
  return `${generated} The whole report, with its charts, is attached. You get it because you subscribed to it; you can end that under Reports.`;
}

const cell = `padding:6px 8px;border-bottom:1px solid ${colours.faint};white-space:nowrap`;
const number = `${cell};text-align:right`;
const soft = `color:${colours.soft}`;

function markup(report: Report, wording: Wording): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(report.title)}</title></head>
<body style="margin:0;padding:16px;background:${colours.tint}">
<div style="max-width:640px;margin:0 auto;padding:24px;background:${colours.paper};border-top:4px solid ${colours.blue};color:${colours.ink};font:14px/1.45 Roboto,'Segoe UI',Helvetica,Arial,sans-serif">
<p style="margin:0;font-weight:600">${escaped(report.clinic.name)}</p>
<h1 style="margin:2px 0;font-size:24px">${escaped(report.title)}</h1>
<p style="margin:0;${soft}">${escaped(writtenSpan(report))} · ${escaped(report.clinic.currency)}</p>
<p style="margin:10px 0 16px;${soft}">${escaped(writtenState(report))}</p>
${report.isEmpty ? '' : table(report, wording)}
<p style="margin:16px 0 0;font-size:12px;${soft}">${escaped(closing(report, wording))}</p>
</div>
</body></html>
`;
}

function table(report: Report, wording: Wording): string {
  const heads = ['Metric', 'This period', report.previousPeriod.period, report.lastYear.period];
  const head = heads.map(
    (name, index) =>
      `<th style="${index === 0 ? cell : number};${soft};font-size:12px;text-align:${index === 0 ? 'left' : 'right'}">${escaped(name)}</th>`,
  );
  const rows = shownTotals(report).map((total) => row(total, wording));
  return `<table role="presentation" style="width:100%;border-collapse:collapse"><tr>${head.join('')}</tr>\n${rows.join('\n')}\n</table>`;
}

function row({ name, dataType, value, previousPeriod, lastYear }: Total, wording: Wording): string {
  const earlier = [previousPeriod, lastYear].map((each) => {
    const change = wording.change(dataType, each.change);
    const colour = verdictColours[each.verdict ?? 'same'];
    return `<td style="${number}">${escaped(wording.value(dataType, each.value))}<br><span style="font-size:12px;color:${colour}">${escaped(change)}</span></td>`;
  });
  return `<tr><td style="${cell};white-space:normal">${escaped(name)}</td><td style="${number};font-weight:600">${escaped(wording.value(dataType, value))}</td>${earlier.join('')}</tr>`;
}
